"""What is asked of a run history before a model is trained again, in this package's own words.

Who keeps runs answers it: `spots_ml.defs.history.run_history` for Dagster. What follows from the answers is in
`retraining`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from spots_ml.interactions.kinds import StoreKind
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
    """A retraining that failed.

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
        failed: Retrainings on the store asked about that broke or were cancelled since the last success there, in the
            order in which they ended. What ended in a gate's no is none of them: that is an answer (`refusals`).
    """

    in_flight: tuple[RunUnderWay, ...] = ()
    failed: tuple[EndedRun, ...] = ()


class RunHistory(Protocol):
    """Knows which runs train a model now, and which failed.

    A history may have a clock of its own. Its answers are in the asker's time all the same, so that they can be held
    against `now` and against the moments that the registry keeps.
    """

    @property
    def name(self) -> str:
        """Which history this is, the same for all who look into it; at most 256 characters."""
        ...

    def runs(self, model_type: ModelType, *, store: StoreKind, now: datetime, since: datetime | None) -> ModelRuns:
        """Look up the runs of a model.

        Args:
            model_type: Which model.
            store: The store whose failures are asked about. Runs under way are told whichever store they are about:
                they work in the same places.
            now: The present, by the asker's clock (UTC).
            since: Of the ended ones only those that were asked for later than this; None: all of them.

        Returns:
            What is under way, and which retrainings failed since the last success of the model on that store. Of those
            only the ones that were asked for because they were due: who tries a bad setting by hand must not delay the
            next retraining.
        """
        ...


@dataclass(frozen=True)
class NoRunHistory:
    """Where no runs are kept: none is under way, and none ever failed."""

    @property
    def name(self) -> str:
        """No history has this name."""
        return ""

    def runs(self, model_type: ModelType, *, store: StoreKind, now: datetime, since: datetime | None) -> ModelRuns:
        """Know of no runs.

        Args:
            model_type: Any.
            store: Any.
            now: Any.
            since: Any.

        Returns:
            Nothing.
        """
        return ModelRuns()
