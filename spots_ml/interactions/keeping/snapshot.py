"""An immutable copy of what a source held when it was read: Parquet, named by the digest of its bytes.

Nothing is judged here: `validation` does that. Layout: `<directory>/<digest>/interactions.parquet` and
`snapshot.json`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spots_ml.digests import digest_file, seal, unseal
from spots_ml.errors import ArtifactError
from spots_ml.files import publish, work_folder
from spots_ml.interactions.columns import completed, rebatch
from spots_ml.interactions.kinds import SourceKind
from spots_ml.interactions.parquet import open_writer
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.interactions.source import InteractionStream
from spots_ml.troubles import raise_unless_missing

INTERACTIONS_FILE: Final = "interactions.parquet"
SNAPSHOT_FILE: Final = "snapshot.json"
GROUP_ROWS: Final = 50_000
"""Rows per Parquet row group, and the most that a reader holds at once."""


class Snapshot(BaseModel):
    """What a snapshot holds and where it comes from.

    The digest covers the rows and the kind, nothing else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str = Field(description="SHA-256 of interactions.parquet; also the folder's name.")
    kind: SourceKind = Field(description="Where the outcomes come from; the suffix of version names.")
    n_rows: int = Field(ge=0, description="Interactions read, broken ones included.")
    n_labelled: int = Field(ge=0, description="Interactions with both outcome type and score, unjudged.")
    n_unreadable: int = Field(ge=0, description="Records not read into columns, or set aside by a store.")
    description: str = Field(description="One line about the source of the latest reading.")
    watermark: str | None = Field(description="Label arrival in the store at the latest reading; null: no store.")


def write_snapshot(stream: InteractionStream, directory: Path) -> Snapshot:
    """Write a stream to its end and publish it under the digest of its content.

    Args:
        stream: Interactions; read in batches, so memory does not grow with their number.
        directory: The folder of all snapshots.

    Returns:
        The snapshot. The same rows of the same kind give the same digest; description and watermark are then
        those of the latest reading.

    Raises:
        InputError: When the source turns out to be broken while it is read; nothing is published then.
    """
    counts = {"n_rows": 0, "n_labelled": 0, "n_unreadable": 0}
    with work_folder(directory) as work:
        with open_writer(work / INTERACTIONS_FILE, INTERACTIONS, {"kind": stream.kind}) as writer:
            for batch in rebatch(stream.batches, GROUP_ROWS):
                writer.write_batch(batch, row_group_size=GROUP_ROWS)
                _count(batch, counts)
        snapshot = Snapshot(
            digest=digest_file(work / INTERACTIONS_FILE),
            kind=stream.kind,
            description=stream.description,
            watermark=stream.watermark,
            **counts,
        )
        (work / SNAPSHOT_FILE).write_bytes(seal(snapshot.model_dump(mode="json")))
        publish(work, directory / snapshot.digest)
    return snapshot


def read_snapshot(directory: Path, digest: str) -> tuple[Snapshot, Iterator[pa.RecordBatch]]:
    """Open a snapshot after checking it byte for byte.

    Args:
        directory: The folder of all snapshots.
        digest: Which one.

    Returns:
        The snapshot and its rows, in batches of at most `GROUP_ROWS` rows of schema `INTERACTIONS`.

    Raises:
        ArtifactError: When it is missing, incomplete, or its content is not what the digest says.
    """
    folder = directory / digest
    try:
        snapshot = Snapshot.model_validate(unseal((folder / SNAPSHOT_FILE).read_bytes()))
        found = digest_file(folder / INTERACTIONS_FILE)
    except (OSError, ArtifactError, ValidationError) as error:
        raise_unless_missing(error, folder)
        raise ArtifactError(
            f"snapshot {digest} cannot be read in {directory} ({error}); expected {INTERACTIONS_FILE} "
            f"and {SNAPSHOT_FILE}: read the source again"
        ) from error
    if found != digest or snapshot.digest != digest:
        raise ArtifactError(
            f"snapshot {digest} is damaged: {INTERACTIONS_FILE} has the digest {found}, {SNAPSHOT_FILE} "
            f"names {snapshot.digest}; delete {folder} and read the source again"
        )
    return snapshot, _batches(folder / INTERACTIONS_FILE)


def describe_snapshot(directory: Path, digest: str) -> Snapshot:
    """Read what is said of a snapshot; its rows are not looked at.

    Args:
        directory: The folder of all snapshots.
        digest: Which one.

    Returns:
        The snapshot.

    Raises:
        ArtifactError: When it is missing, or what is said of it was altered.
    """
    path = directory / digest / SNAPSHOT_FILE
    try:
        snapshot = Snapshot.model_validate(unseal(path.read_bytes()))
    except (OSError, ArtifactError, ValidationError) as error:
        raise ArtifactError(f"{path} cannot be read ({error}); read the source again") from error
    if snapshot.digest != digest:
        raise ArtifactError(f"{path} names the snapshot {snapshot.digest}; read the source again")
    return snapshot


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=GROUP_ROWS, use_threads=False):
            yield completed(batch, INTERACTIONS)


def _count(batch: pa.RecordBatch, counts: dict[str, int]) -> None:
    labelled = pc.and_(pc.is_valid(batch["outcome_type"]), pc.is_valid(batch["outcome_score"]))
    counts["n_rows"] += batch.num_rows
    counts["n_labelled"] += pc.sum(labelled).as_py()
    counts["n_unreadable"] += batch.num_rows - batch["problems"].null_count
