"""What a version would do to the decision, measured before it answers anything.

On its own test rows the candidate decides as the scorer would let it: in its role, at its weights, with the version of
the other role that answers now. That is held against the formula alone and against what answers now, and judged by
`scoring.decision_effect`. An outcome filter outside of the bounds is no reason to refuse the model, whose probabilities
may be right all the same: it is switched off, and computed and logged without blocking anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.estimates.agents import Agents, Resampling
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.models.declared import ModelType, deciding_models, model_in, model_spec
from spots_ml.models.spec import Role
from spots_ml.registry.serving import serve_model
from spots_ml.registry.version_store import ServableVersions
from spots_ml.release.onnx.predictor import UNHURRIED_S
from spots_ml.scoring.decision import CALLED_FROM, Scores
from spots_ml.scoring.decision_effect import (
    BOUNDS,
    DecisionBounds,
    DecisionEffect,
    measure_effect,
    out_of_bounds,
    too_few,
)
from spots_ml.scoring.inputs import ScoringInputs
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel, ServedModel
from spots_ml.training.shipped import Decided, ShippedDecision, hybrid_name, measure_decisions
from spots_ml.verdicts import Verdict

GATE: Final = "decision_effect"
FORMULA: Final = "formula"

Answering = Mapping[ModelType, ServedModel | MissingModel]
"""What answers for each kind of the decision."""


class EffectReport(BaseModel):
    """What a version does to the decision, on its test rows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    beside: dict[ModelType, str | None] = Field(description="Versions that answered for the other kinds; null: none.")
    bounds: DecisionBounds = Field(description="What was allowed.")
    effects: tuple[DecisionEffect, ...] = Field(
        description="At each weight that it may have, against the formula and against what answered then."
    )
    shipped: dict[str, ShippedDecision] = Field(
        description="How good those decisions are, with the filter as it is, beside the formula's."
    )
    filter_on: bool = Field(description="Whether it may block calls; of a kind that is no outcome filter: true.")


@dataclass(frozen=True)
class EffectFound:
    """What came of measuring a candidate.

    Attributes:
        report: What was measured; None: the kind has no part in the decision.
        verdict: Of the gate `decision_effect`.
    """

    report: EffectReport | None
    verdict: Verdict

    @property
    def filter_on(self) -> bool:
        """Whether the version may block calls."""
        return self.report is None or self.report.filter_on


def answering_now(store: ServableVersions, models_dir: Path) -> dict[ModelType, ServedModel | MissingModel]:
    """Open what answers now, for a measurement.

    Args:
        store: The registry.
        models_dir: The folder of all published versions.

    Returns:
        By kind, for every kind that a decision asks.
    """
    return {
        spec.name: serve_model(store, models_dir, spec.name, time_limit_s=UNHURRIED_S) for spec in deciding_models()
    }


def decision_effect(
    model_type: ModelType,
    candidate: ServedModel,
    now: Answering,
    rows: LabelledRows,
    *,
    weights: tuple[float, ...] | None = None,
    bounds: DecisionBounds = BOUNDS,
    n_resamples: int,
    seed: int,
) -> EffectFound:
    """Measure what a version does to the decision, and judge it.

    Args:
        model_type: Which model.
        candidate: The version; its weight does not matter.
        now: What answers now, see `answering_now`.
        rows: Its test rows, at least one.
        weights: At which it is measured; None: all that its kind may be given.
        bounds: What is allowed.
        n_resamples: How many times agents are drawn.
        seed: Of the resampling.

    Returns:
        What was found. Too few rows are a no for a score; a filter is switched off by them.
    """
    spec = model_spec(model_type)
    if spec.role is Role.NONE:
        return EffectFound(None, _without_part(model_type))
    chosen = weights or (spec.shipped_weights if spec.role is Role.NEURAL_SCORE else (candidate.weight,))
    measuring = _Measuring(rows, now, Resampling((seed, 5), n_resamples))
    candidates = [replace(candidate, weight=weight) for weight in chosen]
    effects, decided = measuring.effects(model_type, candidates)
    problems = _problems(effects, bounds)
    filter_on = spec.role is not Role.OUTCOME_FILTER or (candidate.filter_on and not problems)
    if not filter_on:
        effects_off, decided_off = measuring.effects(model_type, [replace(one, filter_on=False) for one in candidates])
        decided = {**decided, **decided_off}
        shown = (*effects, *effects_off)
    else:
        shown = effects
    report = EffectReport(
        beside={kind: model.version for kind, model in now.items() if kind != model_type},
        bounds=bounds,
        effects=shown,
        shipped=measure_decisions(rows, decided, measuring.resampling),
        filter_on=filter_on,
    )
    return EffectFound(report, _verdict(model_type, effects, problems, bounds, filter_on=filter_on))


class _Measuring:
    """The test rows, and what is decided about them without the candidate."""

    def __init__(self, rows: LabelledRows, now: Answering, resampling: Resampling) -> None:
        self._rows, self._now, self.resampling = rows, now, resampling
        self._agents = Agents.of(rows.agent)
        # Measured for agents of the hybrid group: the others' decision is the same, without the network.
        self._inputs = ScoringInputs(rows.features, rows.history, np.ones(rows.n_rows, bool))
        self._before = self._score(now)

    def _score(self, models: Answering) -> Scores:
        neural, outcome_filter = (models[model_in(role).name] for role in (Role.NEURAL_SCORE, Role.OUTCOME_FILTER))
        return Scorer(neural, outcome_filter, n_threads=1).score(self._inputs)

    def effects(
        self, model_type: ModelType, candidates: list[ServedModel]
    ) -> tuple[tuple[DecisionEffect, ...], dict[str, Decided]]:
        """Let each candidate decide in its role; against the formula and, when one answers, the versions of now."""
        formula = self._before.formula.score
        references = {FORMULA: formula >= CALLED_FROM}
        if told := _told(self._now):
            references[told] = self._before.called
        effects, decided = [], {}
        for one in candidates:
            scores = self._score({**self._now, model_type: one})
            name = _name(model_type, one)
            decided[name] = Decided(scores.hybrid_score, scores.called, scores.blocked)
            effects += [
                measure_effect(
                    self._agents,
                    decides=name,
                    against=against,
                    called=scores.called,
                    called_before=before,
                    would_call=scores.hybrid_score >= CALLED_FROM,
                    resampling=self.resampling,
                )
                for against, before in references.items()
            ]
        return tuple(effects), {**decided, FORMULA: Decided(formula, formula >= CALLED_FROM)}


def _told(now: Answering) -> str:
    """Name what answers now; empty when nothing does."""
    answering = [f"{kind} {model.version}" for kind, model in now.items() if isinstance(model, ServedModel)]
    return " with ".join(answering)


def _name(model_type: ModelType, candidate: ServedModel) -> str:
    if model_spec(model_type).role is Role.NEURAL_SCORE:
        return hybrid_name(candidate.weight)
    return f"filter_{'on' if candidate.filter_on else 'off'}"


def _problems(effects: tuple[DecisionEffect, ...], bounds: DecisionBounds) -> tuple[str, ...]:
    found = []
    for effect in effects:
        if few := too_few(effect, bounds):
            return (few,)
        found += [f"{effect.decides}: {told}" for told in out_of_bounds(effect, bounds)]
    return tuple(dict.fromkeys(found))


def _verdict(
    model_type: ModelType,
    effects: tuple[DecisionEffect, ...],
    problems: tuple[str, ...],
    bounds: DecisionBounds,
    *,
    filter_on: bool,
) -> Verdict:
    first = effects[0]
    told = first.told() if first.called.value is not None else "nothing was measured"
    if not filter_on:
        told += "; the filter is switched off: P(positive) is computed and logged, and blocks nothing"
    passed = not problems or not filter_on
    return Verdict(
        gate=GATE,
        passed=passed,
        measured={
            **{
                f"{name}_of_{effect.decides}_against_{effect.against}".replace(" ", "_"): value
                for effect in effects
                for name, value in effect.numbers().items()
            },
            "filter_on": float(filter_on),
            "n_rows": float(first.n_rows),
            "n_agents": float(first.n_agents),
        },
        required={name: float(value) for name, value in bounds.model_dump().items()},
        message=f"{model_type}: {told}" + (f" ({'; '.join(problems)})" if problems else ""),
    )


def _without_part(model_type: ModelType) -> Verdict:
    return Verdict(
        gate=GATE,
        passed=True,
        measured={"changed_share": 0.0},
        required={"most_changed": 0.0},
        message=f"{model_type} has no part in the decision and changes none",
    )
