"""Plain text tables for the terminal: aligned columns, no frames, so that `grep` and `awk` can read them, too."""

from collections.abc import Iterable, Sequence

from spots_ml.texts import shown


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table.

    Args:
        header: Column names.
        rows: Cells as text, as many per row as there are columns; no text can make a second row of one.

    Returns:
        Lines without blanks at their ends; the header alone when there are no rows.

    >>> print(text_table(["model", "n"], [["outcome", "1"]]))
    MODEL    N
    outcome  1
    """
    lines = [[name.upper() for name in header], *([shown(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
