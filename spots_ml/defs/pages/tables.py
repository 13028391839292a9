"""Numbers, tables and sentences for the UI: domain results as the metadata values that the asset page renders.

The value column is about 45 characters wide on a laptop and does not break long lines by itself, because digests and
paths make it wider than what is seen: so sentences are broken here.
"""

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import dagster as dg

from spots_ml.texts import shown

if TYPE_CHECKING:
    import pyarrow as pa

    from spots_ml.estimates.estimate import Estimate

_LINE: Final = 44
_DIGEST_DIGITS: Final = 16
_MARKUP: Final = re.compile(r"<(?=[A-Za-z/!?])|(?<=\])\(|```|^(?=[#>])[#>]+")
_FEATURE: Final = "in [0, 1]; null: unknown"


def columns_table(schema: "pa.Schema") -> dg.MetadataValue:
    """Show the columns of a table behind a link; the UI's own place for them is above everything else on the page.

    Args:
        schema: Any schema of this project; a field's `doc` metadata becomes the column's description, a number without
            it is a feature.

    Returns:
        Markdown.
    """
    return markdown_table(
        ["column", "type", "holds"],
        [[field.name, f"{field.type}{'' if field.nullable else ', known'}", _description(field)] for field in schema],
    )


def _description(field: "pa.Field") -> str:
    from pyarrow.types import is_floating

    if field.metadata and b"doc" in field.metadata:
        return str(field.metadata[b"doc"].decode())
    if not is_floating(field.type):
        return ""
    return _FEATURE if field.nullable else _FEATURE.partition(";")[0]


def number(value: float) -> dg.MetadataValue:
    """Show a number and let the UI plot it over time.

    Args:
        value: Any number; what is exact is in the files.

    Returns:
        The number with five significant digits.

    >>> number(0.02472223).value
    0.024722
    """
    return dg.MetadataValue.float(float(f"{value:.5g}"))


def sentences(texts: Iterable[str]) -> dg.MetadataValue:
    """Show sentences in lines short enough for the value column.

    Args:
        texts: One paragraph each; may be empty.

    Returns:
        Markdown, or plain text when one line is enough.

    >>> sentences([]).value, sentences(["10,000 rows"]).value
    ('none', '10,000 rows')
    """
    texts = list(texts)
    if len(texts) == 1 and len(texts[0]) <= _LINE:
        return dg.MetadataValue.text(shown(texts[0]))
    paragraphs = ["  \n".join(textwrap.wrap(markdown_text(text), _LINE, break_long_words=False)) for text in texts]
    return dg.MetadataValue.md("\n\n".join(paragraphs) or "none")


def digests(by_name: Mapping[str, str]) -> dg.MetadataValue:
    """Show digests by their beginning: they are looked up in the files, which have them in full.

    Args:
        by_name: Digest by what it identifies.

    Returns:
        Markdown.
    """
    return markdown_table(
        ["of", f"first {_DIGEST_DIGITS} digits"], ([name, text[:_DIGEST_DIGITS]] for name, text in by_name.items())
    )


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> dg.MetadataValue:
    """Show rows of text as a table.

    Args:
        header: Column titles.
        rows: One text per column; a bar inside a text is escaped.

    Returns:
        Markdown.
    """
    lines = [header, ["---"] * len(header), *rows]
    return dg.MetadataValue.md("\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines))


def _cell(text: str) -> str:
    return markdown_text(text).replace("|", "\\|")


def markdown_text(text: str) -> str:
    r"""Write a text from anywhere so that Markdown shows it: no markup, link, picture or second line comes of it.

    Args:
        text: Any text; line ends become blanks, what cannot be printed is escaped.

    Returns:
        Markdown.

    >>> markdown_text("<b> [x](http://y) ```"), markdown_text("p < 0.5")
    ('\\<b> [x]\\(http://y) \\`\\`\\`', 'p < 0.5')
    """
    return _MARKUP.sub(lambda found: "".join(f"\\{one}" for one in found.group()), shown(" ".join(text.splitlines())))


def counts(numbers: Mapping[str, int], *, what: str) -> dg.MetadataValue:
    """Show counts, largest first.

    Args:
        numbers: Count per name; may be empty.
        what: Title of the first column.

    Returns:
        Markdown.
    """
    if not numbers:
        return dg.MetadataValue.md("none")
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return markdown_table([what, "rows"], ([name, f"{count:,}"] for name, count in ordered))


def interval(estimate: "Estimate | None", *, percent: bool = False) -> str:
    """Write an estimate with its interval.

    Args:
        estimate: The estimate; None where it was not measured.
        percent: Whether it is a share, to be shown in percent.

    Returns:
        `value (low to high; rows of agents)`, as much of it as there is; `undefined` without a value. A value without
        an interval says so, unless it was kept before estimates said how many they are of.

    >>> from spots_ml.estimates.estimate import Estimate
    >>> interval(Estimate(value=1.0, low=0.1581, high=1.0, method="binomial", n_rows=2, n_agents=2))
    '1.0000 (0.1581 to 1.0000; 2 rows of 2 agents)'
    >>> interval(Estimate(value=0.5, low=None, high=None, method="none", n_rows=300, n_agents=1))
    '0.5000 (no interval; 300 rows of 1 agent)'
    """
    if estimate is None or estimate.value is None:
        return "undefined"
    value, low, high = (
        None if number is None else f"{100 * number:.1f}" if percent else f"{number:.4f}"
        for number in (estimate.value, estimate.low, estimate.high)
    )
    known = [f"{low} to {high}"] if low is not None and high is not None else []
    if size := _size(estimate):
        known = [*(known or ["no interval"]), size]
    told = f" ({'; '.join(known)})" if known else ""
    return f"{value}{'%' if percent else ''}{told}"


def interval_in_line(estimate: "Estimate | None") -> str:
    """Write an estimate with its interval for a column of a wide table, where how many rows it is of stands beside it.

    Args:
        estimate: The estimate; None where it was not measured.

    Returns:
        What `interval` writes, without the rows and agents, and with spaces at which the page breaks no line: it makes
        a column as narrow as the longest of its words.

    >>> from spots_ml.estimates.estimate import Estimate
    >>> found = Estimate(value=1.0, low=0.1581, high=1.0, method="binomial", n_rows=2, n_agents=2)
    >>> interval_in_line(found).split()
    ['1.0000', '(0.1581', 'to', '1.0000)']
    """
    if estimate is None or estimate.value is None:
        return "undefined"
    known = estimate.low is not None and estimate.high is not None
    told = f"{estimate.low:.4f} to {estimate.high:.4f}" if known else "no interval"
    return f"{estimate.value:.4f} ({told})".replace(" ", "\N{NO-BREAK SPACE}")


def estimates_table(
    rows: Iterable[tuple[str, "Estimate | None"]], what: str = "value", *, percent: bool = False
) -> dg.MetadataValue:
    """Show estimates below each other, and how many rows and agents they are of: once, where all are of the same.

    Args:
        rows: Name and estimate, from top to bottom.
        what: Name of what is estimated.
        percent: Whether they are shares, to be shown in percent.

    Returns:
        Markdown, narrow enough for the value column where all are of the same rows.
    """
    known = list(rows)
    sizes = {_size(one) for _, one in known if one is not None and one.value is not None}
    size = next(iter(sizes)) if len(sizes) == 1 else None
    cells = (interval(one, percent=percent) for _, one in known)
    if size:
        cells = (cell.replace(f"; {size})", ")").replace(f" ({size})", "") for cell in cells)
    return markdown_table(
        [size or "", f"{what} (95% interval)"], ([name, cell] for (name, _), cell in zip(known, cells, strict=True))
    )


def _size(estimate: "Estimate") -> str | None:
    rows, agents = estimate.n_rows, estimate.n_agents
    if rows is None or agents is None:
        return None
    return f"{rows:,} {_plural('row', rows)} of {agents:,} {_plural('agent', agents)}"


def _plural(one: str, count: int) -> str:
    return one if count == 1 else f"{one}s"
