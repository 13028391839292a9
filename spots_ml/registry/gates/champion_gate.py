"""Whether a version is worse than the one that answers now, on the same rows: the candidate's test rows.

The champion may have learned from some of these rows, which makes it look better than it is: so a candidate is refused
too often rather than too seldom. A champion that cannot be read is no reason to take the candidate unseen.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.estimates.agents import Agents, Resampling
from spots_ml.estimates.estimate import Estimate
from spots_ml.estimates.statistic import Difference, Statistic, estimate_all
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.registry.serving import serve_model
from spots_ml.registry.version_store import ServableVersions
from spots_ml.release.onnx.predictor import UNHURRIED_S
from spots_ml.scoring.fallback import ModelUnavailableError
from spots_ml.scoring.formula import formula_score
from spots_ml.scoring.served import MissingModel, Predictor
from spots_ml.training.metrics import quality
from spots_ml.verdicts import Verdict

GATE: Final = "not_worse_than_champion"
MARGIN: Final = 0.03
"""How much worse than the champion's a headline number may be, as a share of it: what chance does to two models of one
recipe on some 1,500 rows, and no more."""


class ChampionComparison(BaseModel):
    """A version beside the one that was active when it was registered, on the same rows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    champion: str = Field(description="The version that was active.")
    metric: str = Field(description="Name of the headline number.")
    own: Estimate = Field(description="The candidate's.")
    champions: Estimate = Field(description="The champion's; it may have learned from some of these rows.")
    better_by: Estimate = Field(description="How much better the candidate's is, agents paired; below 0: worse.")
    margin: float = Field(description="How much worse it may be, as a share of the champion's.")


@dataclass(frozen=True)
class ChampionFound:
    """What came of comparing a candidate with the champion.

    Attributes:
        comparison: The numbers; None: there is no champion, or it does not answer.
        verdict: Of the gate `not_worse_than_champion`.
    """

    comparison: ChampionComparison | None
    verdict: Verdict


def against_champion(
    store: ServableVersions,
    models_dir: Path,
    model_type: ModelType,
    candidate: Predictor,
    rows: LabelledRows,
    *,
    margin: float = MARGIN,
    n_resamples: int,
    seed: int,
) -> ChampionFound:
    """Compare a candidate with the active version.

    Args:
        store: The registry.
        models_dir: The folder of all published versions.
        model_type: Which model.
        candidate: Answers for the candidate.
        rows: Its test rows, at least one.
        margin: How much worse it may be, as a share.
        n_resamples: How many times agents are drawn.
        seed: Of the resampling.

    Returns:
        A yes while no version is active; a no when the active one's files cannot be had, or one of the two numbers is
        undefined.

    Raises:
        ModelUnavailableError: When the candidate itself does not answer.
    """
    active = next((one for one in store.list_versions(model_type) if one.status == "active"), None)
    if active is None:
        return ChampionFound(None, _verdict(True, {"n_champions": 0.0}, margin, f"no {model_type} version is active"))
    champion = serve_model(store, models_dir, model_type, version=active.version, time_limit_s=UNHURRIED_S)
    own = candidate.predict(rows.inputs(model_type)).astype(np.float64)
    try:
        if isinstance(champion, MissingModel):
            raise ModelUnavailableError(champion.reason, champion.detail)
        others = champion.predictor.predict(rows.inputs(model_type)).astype(np.float64)
    except ModelUnavailableError as error:
        told = (
            f"the active {model_type} {active.version} cannot be compared with ({error}): restore its files, or make "
            "another version active or none, then register again"
        )
        return ChampionFound(None, _verdict(False, {"n_champions": 1.0}, margin, told))
    comparison = _compare(model_type, active.version, own, others, rows, margin, Resampling((seed, 6), n_resamples))
    return ChampionFound(comparison, _judge(model_type, comparison))


def _compare(
    model_type: ModelType,
    version: str,
    own: np.ndarray,
    others: np.ndarray,
    rows: LabelledRows,
    margin: float,
    resampling: Resampling,
) -> ChampionComparison:
    agents, headline, target = Agents.of(rows.agent), model_spec(model_type).headline, rows.target(model_type)
    formula = formula_score(rows.features).score

    def headline_of(prediction: np.ndarray) -> Statistic:
        found = quality(
            model_type,
            agents,
            prediction,
            target=target,
            positive=rows.positive,
            formula=formula,
            prevalence=float(target.mean(dtype=np.float64)),
        )
        return found[headline.metric]

    mine, theirs = headline_of(own), headline_of(others)
    better = Difference(theirs, mine) if headline.smaller_is_better else Difference(mine, theirs)
    estimates = estimate_all({"own": mine, "champions": theirs, "better_by": better}, resampling)
    return ChampionComparison(champion=version, metric=headline.metric, margin=margin, **estimates)


def _judge(model_type: ModelType, found: ChampionComparison) -> Verdict:
    own, others, metric = found.own.value, found.champions.value, found.metric
    if own is None or others is None:
        told = f"{model_type} {metric} is undefined for the candidate or for the active {found.champion}"
        return _verdict(False, {"n_champions": 1.0}, found.margin, told)
    sign = 1.0 if model_spec(model_type).headline.smaller_is_better else -1.0
    limit = others * (1.0 + sign * found.margin)
    by = found.better_by
    ends = "no interval" if by.low is None or by.high is None else f"{by.low:.5f} to {by.high:.5f}"
    told = (
        f"{model_type} test {metric} {own:.5f} against {others:.5f} of the active {found.champion} on the same "
        f"{by.n_rows:,} rows of {by.n_agents:,} agents: better by {by.value:.5f} ({ends}), and it may be worse by "
        f"{found.margin:.1%}; that one may have learned from some of these rows"
    )
    measured = {metric: own, f"{metric}_champion": others, "n_champions": 1.0}
    return _verdict(sign * own <= sign * limit, measured, found.margin, told)


def _verdict(passed: bool, measured: dict[str, float], margin: float, told: str) -> Verdict:
    return Verdict(gate=GATE, passed=passed, measured=measured, required={"most_worse_share": margin}, message=told)
