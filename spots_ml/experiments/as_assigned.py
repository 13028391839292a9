"""What the log says of the assignment of each decision, held against what the agent's hash says.

Versions are told by every route; which rollouts drew an agent, in which stage, and which of them treated it, where the
route tells it. What is not told contradicts nothing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.experiments.rollout import Rollout
from spots_ml.interactions.columns import floats
from spots_ml.models.declared import model_in
from spots_ml.models.spec import Role
from spots_ml.scoring.arms import BETWEEN_NAMES

_UNTOLD: Final = -1
_NO_STAGE: Final = 0
"""What is told where the stages are not one digit for each rollout: nobody is to be stopped by what a phone says."""
_ROUNDING: Final = 1e-6


@dataclass(frozen=True)
class ToldAssignment:
    """What is told of `n` decisions.

    Attributes:
        as_treated: `(n,)` bool: it was decided as it is for the treated.
        as_control: `(n,)` bool: it was decided as it is for the others. A decision may be neither.
        stage: `(n,)` int16, the stage of the rollout that is told; -1 where none is.
    """

    as_treated: np.ndarray
    as_control: np.ndarray
    stage: np.ndarray

    def take(self, rows: np.ndarray) -> "ToldAssignment":
        """Select rows.

        Args:
            rows: `(k,)` positions.

        Returns:
            What is told of these.
        """
        return ToldAssignment(self.as_treated[rows], self.as_control[rows], self.stage[rows])

    def otherwise(self, treated: np.ndarray, stage: int) -> np.ndarray:
        """Tell which decisions were not made as the agents were assigned.

        An earlier stage is told by a manifest from before the stage began, and what was decided by it says whether that
        was as assigned; a later one, or none that is any, contradicts.

        Args:
            treated: `(n,)` bool, by the hash.
            stage: The stage in which they were made.

        Returns:
            `(n,)` bool.
        """
        as_assigned = np.where(treated, self.as_treated, self.as_control)
        found: np.ndarray = ~as_assigned | (self.stage == _NO_STAGE) | (self.stage > stage)
        return found


def told_assignment(decided: pa.Table, rollout: Rollout) -> ToldAssignment:
    """Read what decisions tell of their assignment.

    Args:
        decided: `n` rows of schema `decided.DECIDED`.
        rollout: Whose assignment.

    Returns:
        What they tell.
    """
    asked = decided["version" if rollout.model_type == model_in(Role.NEURAL_SCORE).name else "outcome_version"]
    as_treated, as_control = _same(asked, rollout.version), _same(asked, rollout.champion)
    if rollout.kind == "weight":
        # A phone blends with the weight of the arm as it stands in its manifest, the service tells the arm.
        at_weight = np.abs(floats(decided["weight"].combine_chunks()) - rollout.weight) <= _ROUNDING
        tells = truths(pc.and_(decided["by_phone"], pc.is_valid(decided["neural_score"])))
        as_treated, as_control = as_treated & (at_weight | ~tells), as_control & ~(at_weight & tells)
    stage, drawn = _drawn(decided, rollout.name)
    return ToldAssignment(as_treated & (drawn != 0), as_control & (drawn != 1), stage)


def _drawn(decided: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the stage of a rollout, and whether it treated (1) or not (0), of the few ways in which that is told."""
    columns = [decided[column].combine_chunks().dictionary_encode() for column in ("arm", "experiment", "stage")]
    codes = [column.indices.fill_null(_UNTOLD).to_numpy(zero_copy_only=False) + 1 for column in columns]
    sizes = [len(column.dictionary) + 1 for column in columns]
    ways, way = np.unique(np.ravel_multi_index(tuple(codes), sizes), return_inverse=True)
    texts = [[None, *column.dictionary.to_pylist()] for column in columns]
    stage, drawn = np.full((2, len(ways)), _UNTOLD, np.int16)
    for number, places in enumerate(zip(*np.unravel_index(ways, sizes), strict=True)):
        arm, experiment, digits = (told[place] for told, place in zip(texts, places, strict=True))
        stage[number], drawn[number] = _told(arm, experiment, digits, name)
    return stage[way], drawn[way]


def _told(arm: str | None, experiment: str | None, stage: int | None, name: str) -> tuple[int, int]:
    names = experiment.split(BETWEEN_NAMES) if experiment else []
    if name not in names:
        return _UNTOLD, _UNTOLD
    digits = str(stage) if stage is not None else ""
    told = int(digits[names.index(name)]) if len(digits) == len(names) and digits.isdecimal() else _NO_STAGE
    return told, _UNTOLD if arm is None else int(name in arm.split(BETWEEN_NAMES))


def _same(asked: pa.ChunkedArray, version: str | None) -> np.ndarray:
    return truths(pc.is_null(asked) if version is None else pc.equal(asked, version))


def truths(column: pa.ChunkedArray) -> np.ndarray:
    """Take truth values out of Arrow.

    Args:
        column: Truth values, possibly null.

    Returns:
        `(n_rows,)` bool, false where null.
    """
    values: np.ndarray = column.fill_null(False).to_numpy(zero_copy_only=False)
    return values
