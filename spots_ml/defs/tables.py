"""Tables for the UI: domain results as the metadata values that the asset page renders."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    import pyarrow as pa


def column_schema(schema: "pa.Schema") -> dg.MetadataValue:
    """Show an Arrow schema as the asset's columns.

    Args:
        schema: Any schema; a field's `doc` metadata becomes the column's description.

    Returns:
        The value for the key `dagster/column_schema`.
    """
    return dg.MetadataValue.table_schema(
        dg.TableSchema(
            columns=[
                dg.TableColumn(
                    field.name,
                    type=str(field.type),
                    description=(field.metadata or {}).get(b"doc", b"").decode() or None,
                    constraints=dg.TableColumnConstraints(nullable=field.nullable),
                )
                for field in schema
            ]
        )
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
    return text.replace("|", "\\|").replace("\n", " ")


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
