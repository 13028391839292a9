"""What `score` and `explain` share: where requests come from, and which versions answer them."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from spots_ml.cli.options import version_options

if TYPE_CHECKING:
    import pyarrow as pa

RequestFormat = Literal["jsonl", "parquet", "export"]

STANDARD = "-"
"""Stands for standard input."""


def request_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every command over requests has.

    Args:
        command: A function with the parameters `read_as`, `versions` and `weights`.

    Returns:
        The function with the options.
    """
    read_as = click.option(
        "--from",
        "read_as",
        type=click.Choice(["jsonl", "parquet", "export"]),
        help="Format of the input.  [default: by its name; jsonl from stdin]",
    )
    versions = version_options("the active one")
    weights = click.option(
        "--weights",
        type=click.Choice(["fixed", "confidence"]),
        default="fixed",
        show_default=True,
        help="Weigh the neural score as the version says, or by the model's confidence in each row, too.",
    )
    return read_as(versions(weights(command)))


def requests_from(source: Path, read_as: RequestFormat | None) -> "Iterator[pa.RecordBatch]":
    """Read requests from a file or, for `-`, from standard input.

    Args:
        source: The file.
        read_as: Its format; None: what its name says, JSON lines from standard input.

    Returns:
        Batches of requests.
    """
    from spots_ml.requests.reading import format_of, read_requests

    if str(source) == STANDARD:
        return read_requests(sys.stdin.buffer, format=read_as or "jsonl")
    return read_requests(source, format=read_as or format_of(source.name))
