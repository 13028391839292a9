"""What the scorer takes, assembled from score requests, with the documented repair of unknown values.

There is one repair: unknown (null) becomes what the app feeds, 0.5, after the derived features were computed from what
is known; unknown history is served by a store or, without one, `NO_HISTORY`. Which requests may be scored at all is in
`requests.judging`.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from spots_ml.errors import ContractError
from spots_ml.features.contract import FEATURES, HISTORY_FEATURES, RAW_FEATURES, UNKNOWN_VALUE
from spots_ml.features.derived import derive
from spots_ml.features.history import NO_HISTORY
from spots_ml.interactions.columns import floats
from spots_ml.models.declared import model_spec
from spots_ml.scoring.arms import CHAMPION_POSITION, FORMULA_POSITION
from spots_ml.scoring.assignment import hybrid_mask


@dataclass(frozen=True)
class ScoringInputs:
    """What is known about each (agent, opportunity) pair when it is scored.

    Attributes:
        features: `(n_rows, 39)` float32 in [0, 1], contract order; unknown is 0.5 already.
        history: `(n_rows, 6)` float32 in [0, 1], as of the moment of scoring.
        hybrid: `(n_rows,)` bool, whether the agent is in the group `hybrid` (see `assignment`).
        trend_boost: In [-0.1, 0.2], a number or `(n_rows,)`.
        trajectory_potential: In [0, 1], a number or `(n_rows,)`; 0.5 when unknown.
        positive_influence: In [0, 1], a number or `(n_rows,)`; 0.5 when unknown.
        chance: `(n_rows, 2)` as `exploration.chances` draws it; needed by a scorer that explores.
        position: `(n_rows,)` int8, where the row's arm stands in the scorer's `assignment`; None: the formula or the
            champion, by the group, which is enough for a scorer without challengers.
    """

    features: np.ndarray
    history: np.ndarray
    hybrid: np.ndarray
    trend_boost: np.ndarray | float = 0.0
    trajectory_potential: np.ndarray | float = UNKNOWN_VALUE
    positive_influence: np.ndarray | float = UNKNOWN_VALUE
    chance: np.ndarray | None = None
    position: np.ndarray | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.features)

    def fed_to(self, model_type: str) -> np.ndarray:
        """Assemble what a model is fed.

        Args:
            model_type: Which model.

        Returns:
            `(n_rows, 39)` or, where the model sees the history, `(n_rows, 45)` float32 in [0, 1].
        """
        if not model_spec(model_type).sees_history:
            return self.features
        return np.concatenate([self.features, self.history], axis=1)


def scoring_inputs(
    batch: pa.RecordBatch, history: np.ndarray | None = None, position: np.ndarray | None = None
) -> ScoringInputs:
    """Assemble what the scorer takes, unknown values repaired.

    Args:
        batch: `n` rows of schema `REQUESTS` in which `requests.judging.find_request_problems` found nothing.
        history: `(n, 6)` floats in [0, 1] served by a store; counts where a request brings no value of its own. None:
            nothing was served.
        position: `(n,)` int8, where the rows' arms stand in the scorer's `assignment`; None: there is none.

    Returns:
        `n` rows. Unknown features are 0.5, unknown history `NO_HISTORY`, an unknown trend boost 0; an unknown agent is
        not in the group `hybrid`.

    Raises:
        ContractError: When `history` has another shape.

    >>> from spots_ml.requests.request_schema import REQUESTS
    >>> unknown = pa.RecordBatch.from_pylist([{"position": 0, "agent_overall_energy": 0.25}], schema=REQUESTS)
    >>> inputs = scoring_inputs(unknown)
    >>> inputs.features[0, 10:13].tolist(), inputs.history[0].tolist() == list(NO_HISTORY), bool(inputs.hybrid[0])
    ([0.5, 0.25, 0.5], True, False)
    """
    shape = (batch.num_rows, len(HISTORY_FEATURES))
    if history is not None and history.shape != shape:
        raise ContractError(f"the served history has the shape {history.shape}; expected {shape}, one row per request")
    features = derive({name: floats(batch[name]) for name in RAW_FEATURES})
    features[np.isnan(features)] = UNKNOWN_VALUE
    given = given_history(batch)
    served = np.broadcast_to(np.array(NO_HISTORY), shape) if history is None else history
    return ScoringInputs(
        features=features,
        history=np.where(np.isnan(given), served, given).astype(np.float32),
        hybrid=hybrid_mask(batch["agent_id"]) if position is None else position != FORMULA_POSITION,
        trend_boost=_or_else(batch["trend_boost"], 0.0),
        trajectory_potential=_or_else(batch["trajectory_potential"], UNKNOWN_VALUE),
        positive_influence=_or_else(batch["positive_influence"], UNKNOWN_VALUE),
        position=position,
    )


def given_history(batch: pa.RecordBatch) -> np.ndarray:
    """Take out of requests what they say about the agent's history.

    Args:
        batch: `n` rows of schema `REQUESTS`.

    Returns:
        `(n, 6)` float64, NaN where a request says nothing.
    """
    return np.stack([floats(batch[name]) for name in HISTORY_FEATURES], axis=1)


def count_unknown(batch: pa.RecordBatch) -> np.ndarray:
    """Count the repaired raw features.

    Args:
        batch: `n` rows of schema `REQUESTS`.

    Returns:
        `(n,)` int64, how many of the 34 raw features are null, 0 to 34.
    """
    unknown = np.zeros(batch.num_rows, np.int64)
    for name in RAW_FEATURES:
        if batch[name].null_count:
            unknown += batch[name].is_null().to_numpy(zero_copy_only=False)
    return unknown


def _or_else(column: pa.Array, value: float) -> np.ndarray:
    filled: np.ndarray = column.fill_null(value).to_numpy(zero_copy_only=False)
    return filled


def check_shapes(inputs: ScoringInputs, *, explores: bool, n_arms: int) -> None:
    """Check that arrays belong together.

    Args:
        inputs: What is to be scored.
        explores: Whether chances are needed.
        n_arms: How many arms there are; positions are needed from the third on.

    Raises:
        ContractError: When an array has another shape, or a row an arm that is not of its group.
    """
    n_rows = inputs.n_rows
    expected: dict[str, tuple[object, tuple[int, ...]]] = {
        "features": (inputs.features, (n_rows, len(FEATURES))),
        "history": (inputs.history, (n_rows, len(HISTORY_FEATURES))),
        "hybrid": (inputs.hybrid, (n_rows,)),
    }
    for name in ("trend_boost", "trajectory_potential", "positive_influence"):
        if isinstance(getattr(inputs, name), np.ndarray):
            expected[name] = (getattr(inputs, name), (n_rows,))
    if explores:
        expected["chance"] = (inputs.chance, (n_rows, 2))
    if inputs.position is not None or n_arms > CHAMPION_POSITION + 1:
        expected["position"] = (inputs.position, (n_rows,))
    problems = [
        f"{name} has the shape {getattr(value, 'shape', None)}, expected {shape}"
        for name, (value, shape) in expected.items()
        if getattr(value, "shape", None) != shape
    ]
    if problems:
        raise ContractError(f"rows cannot be scored: {'; '.join(problems)}")
    if inputs.position is not None and n_rows:
        within = (inputs.position >= 0) & (inputs.position < n_arms)
        wrong = np.flatnonzero(~within | ((inputs.position == FORMULA_POSITION) == inputs.hybrid))
        if len(wrong):
            row = int(wrong[0])
            raise ContractError(
                f"row {row} is assigned to arm {int(inputs.position[row])} of {n_arms} and "
                f"{'in' if inputs.hybrid[row] else 'not in'} the hybrid group; expected arm {FORMULA_POSITION} for the "
                "group formulaBased and another one for the group hybrid: see scoring.assignment"
            )


def check_unit(what: str, values: np.ndarray, names: tuple[str, ...], start: int) -> None:
    """Check that features are in [0, 1].

    Args:
        what: How they are called.
        values: `(n_rows, n_features)` floats.
        names: Of the features.
        start: Position of the first row, for the message.

    Raises:
        ContractError: When one is not.
    """
    # NaN fails both comparisons; min and max hand it through.
    if len(values) == 0 or (values.min() >= 0.0 and values.max() <= 1.0):
        return
    row, column = np.argwhere(~((values >= 0.0) & (values <= 1.0)))[0]
    raise ContractError(
        f"{names[column]} of row {start + row} is {values[row, column]}, expected a number in [0, 1] ({what}); "
        "unknown values are fed as 0.5: see scoring.inputs.scoring_inputs"
    )


def check_range(name: str, value: np.ndarray | float, low: float, high: float, start: int) -> None:
    """Check that what is fed beside the features is in its range.

    Args:
        name: How it is called.
        value: A number, or one per row.
        low: The least.
        high: The greatest.
        start: Position of the first row, for the message.

    Raises:
        ContractError: When one is not.
    """
    if not isinstance(value, np.ndarray):
        if not low <= value <= high:
            raise ContractError(f"{name} is {value}, expected a number in [{low:g}, {high:g}]")
        return
    if len(value) == 0 or (value.min() >= low and value.max() <= high):
        return
    row = int(np.flatnonzero(~((value >= low) & (value <= high)))[0])
    raise ContractError(f"{name} of row {start + row} is {value[row]}, expected a number in [{low:g}, {high:g}]")
