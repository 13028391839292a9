"""Writes tables of answers: JSON lines, plain or gzip, or Parquet. Whole files are the business of the caller."""

import contextlib
import gzip
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, get_args

import msgspec
import pyarrow as pa

from spots_ml.interactions.parquet import open_writer
from spots_ml.scoring.answering.score_table import SCORES, SCORES_WITH_REQUESTS

ScoreFormat = Literal["jsonl", "parquet"]
SCORE_FORMATS: Final[tuple[ScoreFormat, ...]] = get_args(ScoreFormat)

_ENCODER: Final = msgspec.json.Encoder()
_FAST: Final = 1
"""Compression level: several times as fast as the default, a tenth larger."""

SCHEMAS: Final[dict[ScoreFormat, pa.Schema]] = {"jsonl": SCORES, "parquet": SCORES_WITH_REQUESTS}
"""The columns of each format."""

Write = Callable[[pa.RecordBatch], Any]


@contextlib.contextmanager
def open_score_writer(sink: Path | BinaryIO, format: ScoreFormat, *, packed: bool = False) -> Iterator[Write]:
    """Open a place for answers.

    Args:
        sink: A file, overwritten, or a stream, left open.
        format: Its columns are in `SCHEMAS`.
        packed: Whether JSON lines are written as gzip.

    Yields:
        A function that writes rows of the format's schema. The place is complete when the block ends.
    """
    if format == "jsonl":
        with sink.open("wb") if isinstance(sink, Path) else contextlib.nullcontext(sink) as stream:
            if not packed:
                yield lambda batch: stream.write(json_lines(batch))
                return
            with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=_FAST, mtime=0) as packer:
                yield lambda batch: packer.write(json_lines(batch))
    elif isinstance(sink, Path):
        with open_writer(sink, SCORES_WITH_REQUESTS, {}) as writer:
            yield lambda batch: writer.write_batch(batch)
    else:
        with tempfile.TemporaryDirectory(prefix="spots-ml-") as directory:
            path = Path(directory) / "scores.parquet"
            with open_score_writer(path, format) as write:
                yield write
            with path.open("rb") as content:
                shutil.copyfileobj(content, sink)


def json_lines(batch: pa.RecordBatch) -> bytes:
    """Write rows as JSON lines; a number is written with the fewest digits that read back as the same number.

    Args:
        batch: Rows of schema `SCORES`.

    Returns:
        UTF-8, one object per row, each line ended.
    """
    names = batch.schema.names
    rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
    return _ENCODER.encode_lines([dict(zip(names, row, strict=True)) for row in rows])
