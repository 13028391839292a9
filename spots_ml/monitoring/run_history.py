"""What is asked of a run history before a model is trained again, in this package's own words.

Who keeps runs answers it: `spots_ml.defs.history.run_history` for Dagster. What follows from the answers is in
`retraining`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from spots_ml.models.declared import ModelType


@dataclass(frozen=True)
class RunUnderWay:
    """A run that trains a model now, or is about to.

    Attributes:
        run_id: In the history.
        asked_at: When it was asked for, by the asker's clock.
    """

    run_id: str
    asked_at: datetime


@dataclass(frozen=True)
class EndedRun:
    """A retraining that led to no version.

    Attributes:
        run_id: In the history.
        asked_at: When it was asked for, by the asker's clock.
        ended_at: When it ended, by the same clock.
        told: Why, in one sentence; empty when it ended without a word, such as a killed one.
    """

    run_id: str
    asked_at: datetime
    ended_at: datetime
    told: str = ""


@dataclass(frozen=True)
class ModelRuns:
    """The runs of one model that a decision to train it again depends on.

    Attributes:
        in_flight: Queued, running or about to be resumed, whoever started them.
        failed: Retrainings that broke or were cancelled: nothing is known about what they were about.
        refused: Retrainings that ended in a gate's no: an answer about their data, code and configuration.
    """

    in_flight: tuple[RunUnderWay, ...] = ()
    failed: tuple[EndedRun, ...] = ()
    refused: tuple[EndedRun, ...] = ()

    @property
    def without_version(self) -> tuple[EndedRun, ...]:
        """Failed and refused ones, in the order in which they ended."""
        return tuple(sorted((*self.failed, *self.refused), key=lambda run: run.ended_at))


class RunHistory(Protocol):
    """Knows which runs train a model now, and which led to nothing.

    A history may have a clock of its own. Its answers are in the asker's time all the same, so that they can be held
    against `now` and against the moments that the registry keeps.
    """

    def runs(self, model_type: ModelType, *, now: datetime, since: datetime | None) -> ModelRuns:
        """Look up the runs of a model.

        Args:
            model_type: Which model.
            now: The present, by the asker's clock (UTC).
            since: Of the ended ones only those that were asked for later than this; None: all of them.

        Returns:
            What is under way, and which retrainings led to no version. Of those only the ones that were asked for
            because they were due: who tries a bad setting by hand must not delay the next retraining.
        """
        ...


@dataclass(frozen=True)
class NoRunHistory:
    """Where no runs are kept: none is under way, and none ever failed."""

    def runs(self, model_type: ModelType, *, now: datetime, since: datetime | None) -> ModelRuns:
        """Know of no runs.

        Args:
            model_type: Any.
            now: Any.
            since: Any.

        Returns:
            Nothing.
        """
        return ModelRuns()
