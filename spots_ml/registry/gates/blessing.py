"""Compares a version with the champion and the formula, by what ships, on rows of agents that neither learned from.

Compared are the model's own answers, and what is decided with them as the scorer does it: the hybrid score at each
weight that it may get, with the outcome filter and the threshold, beside the version of the other role that answers
now. Which rows are fresh is found by `pipeline.before_traffic.blessing_step`; what follows from a blessing is in
`registry.blessings`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import xlogy

from spots_ml.estimates.agents import Agents, Resampling
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.models.declared import ModelType, model_in, model_spec
from spots_ml.models.spec import Role, Unit
from spots_ml.registry.blessings import Blessing
from spots_ml.registry.gates.blessing_rules import RULES, BlessingRules
from spots_ml.registry.gates.blessing_slices import slices, vibe_centres
from spots_ml.registry.gates.contests import Compared, ComparedOnSlice, Contest, compare, compare_on_slices
from spots_ml.registry.gates.decision_gate import Answering
from spots_ml.scoring.decision import CALLED_FROM, Scores
from spots_ml.scoring.fallback import ModelUnavailableError, outcome_rule
from spots_ml.scoring.formula import formula_score
from spots_ml.scoring.inputs import ScoringInputs
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel, ServedModel
from spots_ml.training.metrics import SQUARED_ERROR
from spots_ml.training.shipped import hybrid_name

NETWORK: Final = "network"
FILTERED: Final = "filtered"
FORMULA: Final = "formula"
RULE: Final = "outcome rule"
UNFILTERED: Final = "no filter"
VALUE: Final = "value"
_EDGE: Final = 1e-7
"""Probabilities are kept this far from 0 and 1 in the log loss."""
_N_TOLD: Final = 3
"""Findings that the sentence tells; the others are counted."""


@dataclass(frozen=True)
class FreshRows:
    """Rows on which a version and a champion may be compared.

    Attributes:
        rows: Labelled rows of agents that neither learned from.
        training: Rows that the version trained on, for the clusters of vibes.
        n_rows_left_out: Rows that the version did not learn from, and the champion did from their agents.
        n_agents_left_out: Those agents.
    """

    rows: LabelledRows
    training: LabelledRows
    n_rows_left_out: int
    n_agents_left_out: int


class BlessingReport(BaseModel):
    """What was measured for a blessing, and by which rules."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rules: BlessingRules
    n_rows: int = Field(ge=0, description="Rows of agents that neither learned from.")
    n_agents: int = Field(ge=0)
    n_rows_left_out: int = Field(ge=0, description="Of the version's test rows, those of the champion's agents.")
    n_agents_left_out: int = Field(ge=0)
    beside: dict[ModelType, str | None] = Field(description="Versions that answered for the other kinds; null: none.")
    weights: tuple[float, ...] = Field(description="At which hybrid scores were compared.")
    seed: int
    overall: tuple[Compared, ...] = ()
    slices: tuple[ComparedOnSlice, ...] = ()
    vibe_centres: tuple[tuple[float, ...], ...] = Field(default=(), description="Of the vibe clusters.")


def bless(
    model_type: ModelType,
    candidate: ServedModel,
    champion: ServedModel | MissingModel | None,
    now: Answering,
    fresh: FreshRows,
    *,
    rules: BlessingRules = RULES,
    seed: int,
) -> Blessing:
    """Compare a version.

    Args:
        model_type: Which model.
        candidate: The version, at the weight that it has.
        champion: The active version; None: none is.
        now: What answers now, by kind.
        fresh: The rows.
        rules: By which it is judged.
        seed: Of the resampling.

    Returns:
        The blessing; a no where anything cannot be measured.

    Raises:
        ModelUnavailableError: When the version itself does not answer.
    """
    rows = fresh.rows
    agents = Agents.of(rows.agent)
    weights = _weights(model_type, candidate, champion)
    report = BlessingReport(
        rules=rules,
        n_rows=rows.n_rows,
        n_agents=agents.n,
        n_rows_left_out=fresh.n_rows_left_out,
        n_agents_left_out=fresh.n_agents_left_out,
        beside={kind: model.version for kind, model in now.items() if kind != model_type},
        weights=weights,
        seed=seed,
    )
    told = None if champion is None else champion.version

    def verdict(report: BlessingReport, passed: bool, sentence: str) -> Blessing:
        return Blessing(
            model_type=model_type,
            version=candidate.version,
            champion=told,
            passed=passed,
            sentence=sentence,
            comparison=report.model_dump(mode="json"),
        )

    if rows.n_rows < rules.least_rows or agents.n < rules.least_agents:
        return verdict(report, False, _too_few(report, told))
    if isinstance(champion, MissingModel):
        return verdict(
            report,
            False,
            f"the active {champion.version} cannot be compared with ({champion.detail}): restore its files, or make "
            "another version active or none",
        )
    contests = list(_contests(model_type, candidate, champion, now, rows, weights))
    resampling = Resampling((seed, 7), rules.n_resamples)
    centres = vibe_centres(fresh.training)
    formula = formula_score(rows.features).score
    report = report.model_copy(
        update={
            "overall": compare(contests, agents, rules, resampling),
            "slices": compare_on_slices(contests, rows.agent, slices(rows, formula, centres), rules, resampling),
            "vibe_centres": tuple(tuple(round(float(one), 6) for one in centre) for centre in centres),
        }
    )
    problems = _problems(report)
    return verdict(report, not problems, _sentence(report, told, problems))


def _weights(
    model_type: ModelType, candidate: ServedModel, champion: ServedModel | MissingModel | None
) -> tuple[float, ...]:
    """Its own, the champion's, at which it would be rolled out, and the one of a trusted version."""
    spec = model_spec(model_type)
    if spec.role is not Role.NEURAL_SCORE:
        return ()
    champions = (champion.weight,) if isinstance(champion, ServedModel) else ()
    return tuple(dict.fromkeys((candidate.weight, *champions, spec.trusted_weight)))


def _contests(
    model_type: ModelType,
    candidate: ServedModel,
    champion: ServedModel | None,
    now: Answering,
    rows: LabelledRows,
    weights: tuple[float, ...],
) -> Iterator[Contest]:
    yield from _of_answers(model_type, candidate, champion, rows)
    role = model_spec(model_type).role
    if role is Role.NEURAL_SCORE:
        yield from _of_hybrids(model_type, candidate, champion, now, rows, weights)
    elif role is Role.OUTCOME_FILTER:
        yield from _of_filters(model_type, candidate, champion, now, rows)


def _of_answers(
    model_type: ModelType, candidate: ServedModel, champion: ServedModel | None, rows: LabelledRows
) -> Iterator[Contest]:
    """The model's own answers against the champion's, and those of what stands in."""
    inputs, target = rows.inputs(model_type), rows.target(model_type).astype(np.float64)
    unit = model_spec(model_type).unit
    own = _losses(unit, candidate.predictor.predict(inputs), target)
    others: dict[str, np.ndarray] = {}
    if champion is not None:
        others[champion.version] = champion.predictor.predict(inputs)
    if unit is Unit.SCORE:
        others[FORMULA] = formula_score(rows.features).score
    else:
        others[RULE] = outcome_rule(np.concatenate([rows.features, rows.history], axis=1))
    for name, answers in others.items():
        theirs = _losses(unit, answers, target)
        for metric, losses in own.items():
            yield Contest(NETWORK, name, metric, losses, theirs[metric], is_error=True, ships=False)


def _losses(unit: Unit, answers: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """What each row adds to the errors of a unit."""
    answers = np.asarray(answers, dtype=np.float64)
    losses = {SQUARED_ERROR[unit]: (answers - target) ** 2}
    if unit is Unit.PROBABILITY:
        certain = np.clip(answers, _EDGE, 1.0 - _EDGE)
        losses["log_loss"] = -(xlogy(target, certain) + xlogy(1.0 - target, 1.0 - certain))
    return losses


def _of_hybrids(
    model_type: ModelType,
    candidate: ServedModel,
    champion: ServedModel | None,
    now: Answering,
    rows: LabelledRows,
    weights: tuple[float, ...],
) -> Iterator[Contest]:
    """What ships at each weight, against the champion at the same weight and the formula alone."""
    target = rows.outcome_score.astype(np.float64)
    for weight in weights:
        own = _decide(rows, {**now, model_type: replace(candidate, weight=weight)})
        others = {FORMULA: (own.formula.score, own.formula.score >= CALLED_FROM)}
        if champion is not None:
            scores = _decide(rows, {**now, model_type: replace(champion, weight=weight)})
            others = {champion.version: (scores.hybrid_score, scores.called), **others}
        name = hybrid_name(weight)
        for other, (score, called) in others.items():
            mine, theirs = ((one - target) ** 2 for one in (own.hybrid_score, score))
            yield Contest(name, other, SQUARED_ERROR[Unit.SCORE], mine, theirs, is_error=True)
            yield Contest(name, other, VALUE, worth(own.called, target), worth(called, target), is_error=False)


def _of_filters(
    model_type: ModelType,
    candidate: ServedModel,
    champion: ServedModel | None,
    now: Answering,
    rows: LabelledRows,
) -> Iterator[Contest]:
    """What is called with the version as the filter, against the champion's filter and against none."""
    target = rows.outcome_score.astype(np.float64)
    own = worth(_decide(rows, {**now, model_type: candidate}).called, target)
    others = {UNFILTERED: replace(candidate, filter_on=False)}
    if champion is not None:
        others = {champion.version: champion, **others}
    for name, other in others.items():
        theirs = worth(_decide(rows, {**now, model_type: other}).called, target)
        yield Contest(FILTERED, name, VALUE, own, theirs, is_error=False)


def worth(called: np.ndarray, outcome_score: np.ndarray) -> np.ndarray:
    """Tell what each opportunity was worth to its agent: nothing where nobody is called.

    Args:
        called: `(n_rows,)` bool.
        outcome_score: `(n_rows,)` in [0, 1]; 0.5 is neither good nor bad.

    Returns:
        `(n_rows,)` float64 in [-1, 1].

    >>> worth(np.array([True, True, False]), np.array([1.0, 0.25, 1.0])).tolist()
    [1.0, -0.5, 0.0]
    """
    value: np.ndarray = np.where(called, 2.0 * outcome_score - 1.0, 0.0)
    return value


def _decide(rows: LabelledRows, models: Mapping[ModelType, ServedModel | MissingModel]) -> Scores:
    neural, outcome_filter = (models[model_in(role).name] for role in (Role.NEURAL_SCORE, Role.OUTCOME_FILTER))
    # Of agents of the hybrid group: the others' decision is the same, without the network.
    inputs = ScoringInputs(rows.features, rows.history, np.ones(rows.n_rows, bool))
    scores = Scorer(neural, outcome_filter, n_threads=1).score(inputs)
    for model, fallback in ((neural, scores.calling_score_fallback), (outcome_filter, scores.outcome_fallback)):
        if isinstance(model, ServedModel) and (n_fallbacks := int((fallback >= 0).sum())):
            raise ModelUnavailableError("failed", f"{model.version} did not answer {n_fallbacks:,} rows")
    return scores


def _too_few(report: BlessingReport, champion: str | None) -> str:
    left_out = ""
    if report.n_rows_left_out:
        left_out = (
            f" (without {report.n_rows_left_out:,} rows of {report.n_agents_left_out:,} agents that "
            f"the active {champion} learned from)"
        )
    return (
        f"{report.n_rows:,} rows of {report.n_agents:,} agents that neither learned from{left_out} are too few; "
        f"{report.rules.least_rows:,} rows of {report.rules.least_agents:,} agents are needed: collect interactions of "
        "more agents"
    )


def _problems(report: BlessingReport) -> list[str]:
    problems = [
        f"{one.subject} {one.metric} {one.own:.5f} against {one.other:.5f} of {one.against}, better by "
        f"{_told(one.better_by.low)} to {_told(one.better_by.high)}, may be {_allowed(one.metric, one.margin)} worse"
        for one in report.overall
        if not one.passed
    ]
    problems += [
        f"{one.subject} {one.metric} is worse than {one.against} on {one.slice_name} by {_loss(one.better_by.value)} "
        f"({one.n_rows:,} rows, p {one.p_worse:.2g})"
        for one in report.slices
        if not one.passed
    ]
    return problems


def _sentence(report: BlessingReport, champion: str | None, problems: list[str]) -> str:
    whom = f"the active {champion} and what stands in" if champion else "what stands in"
    of = f"on {report.n_rows:,} rows of {report.n_agents:,} agents that neither learned from"
    if problems:
        more = f"; and {len(problems) - _N_TOLD} more" if len(problems) > _N_TOLD else ""
        return f"beside {whom} {of}: {'; '.join(problems[:_N_TOLD])}{more}"
    deciding = {one.slice_name for one in report.slices if one.p_worse is not None}
    head = report.overall[0]
    return (
        f"{head.subject} {head.metric} {head.own:.5f} against {head.other:.5f} of {head.against} {of}; none of "
        f"{len(report.overall)} comparisons with {whom} is worse beyond its margin, nor any of {len(deciding)} slices"
    )


def _told(end: float | None) -> str:
    return "nothing that is known" if end is None else f"{end:.5f}"


def _allowed(metric: str, margin: float) -> str:
    return f"{margin:g}" if metric == VALUE else f"{margin:.0%}"


def _loss(value: float | None) -> str:
    return "an unknown amount" if value is None else f"{-value:.5f}"
