"""Keeps what gates refuse, from within the steps: which gate, its sentence, and what it was about.

A refusal is an answer about data, code and configuration; what follows from it is in `monitoring.refused_before`.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from spots_ml.errors import RefusalError
from spots_ml.interactions.keeping.snapshot import describe_snapshot
from spots_ml.interactions.kinds import StoreKind
from spots_ml.interactions.learning.validation import read_report
from spots_ml.models.declared import ModelType
from spots_ml.monitoring.refusals import LONGEST_SENTENCE, Recipe, RefusalLog, Refused, Step
from spots_ml.places import Places
from spots_ml.verdicts import Verdict

_UNNAMED: Final[dict[Step, str]] = {
    "validated_dataset": "broken_records",
    "trained_model": "trainable",
    "onnx_model": "certified",
    "latency_benchmark": "latency",
    "registered_version": "registry",
}
"""The gate of a step that says no by an error instead of a verdict."""


@dataclass(frozen=True)
class Subject:
    """What a step is about.

    Attributes:
        model_types: The models whose training a refusal stops.
        snapshot_digest: The interactions.
        dataset_digest: What was made of them; None: nothing yet.
        watermark: How far labels had arrived in the store; None: no store.
        recipe: With what everything up to the step is made.
    """

    model_types: Sequence[ModelType]
    snapshot_digest: str
    dataset_digest: str | None
    watermark: str | None
    recipe: Recipe


def snapshot_subject(places: Places, digest: str, model_types: Sequence[ModelType], recipe: Recipe) -> Subject:
    """Describe what the dataset's step is about.

    Args:
        places: Where snapshots lie.
        digest: The snapshot.
        model_types: The models that would learn from it.
        recipe: With what the dataset is made.

    Returns:
        The subject.

    Raises:
        ArtifactError: When the snapshot is missing or damaged.
    """
    snapshot = describe_snapshot(places.snapshots_dir, digest)
    return Subject(model_types, digest, None, snapshot.watermark, recipe)


def dataset_subject(places: Places, digest: str, model_type: ModelType, recipe: Recipe) -> Subject:
    """Describe what a step of one model is about.

    Args:
        places: Where datasets lie.
        digest: The dataset.
        model_type: Which model.
        recipe: With what everything up to the step is made.

    Returns:
        The subject.

    Raises:
        ArtifactError: When the dataset is missing or damaged.
    """
    report = read_report(places.datasets_dir, digest)
    return Subject((model_type,), report.snapshot_digest, digest, report.watermark, recipe)


@dataclass(frozen=True)
class Refusals:
    """Keeps the refusals of one run.

    Attributes:
        log: Where they are kept.
        store: The kind of store that is configured.
        run_id: Who asked.
        clock: Tells the present (UTC).
    """

    log: RefusalLog
    store: StoreKind
    run_id: str
    clock: Callable[[], datetime]

    @contextlib.contextmanager
    def of(self, step: Step, subject: Subject) -> Iterator[Callable[[Verdict], None]]:
        """Keep what a step refuses: the verdicts that it is handed and that are a no, and an error that is a refusal.

        Args:
            step: Which step.
            subject: What it is about.

        Yields:
            Takes a verdict, whichever way it went.

        Raises:
            RefusalError: What the block raised, after it was kept; where a verdict said the same, that was kept.
        """
        refused: list[Verdict] = []

        def judged(verdict: Verdict) -> None:
            if not verdict.passed:
                refused.append(verdict)
                self._keep(step, subject, verdict.gate, verdict.message)

        try:
            yield judged
        except RefusalError as error:
            if not refused:
                self._keep(step, subject, _UNNAMED[step], str(error))
            raise

    def _keep(self, step: Step, subject: Subject, gate: str, sentence: str) -> None:
        for model_type in subject.model_types:
            self.log.keep_refusal(
                Refused(
                    model_type=model_type,
                    store=self.store,
                    step=step,
                    gate=gate,
                    sentence=_plain(sentence),
                    snapshot_digest=subject.snapshot_digest,
                    dataset_digest=subject.dataset_digest,
                    watermark=subject.watermark,
                    recipe=subject.recipe,
                    run_id=self.run_id,
                ),
                now=self.clock(),
            )


def _plain(sentence: str) -> str:
    """A sentence that every store takes: no half characters, no NUL, not without end."""
    whole = sentence.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return whole if len(whole) <= LONGEST_SENTENCE else f"{whole[: LONGEST_SENTENCE - 1]}…"
