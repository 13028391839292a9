"""Why the steps of a run ended badly, read from its events: one sentence each, and whether a gate said no."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import dagster as dg

from spots_ml.defs.failures import ERROR_KEY
from spots_ml.errors import RefusalError

EVENTS: Final = {dg.DagsterEventType.ASSET_CHECK_EVALUATION, dg.DagsterEventType.STEP_FAILURE}
"""The events that tell of problems; a history needs to be asked for no others."""

_REFUSALS: Final = frozenset(error.__name__ for error in RefusalError.__subclasses__())


@dataclass(frozen=True)
class Problem:
    """What stopped a step.

    Attributes:
        step: The asset, such as `calling_score/trained_model`.
        sentence: What was found, what was expected and what to do.
        refused: Whether a gate said no: an answer about the inputs, nothing broke.
    """

    step: str
    sentence: str
    refused: bool

    def __str__(self) -> str:
        """Write it in one line."""
        return f"{self.step}: {self.sentence}"


def problems(events: Iterable[dg.DagsterEvent]) -> tuple[Problem, ...]:
    """Find what stopped the steps of a run.

    Args:
        events: The run's events in their order; those of other types than `EVENTS` say nothing here.

    Returns:
        Failed checks that stop what follows, then failed steps, each sentence once; empty when nothing was stopped,
        or when the run was killed.
    """
    checks, steps = [], []
    for event in events:
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            checks.append(_of_check(event))
        elif event.is_step_failure:
            steps.append(_of_step(event))
    found = {str(problem): problem for problem in (*checks, *steps) if problem is not None}
    return tuple(found.values())


def was_refused(found: Iterable[Problem]) -> bool:
    """Tell whether a run ended in a gate's no, and nothing else went wrong.

    Args:
        found: Every problem of a run that failed.

    Returns:
        False also when there is none: the run was killed.
    """
    refusals = [problem.refused for problem in found]
    return bool(refusals) and all(refusals)


def _of_check(event: dg.DagsterEvent) -> Problem | None:
    check = event.asset_check_evaluation_data
    if check.passed or check.severity != dg.AssetCheckSeverity.ERROR:
        return None
    return Problem(check.asset_key.to_user_string(), check.description or f"{check.check_name} failed", refused=True)


def _of_step(event: dg.DagsterEvent) -> Problem | None:
    """None: a blocking check ended the step, and has told why."""
    failure = event.step_failure_data
    step = str(event.step_key).replace("__", "/")
    told = failure.user_failure_data
    if told is not None and told.description:
        name = told.metadata.get(ERROR_KEY)
        return Problem(step, told.description, refused=name is not None and name.value in _REFUSALS)
    if failure.error is None or "blocking asset check" in failure.error.message.lower():
        return None
    error = failure.error.cause or failure.error
    return Problem(step, error.message.strip(), refused=False)
