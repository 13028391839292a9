"""Turns a snapshot into a validated dataset: accepted rows, quarantine, and a report that counts them.

Layout: `<datasets>/<digest>/accepted.parquet`, `quarantine.parquet`, `report.json`. The rules are in `rules`,
the verdict on each row in `judgement`; whether the dataset is enough to train on is in `fitness`.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from spots_ml.digests import digest_file, seal, unseal
from spots_ml.errors import ArtifactError, ContractError
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.files import publish, work_folder, write_whole
from spots_ml.interactions.judging.broken_share import N_EXAMPLES, refuse_broken
from spots_ml.interactions.judging.findings import KeyTally
from spots_ml.interactions.judging.judgement import Judgement, accepted, judge, quarantined
from spots_ml.interactions.judging.rules import ValidationConfig, bit
from spots_ml.interactions.keeping.snapshot import GROUP_ROWS, Snapshot, read_snapshot
from spots_ml.interactions.learning.dataset import LabelledRows, collect_labelled
from spots_ml.interactions.learning.report import DatasetReport, Tally, content_digest
from spots_ml.interactions.parquet import open_writer
from spots_ml.interactions.schema import DATASET, QUARANTINE
from spots_ml.troubles import raise_unless_missing

ACCEPTED_FILE: Final = "accepted.parquet"
QUARANTINE_FILE: Final = "quarantine.parquet"
REPORT_FILE: Final = "report.json"
_READ_ROWS: Final = 65_536
"""Rows decoded at once where they are not all wanted in one table."""


def build_dataset(
    snapshots_dir: Path,
    snapshot_digest: str,
    datasets_dir: Path,
    *,
    config: ValidationConfig | None = None,
    now: datetime,
) -> DatasetReport:
    """Validate a snapshot and publish its accepted rows and its quarantine.

    Args:
        snapshots_dir: The folder of all snapshots.
        snapshot_digest: Which one.
        datasets_dir: The folder of all datasets.
        config: Thresholds; the defaults when absent.
        now: The present, with a time zone: nothing may have happened later.

    Returns:
        The report. The same snapshot, thresholds and verdicts give the same digest.

    Raises:
        ValidationFailedError: When a larger share of the rows is broken than allowed; nothing is published
            then.
        ArtifactError: When the snapshot is missing or damaged.
    """
    config = config or ValidationConfig()

    def read() -> Iterator[pa.RecordBatch]:
        return read_snapshot(snapshots_dir, snapshot_digest)[1]

    judgement = judge(read, config=config, now=now)
    _refuse_broken(judgement, config, read)
    with work_folder(datasets_dir) as work:
        report = _write(work, snapshots_dir, snapshot_digest, judgement, config)
        (work / REPORT_FILE).write_bytes(seal(report.model_dump(mode="json")))
        publish(work, datasets_dir / report.digest)
    return report


def read_report(datasets_dir: Path, digest: str) -> DatasetReport:
    """Read a dataset's report and check it against its digest.

    Args:
        datasets_dir: The folder of all datasets.
        digest: Which one.

    Returns:
        The report.

    Raises:
        ArtifactError: When it is missing, unreadable, or altered.
        ContractError: When the dataset was made for another feature contract.
    """
    path = datasets_dir / digest / REPORT_FILE
    try:
        report = DatasetReport.model_validate(unseal(path.read_bytes()))
    except (OSError, ArtifactError, ValidationError) as error:
        raise_unless_missing(error, path)
        raise ArtifactError(
            f"dataset {digest} has no readable {REPORT_FILE} in {datasets_dir} ({error}); validate its snapshot again"
        ) from error
    if not report.digest == report.computed_digest() == digest:
        raise ArtifactError(
            f"dataset {digest} is damaged: {path} names {report.digest} and its content has "
            f"{report.computed_digest()}; delete the folder and validate the snapshot again"
        )
    if report.contract_digest != CONTRACT_DIGEST:
        raise ContractError(
            f"dataset {digest} was made for feature contract {report.contract_digest}; in force is "
            f"{CONTRACT_DIGEST}: validate its snapshot again"
        )
    return report


def retell_dataset(datasets_dir: Path, digest: str, snapshot: Snapshot) -> DatasetReport:
    """Tell a dataset of the latest reading of its snapshot, after checking every byte of it.

    Args:
        datasets_dir: The folder of all datasets.
        digest: Which one.
        snapshot: Its snapshot, as it was read last.

    Returns:
        The report with that reading's description and watermark, which are no part of its digest.

    Raises:
        ArtifactError: When anything is missing or altered; every mismatch is listed.
        ContractError: When the dataset was made for another feature contract.
    """
    report = _checked(datasets_dir, digest)
    told = report.model_copy(update={"description": snapshot.description, "watermark": snapshot.watermark})
    if told != report:
        write_whole(datasets_dir / digest / REPORT_FILE, seal(told.model_dump(mode="json")))
    return told


def load_dataset(datasets_dir: Path, digest: str) -> tuple[DatasetReport, pa.Table]:
    """Load a dataset after checking every byte of it.

    Args:
        datasets_dir: The folder of all datasets.
        digest: Which one.

    Returns:
        Its report and its accepted rows, in source order, schema `DATASET`.

    Raises:
        ArtifactError: When anything is missing or altered; every mismatch is listed.
        ContractError: When the dataset was made for another feature contract.
    """
    report = _checked(datasets_dir, digest)
    path = datasets_dir / digest / ACCEPTED_FILE
    return report, pq.read_table(path, schema=DATASET, use_threads=False, partitioning=None)


def load_labelled_rows(datasets_dir: Path, digest: str) -> tuple[DatasetReport, LabelledRows]:
    """Load what a model learns from, after checking every byte of the dataset; never all of its table at once.

    Args:
        datasets_dir: The folder of all datasets.
        digest: Which one.

    Returns:
        Its report and its accepted rows with an outcome, in source order.

    Raises:
        ArtifactError: When anything is missing or altered; every mismatch is listed.
        ContractError: When the dataset was made for another feature contract.
    """
    report = _checked(datasets_dir, digest)
    # Without its default of pre-buffering, which holds the whole file while it is read.
    with pq.ParquetFile(datasets_dir / digest / ACCEPTED_FILE, pre_buffer=False) as accepted:
        rows = collect_labelled(accepted.iter_batches(_READ_ROWS, use_threads=False), report.n_labelled)
    pa.default_memory_pool().release_unused()  # it would keep as much as the rows take, and training asks others
    return report, rows


def _checked(datasets_dir: Path, digest: str) -> DatasetReport:
    """Read the report and compare the digests of both files with it."""
    report = read_report(datasets_dir, digest)
    folder = datasets_dir / digest
    expected = {ACCEPTED_FILE: report.accepted_sha256, QUARANTINE_FILE: report.quarantine_sha256}
    wrong = []
    for name, sha256 in expected.items():
        found = digest_file(folder / name) if (folder / name).is_file() else "no such file"
        if found != sha256:
            wrong.append(f"{name}: found {found}, expected {sha256}")
    if wrong:
        raise ArtifactError(
            f"dataset {digest} is damaged ({'; '.join(wrong)}); delete {folder} and validate the snapshot again"
        )
    return report


def _refuse_broken(
    judgement: Judgement, config: ValidationConfig, read: Callable[[], Iterator[pa.RecordBatch]]
) -> None:
    if judgement.weighing.broken_share <= config.max_broken_share:
        return
    refuse_broken(
        judgement.weighing,
        n_read=judgement.n_rows,
        n_broken=judgement.n_broken,
        reasons=judgement.reasons(),
        examples=[(row["position"], row["details"] or row["reasons"]) for row in _first_broken(judgement, read)],
        max_broken_share=config.max_broken_share,
    )


def _first_broken(judgement: Judgement, read: Callable[[], Iterator[pa.RecordBatch]]) -> list[dict[str, Any]]:
    """Read the first broken rows once more; as rows of schema `QUARANTINE`."""
    broken = judgement.masks & ~bit("duplicate")
    found: list[dict[str, Any]] = []
    start = 0
    for batch in read():
        part = broken[start : start + batch.num_rows].copy()
        part[np.flatnonzero(part)[N_EXAMPLES:]] = 0
        found += quarantined(batch, part).to_pylist()
        start += batch.num_rows
        if len(found) >= N_EXAMPLES:
            break
    return found[:N_EXAMPLES]


def _write(
    folder: Path, snapshots_dir: Path, snapshot_digest: str, judgement: Judgement, config: ValidationConfig
) -> DatasetReport:
    """Write the rows in a second pass over the snapshot, and count them as they are written."""
    tally, keys = Tally(), KeyTally()
    snapshot, batches = read_snapshot(snapshots_dir, snapshot_digest)
    accepted_path, quarantine_path = folder / ACCEPTED_FILE, folder / QUARANTINE_FILE
    start = 0
    with (
        open_writer(accepted_path, DATASET, {}) as rows,
        open_writer(quarantine_path, QUARANTINE, {}) as aside,
    ):
        for batch in batches:
            part = slice(start, start + batch.num_rows)
            good = accepted(judgement.merged(batch, start), judgement.masks[part], judgement.history[part])
            start += batch.num_rows
            broken = quarantined(batch, judgement.masks[part])
            for details in broken["details"].to_pylist():
                keys.add(details)
            rows.write_batch(good, row_group_size=GROUP_ROWS)
            aside.write_batch(broken, row_group_size=GROUP_ROWS)
            tally.add(good, broken.num_rows)
    if not tally.n_accepted + tally.n_quarantined == judgement.n_rows == snapshot.n_rows:
        raise AssertionError(
            f"rows were lost: {tally.n_accepted} accepted + {tally.n_quarantined} quarantined, {snapshot.n_rows} read"
        )
    fields: dict[str, Any] = {
        "snapshot_digest": snapshot.digest,
        "kind": snapshot.kind,
        "description": snapshot.description,
        "watermark": snapshot.watermark,
        "contract_digest": CONTRACT_DIGEST,
        "config_digest": config.digest(),
        "accepted_sha256": digest_file(accepted_path),
        "quarantine_sha256": digest_file(quarantine_path),
        "n_read": judgement.n_rows,
        "reasons": judgement.reasons(),
        "keys": keys.counts(),
        "weighing": judgement.weighing.model_dump(mode="json"),
        **tally.fields(),
    }
    return DatasetReport(digest=content_digest(fields), **fields)
