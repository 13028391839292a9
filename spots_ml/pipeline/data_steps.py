"""The first two steps of the chain: a snapshot of what a source holds, and the dataset that may be learned from.

What each kind of source needs is in `Sources`; which one is read is an argument. What a row must be is decided in
`interactions.judging`, whether the rows are fit to learn from in `interactions.learning.fitness`.
"""

import contextlib
import dataclasses
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from spots_ml.digests import digest_file
from spots_ml.errors import ArtifactError, ConfigError, InsufficientDataError, ValidationFailedError
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.keeping.interaction_store import InteractionReader
from spots_ml.interactions.keeping.snapshot import (
    INTERACTIONS_FILE,
    Snapshot,
    describe_snapshot,
    read_snapshot,
    write_snapshot,
)
from spots_ml.interactions.keeping.store_source import read_store
from spots_ml.interactions.kinds import Source, StoreKind
from spots_ml.interactions.learning.expectations import ExpectationResult
from spots_ml.interactions.learning.fitness import (
    SufficiencyConfig,
    judge_dataset,
    judge_expectations,
    judge_labels,
    keep_verdict,
    read_verdict,
)
from spots_ml.interactions.learning.report import DatasetReport
from spots_ml.interactions.learning.validation import build_dataset, retell_dataset
from spots_ml.interactions.source import InteractionStream
from spots_ml.pipeline.made import Entry
from spots_ml.places import Places
from spots_ml.verdicts import Verdict


@dataclass(frozen=True)
class Sources:
    """What every source of interactions needs to be read.

    Attributes:
        store_kind: Which store is configured; no other can be a source.
        open_interactions: Opens its interactions; called only when it is the source.
        export_path: The export to read; None: there is none.
        synthetic_rows: Rows of the generator.
        synthetic_seed: Its seed.
    """

    store_kind: StoreKind
    open_interactions: Callable[[], InteractionReader]
    export_path: Path | None = None
    synthetic_rows: int = 10_000
    synthetic_seed: int = 42

    def content(self, source: Source) -> dict[str, Any] | None:
        """Identify what a source that is no store holds, without reading its interactions.

        Args:
            source: Which one.

        Returns:
            What decides its interactions; None for a store, and for an export that is not there.
        """
        if source == "synthetic":
            return {"source": source, "rows": self.synthetic_rows, "seed": self.synthetic_seed}
        if source != "export" or self.export_path is None or not self.export_path.is_file():
            return None
        return {"source": source, "name": self.export_path.name, "sha256": digest_file(self.export_path)}

    def arrived(self, source: Source) -> dict[str, Any]:
        """Say how far the arrival in a store has come; for any other source that there is nothing.

        Args:
            source: Which one.

        Returns:
            What tells one reading from the next.
        """
        if source != self.store_kind:
            return {"source": source}
        return {"source": source, "watermark": self.open_interactions().label_watermark()}

    def open(self, source: Source) -> InteractionStream:
        """Open a source.

        Args:
            source: Which one.

        Returns:
            The interactions, read as they are asked for.

        Raises:
            ConfigError: When the export's path is not set, or the source is a store that is not configured.
            InputError: When the source cannot be read as what it claims to be.
        """
        if source == "synthetic":
            from spots_ml.interactions.generators.seed_law import SeedLaw

            return SeedLaw().generate(self.synthetic_rows, seed=self.synthetic_seed)
        if source == "export":
            from spots_ml.interactions.reading.export import read_export

            if self.export_path is None:
                raise ConfigError("SPOTS_ML_EXPORT_PATH is not set; set it to the export file (JSON or JSON.gz)")
            return read_export(self.export_path)
        if source != self.store_kind:
            raise ConfigError(
                f"the source {source!r} is not the store that is configured ({self.store_kind!r}); "
                f"set SPOTS_ML_STORE={source}, or choose the source {self.store_kind!r}"
            )
        return read_store(self.open_interactions())


@dataclass(frozen=True)
class SnapshotTaken:
    """What came of reading a source.

    Attributes:
        source: Which source was read.
        snapshot: What it held.
        path: The Parquet file.
        made_already: Whether it was found, not read now.
    """

    source: Source
    snapshot: Snapshot
    path: Path
    made_already: bool = False

    @property
    def digest(self) -> str:
        """Identity of the rows."""
        return self.snapshot.digest


def known_snapshot(places: Places, source: Source, sources: Sources) -> str | None:
    """Tell which snapshot holds what a source that is no store holds now.

    Args:
        places: Where snapshots are kept.
        source: Which source.
        sources: What the sources need.

    Returns:
        Its digest; None for a store, and when the source was never read as it is now.
    """
    content = sources.content(source)
    made = Entry(places, "raw_training_data", content).read() if content is not None else None
    return None if made is None else str(made["digest"])


def take_snapshot(places: Places, source: Source, sources: Sources, *, anew: bool = False) -> SnapshotTaken:
    """Read a source to its end into a snapshot; who reads the same elsewhere is waited for, and its snapshot is used.

    Args:
        places: Where it is kept.
        source: Which source.
        sources: What the sources need.
        anew: Read although the same was read already.

    Returns:
        The snapshot; the same rows of the same kind give the same digest.

    Raises:
        ConfigError: When the source is not configured.
        InputError: When it cannot be read as what it claims to be; nothing is kept then.
    """
    content = sources.content(source)
    entry = Entry(places, "raw_training_data", content or sources.arrived(source))
    before = entry.latest()
    with entry.alone():
        # What a source that is no store holds is known by its content. A store is read again, but for what somebody
        # else has read while this one waited: a mark of arrival alone does not say that it is the same store.
        is_known = content is not None or entry.latest() != before
        load = partial(_known_snapshot, places)
        found = entry.find(load) if is_known and not anew else None
        snapshot = found or write_snapshot(sources.open(source), places.snapshots_dir)
        if found is None and content == sources.content(source):
            entry.note({"digest": snapshot.digest})
    path = places.snapshots_dir / snapshot.digest / INTERACTIONS_FILE
    return SnapshotTaken(source, snapshot, path, made_already=found is not None)


def _known_snapshot(places: Places, made: dict[str, Any]) -> Snapshot:
    return read_snapshot(places.snapshots_dir, str(made["digest"]))[0]


class Expectations(Protocol):
    """Holds the accepted rows of one dataset against their expectations, beside other work."""

    def submit(self, datasets_dir: Path, digest: str, *, docs_dir: Path) -> None:
        """Hand over a dataset, and where its pages go; returns at once."""
        ...

    def results(self) -> list[ExpectationResult]:
        """Wait for what was found.

        Raises:
            ValidationFailedError: When the expectations could not be evaluated.
        """
        ...

    def close(self) -> None:
        """Give up whatever still runs."""
        ...


@dataclass(frozen=True)
class DatasetBuilt:
    """What came of validating a snapshot, whichever way the gates went.

    Attributes:
        report: What the dataset holds.
        path: Its folder.
        labels: Verdict of the gate `enough_labels`.
        expectations: Verdict of the gate `expectations`; None: not evaluated, because there are too few labels.
        results: What each expectation found.
        made_already: Whether it was found, not made now.
    """

    report: DatasetReport
    path: Path
    labels: Verdict
    expectations: Verdict | None
    results: tuple[ExpectationResult, ...]
    made_already: bool = False

    @property
    def digest(self) -> str:
        """Identity of the dataset."""
        return self.report.digest

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Of the gates that were asked."""
        return (self.labels,) if self.expectations is None else (self.labels, self.expectations)

    def require_fit(self) -> None:
        """Insist on a dataset that may be learned from.

        Raises:
            InsufficientDataError: When there are too few labels; everything that is missing is listed.
            ValidationFailedError: When an expectation does not hold, or none was evaluated.
        """
        if not self.labels.passed:
            raise InsufficientDataError(self.labels.message)
        if self.expectations is None or not self.expectations.passed:
            raise ValidationFailedError(
                self.expectations.message if self.expectations else "the expectations were not evaluated"
            )


def make_dataset(
    places: Places,
    snapshot_digest: str,
    *,
    now: datetime,
    validation: ValidationConfig,
    sufficiency: SufficiencyConfig | None = None,
    expectations: Expectations | None = None,
    meanwhile: Callable[[], object] = lambda: None,
    anew: bool = False,
) -> DatasetBuilt:
    """Validate a snapshot and judge whether it is fit to learn from.

    Who makes the same elsewhere is waited for. A fit dataset that was made of the same is used, unless a row lay in the
    future then, which is not said for ever.

    Args:
        places: Where the snapshot lies, and where dataset and Data Docs are kept.
        snapshot_digest: Which snapshot.
        now: The present, with a time zone: nothing may have happened later.
        validation: How strictly rows are judged.
        sufficiency: How many labels are enough; the defaults when absent.
        expectations: Looks at the accepted rows once there are enough; None: Great Expectations in a process of its
            own. Closed at the end.
        meanwhile: Called once while they are looked at, which takes seconds.
        anew: Make it although the same was made already.

    Returns:
        The dataset and its verdicts. Only a fit one gets the verdict `valid_dataset` beside it, without which the
        registry accepts nothing that was made from it.

    Raises:
        ValidationFailedError: When too many rows are broken, or the expectations could not be evaluated.
        ArtifactError: When the snapshot is missing or damaged.
    """
    sufficiency = sufficiency or SufficiencyConfig()
    inputs = {
        "snapshot": snapshot_digest,
        "validation": validation.digest(),
        "sufficiency": sufficiency.model_dump(mode="json"),
    }
    entry = Entry(places, "validated_dataset", inputs)
    with contextlib.ExitStack() as opened, entry.alone():
        if expectations is not None:
            opened.enter_context(contextlib.closing(expectations))
        found = None if anew else entry.find(partial(_known_dataset, places, snapshot_digest, now))
        if found is not None:
            report, results = found
            labels, judged = judge_labels(report, sufficiency), judge_expectations(results)
            return DatasetBuilt(report, places.datasets_dir / report.digest, labels, judged, results, made_already=True)
        report = build_dataset(places.snapshots_dir, snapshot_digest, places.datasets_dir, config=validation, now=now)
        path, labels = places.datasets_dir / report.digest, judge_labels(report, sufficiency)
        if not labels.passed:
            return DatasetBuilt(report, path, labels, None, ())
        looking = expectations or opened.enter_context(contextlib.closing(_great_expectations()))
        docs = places.data_docs_dir / report.digest
        looking.submit(places.datasets_dir, report.digest, docs_dir=docs)
        meanwhile()
        results = tuple(looking.results())
        judged = judge_expectations(results)
        if judged.passed:
            verdict = judge_dataset(report, results, validation=validation, sufficiency=sufficiency)
            keep_verdict(places.datasets_dir, report.digest, verdict)
            if "timestamp_in_future" not in report.reasons:
                entry.note(
                    {
                        "digest": report.digest,
                        "at": now.isoformat(),
                        "docs": docs.is_dir(),
                        "results": [dataclasses.asdict(result) for result in results],
                    }
                )
    return DatasetBuilt(report, path, labels, judged, results)


def _known_dataset(
    places: Places, snapshot_digest: str, now: datetime, made: dict[str, Any]
) -> tuple[DatasetReport, tuple[ExpectationResult, ...]]:
    """Load a dataset that was made of the same, and tell it of the latest reading of its snapshot."""
    digest = str(made["digest"])
    verdict = read_verdict(places.datasets_dir, digest)
    whole = verdict.passed and (not made["docs"] or (places.data_docs_dir / digest).is_dir())
    if not whole or now < datetime.fromisoformat(made["at"]):
        raise ArtifactError(f"the dataset {digest} cannot be used as it is; it is made again")
    snapshot = describe_snapshot(places.snapshots_dir, snapshot_digest)
    report = retell_dataset(places.datasets_dir, digest, snapshot)
    return report, tuple(ExpectationResult(**{**one, "sample": tuple(one["sample"])}) for one in made["results"])


def import_training() -> None:
    """Import what the steps after the dataset need, which takes seconds; meant for `meanwhile`."""
    for name in (
        "spots_ml.training.model",
        "sklearn.ensemble",
        "sklearn.linear_model",
        "torch._dynamo",  # the first step of any optimiser imports it
    ):
        importlib.import_module(name)


def _great_expectations() -> Expectations:
    from spots_ml.interactions.learning.expectations_process import ExpectationsProcess

    return ExpectationsProcess()
