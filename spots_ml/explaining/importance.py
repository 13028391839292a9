"""How much worse a model gets when it is told something untrue: permutation importance of groups and single inputs.

Breiman (2001), "Random forests", as in Fisher, Rudin & Dominici (2019), "All models are wrong, but many are useful":
the increase of the squared error on the test rows when a row gets the values of another agent's row. Why a group of raw
inputs takes its derived inputs along, how the intervals come about and what the noise floor is:
`docs/decisions/explanations.md`. How the document is kept is in `importance_files`.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.estimates.estimate import Estimate, kept
from spots_ml.explaining.exchange import Change, Exchange, squared_error
from spots_ml.explaining.shapley import Predict
from spots_ml.features.contract import FEATURES, MATCH_FEATURES, RAW_FEATURES, UNKNOWN_VALUE
from spots_ml.features.derived import derive
from spots_ml.features.input_groups import AGENT_GROUP, OPPORTUNITY_GROUP, input_groups
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.interactions.learning.splits import TEST, TRAIN, VALIDATION
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import Calibration
from spots_ml.training.fit import Epoch, fit
from spots_ml.training.metrics import SQUARED_ERROR
from spots_ml.training.model import calibrate
from spots_ml.training.trained_model import TrainedModel, predict

PROBE: Final = "noise probe"
N_REPEATS: Final = 10
_RECOMPUTED: Final = {AGENT_GROUP: MATCH_FEATURES, OPPORTUNITY_GROUP: MATCH_FEATURES}
"""Groups of raw inputs -> inputs outside of the group that are functions of them."""


class Importance(BaseModel):
    """Increase of the test error when some inputs come from another agent's row."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(description="A group of inputs, or one input.")
    value: float = Field(description="Mean increase of the squared error; about 0 for what does not matter.")
    low: float | None = Field(
        description="Lower end of the 95 % interval over agents and permutations; null: few agents, or no variation."
    )
    high: float | None = Field(description="Upper end.")
    above_noise: bool = Field(description="Whether the whole interval lies above the floor; not without an interval.")
    recomputed: tuple[str, ...] = Field(default=(), description="Derived inputs that were computed anew from the rest.")


class FeatureImportance(BaseModel):
    """Importance of all groups and inputs of one trained model, with the floor below which there is only noise."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    schema_version: int = Field(default=1, ge=1, le=1, description="Layout of this document.")
    model_type: ModelType
    trained_digest: str
    dataset_digest: str
    metric: str = Field(description="The squared error that increases: `mse` or `brier`.")
    error: float = Field(description="That error of the model on the test rows as they are.")
    n_rows: int = Field(ge=1, description="Test rows.")
    n_agents: int = Field(ge=2, description="Agents among them: the unit that is resampled.")
    n_repeats: int = Field(ge=1, description="Permutations.")
    n_resamples: int = Field(ge=1, description="Bootstrap resamples of agents and permutations.")
    seed: int = Field(ge=0, description="Of the permutations, the resamples and the probe.")
    probe: Importance = Field(description="The input of pure noise, in a network trained with it by the same recipe.")
    probe_error: float = Field(description="That network's test error.")
    floor: float | None = Field(
        ge=0.0, description="Upper end of the probe's interval, at least 0; null, and nothing is above it, without one."
    )
    groups: tuple[Importance, ...] = Field(description="Each group permuted as one, in contract order.")
    inputs: tuple[Importance, ...] = Field(description="Each input permuted alone, all others kept; contract order.")

    @property
    def message(self) -> str:
        """The result in a sentence."""
        above = sorted((one for one in self.groups if one.above_noise), key=lambda one: -one.value)
        below = [one.name for one in self.groups if not one.above_noise]
        told_below = f"; not above noise: {', '.join(below)}" if below else ""
        n_inputs = sum(one.above_noise for one in self.inputs)
        return (
            f"{self.model_type}, increase of test {self.metric} {self.error:.4f}: "
            f"{', '.join(f'{one.name} +{one.value:.4f}' for one in above) or 'no group'} above noise"
            f"{told_below}; "
            f"{n_inputs} of {len(self.inputs)} single inputs above noise "
            f"({'no floor: too few agents' if self.floor is None else f'floor {self.floor:.5f}'})"
        )


def measure_importance(
    model: TrainedModel,
    rows: LabelledRows,
    split: np.ndarray,
    *,
    n_repeats: int = N_REPEATS,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> FeatureImportance:
    """Measure the importance of everything that a model is told; trains one more network, with a noise input, for that.

    Args:
        model: The trained model.
        rows: The labelled rows it comes from.
        split: `(n_rows,)` part of each row, as in its training.
        n_repeats: Permutations of the test rows, at least 1.
        on_epoch: Called after each epoch of the network with the probe.

    Returns:
        The importances; the same arguments give the same numbers. Seed and resamples are those of the model.

    Raises:
        InsufficientDataError: When the test rows are of fewer than two agents.
    """
    model_type, seed = model.model_type, model.seed
    test = rows.take(split == TEST)
    inputs, target = test.inputs(model_type), test.target(model_type).astype(np.float64)
    exchange = Exchange(test.agent, n_repeats=n_repeats, n_resamples=model.document.config.n_resamples, seed=seed)

    noise = np.random.default_rng([seed, 7]).random((rows.n_rows, 1), dtype=np.float32)
    probed = _predict_with_probe(model, rows, split, noise, on_epoch)
    with_noise = np.concatenate([inputs, noise[split == TEST]], axis=1)
    probe_increase = exchange.increases(probed, with_noise, target, lambda donors: {-1: with_noise[donors, -1]})
    (probe,) = exchange.estimate(probe_increase[None])
    floor = None if probe.high is None else max(0.0, probe.high)

    names = model_spec(model_type).inputs
    groups = input_groups(names)
    changes = [_group_change(test, inputs, group, indices) for group, indices in groups.items()]
    changes += [_input_change(inputs, index) for index in range(len(names))]
    increases = np.stack([exchange.increases(model.predict, inputs, target, change) for change in changes])
    found = [
        _importance(name, estimate, floor)
        for name, estimate in zip([*groups, *names], exchange.estimate(increases), strict=True)
    ]
    return FeatureImportance(
        model_type=model_type,
        trained_digest=model.digest,
        dataset_digest=model.document.dataset_digest,
        metric=SQUARED_ERROR[model_spec(model_type).unit],
        error=kept(squared_error(model.predict, inputs, target).mean()),
        n_rows=test.n_rows,
        n_agents=exchange.n_agents,
        n_repeats=n_repeats,
        n_resamples=exchange.n_resamples,
        seed=seed,
        probe=_importance(PROBE, probe, None),
        probe_error=kept(squared_error(probed, with_noise, target).mean()),
        floor=floor,
        groups=tuple(found[: len(groups)]),
        inputs=tuple(found[len(groups) :]),
    )


def _importance(name: str, estimate: Estimate, floor: float | None) -> Importance:
    assert estimate.value is not None, "an increase over pairs of rows is defined"
    return Importance(
        name=name,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        above_noise=estimate.low is not None and floor is not None and estimate.low > floor,
        recomputed=_RECOMPUTED.get(name, ()),
    )


def _predict_with_probe(
    model: TrainedModel,
    rows: LabelledRows,
    split: np.ndarray,
    noise: np.ndarray,
    on_epoch: Callable[[Epoch], None] | None,
) -> Predict:
    """Train as the model was trained, with one more input."""
    inputs = np.concatenate([rows.inputs(model.model_type), noise], axis=1)
    target = rows.target(model.model_type)
    train, validation = ((inputs[split == part], target[split == part]) for part in (TRAIN, VALIDATION))
    network = fit(
        train,
        validation,
        model.document.config,
        model_type=model.model_type,
        seed=model.seed,
        n_extra_inputs=1,
        on_epoch=on_epoch,
    ).network
    if model_spec(model.model_type).calibration is Calibration.PLATT:
        calibrate(network, validation[0], validation[1] > 0.5)
    return lambda asked: predict(network, asked)


def _group_change(test: LabelledRows, inputs: np.ndarray, group: str, indices: tuple[int, ...]) -> Change:
    recomputed = _RECOMPUTED.get(group, ())
    raw = np.where(test.unknown, np.nan, test.features)[:, [FEATURES.index(name) for name in RAW_FEATURES]]
    exchanged = [column for column, name in enumerate(RAW_FEATURES) if FEATURES.index(name) in indices]

    def change(donors: np.ndarray) -> dict[int, np.ndarray]:
        values = {index: inputs[donors, index] for index in indices}
        if recomputed:
            mixed = raw.copy()
            mixed[:, exchanged] = raw[donors][:, exchanged]
            derived = np.nan_to_num(derive(mixed), nan=UNKNOWN_VALUE)
            values |= {FEATURES.index(name): derived[:, FEATURES.index(name)] for name in recomputed}
        return values

    return change


def _input_change(inputs: np.ndarray, index: int) -> Change:
    return lambda donors: {index: inputs[donors, index]}
