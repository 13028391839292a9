"""What every predictor makes of the same test rows, with intervals over agents, and whether the network may ship.

The numbers themselves are defined in `metrics`, their intervals in `estimates`, the other predictors in `baselines`.
"""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.estimates.agents import Agents, Resampling
from spots_ml.estimates.estimate import Estimate
from spots_ml.estimates.statistic import Difference, Statistic, estimate_all
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import Rival
from spots_ml.training.config import TrainingConfig
from spots_ml.training.metrics import quality
from spots_ml.training.shipped import ERROR, ShippedDecision, hybrid_name, measure_decisions, shipped_by
from spots_ml.training.slices import SliceFound, measure_slices, worse_slices
from spots_ml.verdicts import Verdict

GATE: Final = "beats_baselines"
NETWORK: Final = "network"


class Evaluation(BaseModel):
    """Every predictor on the same test rows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model_type: ModelType
    n_rows: int = Field(ge=1, description="Test rows.")
    n_agents: int = Field(ge=1, description="Agents among them: the unit that is resampled.")
    n_resamples: int = Field(ge=1, description="Bootstrap resamples.")
    predictors: dict[str, dict[str, Estimate]] = Field(description="Estimates by predictor and name of the number.")
    leads: dict[str, Estimate] = Field(
        default={},
        exclude_if=lambda leads: not leads,
        description="By predictor, how far the network's headline number is better than its; agents are paired.",
    )
    shipped: dict[str, ShippedDecision] = Field(
        default={},
        exclude_if=lambda shipped: not shipped,
        description="The decisions that ship with this model, and the formula's, by what decides; absent from older "
        "documents and from models that have no part in the decision.",
    )
    slices: dict[str, SliceFound] = Field(
        default={},
        exclude_if=lambda slices: not slices,
        description="Network and app's formula on each declared slice of the test rows; absent from older documents.",
    )

    def value(self, predictor: str, metric: str) -> float:
        """Look one number up.

        Args:
            predictor: Such as `network` or `formula`.
            metric: Such as `mse`.

        Returns:
            The number; NaN when it is not there or undefined.
        """
        estimate = self.predictors.get(predictor, {}).get(metric)
        return math.nan if estimate is None or estimate.value is None else estimate.value

    def headlines(self) -> dict[str, float]:
        """Pick what a table of versions shows.

        Returns:
            The network's numbers that stand alone by name, and the headline number in any case; each other predictor's
            headline number as `<number>_<predictor>`; of each decision that ships its error and the share that it
            calls, as `mse_hybrid_at_0.1`.
        """
        metric = model_spec(self.model_type).headline.metric
        own = {
            name: self.value(NETWORK, name)
            for name, found in self.predictors[NETWORK].items()
            if name == metric or found.stands_alone
        }
        others = {f"{metric}_{name}": self.value(name, metric) for name in self.predictors if name != NETWORK}
        hybrids = {hybrid_name(weight) for weight in model_spec(self.model_type).shipped_weights}
        shipped = {
            f"{number}_{name}": one.numbers[number].value
            for name, one in self.shipped.items()
            for number in (("called_share", ERROR) if name in hybrids else ("called_share",))
        }
        found = {**own, **others, **shipped}
        return {name: value for name, value in found.items() if value is not None and math.isfinite(value)}


def evaluate(
    model_type: ModelType,
    rows: LabelledRows,
    predictions: Mapping[str, np.ndarray],
    *,
    formula: np.ndarray,
    prevalence: float,
    n_resamples: int,
    seed: int,
) -> Evaluation:
    """Measure predictors on test rows.

    Args:
        model_type: Decides which numbers are taken.
        rows: The test rows, at least one.
        predictions: `(n_rows,)` in [0, 1] by predictor.
        formula: `(n_rows,)` in [0, 1], the calling score of the app's formula.
        prevalence: Mean target of the training rows.
        n_resamples: How many times agents are drawn.
        seed: Of the resampling; the same for all predictors, whose numbers so stay comparable.

    Returns:
        The estimates.
    """
    agents, target, headline = Agents.of(rows.agent), rows.target(model_type), model_spec(model_type).headline
    resampling = Resampling((seed, 3), n_resamples)
    estimates: dict[str, dict[str, Estimate]] = {}
    headlines: dict[str, Statistic] = {}
    for name, prediction in predictions.items():
        found = quality(
            model_type,
            agents,
            prediction,
            target=target,
            positive=rows.positive,
            formula=formula,
            prevalence=prevalence,
        )
        headlines[name] = found[headline.metric]
        estimates[name] = estimate_all(found, resampling)
    own = headlines.pop(NETWORK)
    leads = {
        name: Difference(other, own) if headline.smaller_is_better else Difference(own, other)
        for name, other in headlines.items()
    }
    return Evaluation(
        model_type=model_type,
        n_rows=rows.n_rows,
        n_agents=agents.n,
        n_resamples=n_resamples,
        predictors=estimates,
        leads=estimate_all(leads, resampling),
        shipped=measure_decisions(rows, shipped_by(model_type, predictions[NETWORK], formula), resampling),
        slices=measure_slices(
            model_type,
            rows,
            predictions[NETWORK],
            predictions[Rival.FORMULA],
            formula=formula,
            prevalence=prevalence,
            resampling=resampling,
        )
        if Rival.FORMULA in predictions
        else {},
    )


def judge_network(evaluation: Evaluation, config: TrainingConfig) -> Verdict:
    """Decide whether the network is worth shipping.

    Its headline number, where that is an error, must be below `1 - required_gain` times that of each rival to beat
    (labels without any meaning let a well-calibrated network win by a hair half of the time), and at most
    `1 + tolerated_excess` times that of each rival to come near. Where more is better, which holds for numbers from 0
    up only, it must be above `1 + required_gain` times and at least `1 - tolerated_excess` times. A number that was not
    measured is a no. Nor may it be worse than the formula, beyond doubt and by more than `tolerated_excess`, on a slice
    with enough agents.

    Args:
        evaluation: Of the network and all of these.
        config: Holds the margins.

    Returns:
        The verdict `beats_baselines`; the message has every comparison.
    """
    model_type = evaluation.model_type
    spec = model_spec(model_type)
    metric, sign = spec.headline.metric, 1.0 if spec.headline.smaller_is_better else -1.0
    values = {name: evaluation.value(name, metric) for name in (NETWORK, *spec.must_beat, *spec.must_come_near)}
    own = values[NETWORK]
    limits: dict[str, float] = {name: values[name] * (1.0 - sign * config.required_gain) for name in spec.must_beat}
    limits |= {name: values[name] * (1.0 + sign * config.tolerated_excess) for name in spec.must_come_near}
    failed = [name for name in limits if not _passes(sign * own, sign * limits[name], name in spec.must_beat)]
    comparisons = ", ".join(f"{name} {values[name]:.5f}" + (" (fails)" if name in failed else "") for name in limits)
    ahead, behind, near = ("below", "above", "at most") if sign > 0 else ("above", "below", "at least")
    worse = worse_slices(evaluation.slices, tolerated_excess=config.tolerated_excess)
    measured = {f"{metric}_{name}": value for name, value in _finite(values)}
    required = {f"{metric}_limit_{name}": value for name, value in _finite(limits)}
    if evaluation.slices:
        measured["n_slices_worse"], required["n_slices_worse"] = float(len(worse)), 0.0
    return Verdict(
        gate=GATE,
        passed=not failed and not worse,
        measured=measured,
        required=required,
        message=(
            f"{model_type} test {metric} {own:.5f} against {comparisons}; must be more than "
            f"{config.required_gain:.1%} {ahead} {' and '.join(spec.must_beat)}, "
            f"and {near} {config.tolerated_excess:.1%} {behind} the others"
            + (f"; worse than the formula beyond doubt on {', '.join(worse)} (fails)" if worse else "")
        ),
    )


def _passes(own: float, limit: float, strictly: bool) -> bool:
    return own < limit if strictly else own <= limit


def _finite(values: Mapping[str, float]) -> list[tuple[str, float]]:
    return [(name, value) for name, value in values.items() if math.isfinite(value)]
