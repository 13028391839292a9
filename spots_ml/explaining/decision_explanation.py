"""One request from its raw record to the decision, every step with its numbers.

The decision is the scorer's own, by the very functions that score batches; nothing of it is computed another way here.
How one model's answer is explained is in `model_explanation`, how all of it is shown is the command line's business.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import Field

from spots_ml.errors import InputError
from spots_ml.explaining.model_explanation import Completeness, Document, ModelExplanation, explain_model
from spots_ml.features.contract import DERIVED_FEATURES, FEATURES, HISTORY_FEATURES, RAW_FEATURES
from spots_ml.interactions.judging.rules import REASONS, codes
from spots_ml.models.declared import ModelType, model_in
from spots_ml.models.spec import Role
from spots_ml.registry.serving import open_scorer
from spots_ml.registry.version_store import ServableVersions
from spots_ml.scoring import formula
from spots_ml.scoring.answering.answers import Answers, answer_requests
from spots_ml.scoring.assignment import FORMULA_BASED, HYBRID
from spots_ml.scoring.challengers import Challenger
from spots_ml.scoring.fallback import ANSWERED, FALLBACK_REASONS, REASON_TEXTS
from spots_ml.scoring.inputs import given_history
from spots_ml.scoring.served import MissingModel, ServedModel
from spots_ml.scoring.served_history import HistoryServer

if TYPE_CHECKING:
    import pyarrow as pa

_COMPONENTS: Final = {
    "vibe_compatibility": formula.COMPATIBILITY_WEIGHT,
    "life_betterment": formula.LIFE_BETTERMENT_WEIGHT,
    "meaningful_connection": formula.CONNECTION_WEIGHT,
    "context": formula.CONTEXT_WEIGHT,
    "timing": formula.TIMING_WEIGHT,
}
_EXTRAS: Final = ("trend_boost", "trajectory_potential", "positive_influence")


class Value(Document):
    """One value of the record and what became of it."""

    name: str
    value: float | None = Field(description="As the record has it; null: unknown.")
    fed: float = Field(description="As formula and models got it.")
    source: str = Field(description="Where what was fed comes from: record, store or default.")


class FormulaPart(Document):
    """One component of the formula."""

    name: str
    value: float
    weight: float
    contribution: float = Field(description="Value times weight.")


class DecisionSteps(Document):
    """The scorer's numbers in the order of the decision."""

    formula_score: float
    neural_score: float | None = Field(description="Null: the model did not answer.")
    weight: float = Field(description="Share of the neural score, as it took effect.")
    hybrid_score: float
    outcome_probability: float
    outcome_by: str = Field(description="Who answered: the outcome version or the outcome rule.")
    filter_on: bool = Field(description="Whether the outcome filter could block the call.")
    blocked: bool
    trend_boost: float
    score: float
    called: bool
    fallback: str | None = Field(description="Which models did not answer and why; null: both did.")


class Explanation(Document):
    """One request, explained."""

    position: int
    agent_id: str | None
    opportunity_id: str | None
    scored_at: datetime | None = Field(description="Null: the present.")
    group: str = Field(description="The agent's group: hybrid or formulaBased.")
    arm: str = Field(description="What decided: the formula, the champion, or the rollouts that treat the agent.")
    experiment: str | None = Field(description="Names of the rollouts that drew the agent; null: none did.")
    raw: tuple[Value, ...] = Field(description="The 34 raw features.")
    derived: dict[str, float] = Field(description="The 5 features computed from them.")
    history: tuple[Value, ...] = Field(description="The 6 history features.")
    extras: tuple[Value, ...] = Field(description="Trend boost, trajectory potential, positive influence.")
    formula: tuple[FormulaPart, ...]
    life_betterment: tuple[FormulaPart, ...] = Field(description="What that component is made of.")
    models: tuple[ModelExplanation, ...] = Field(description="Calling score, then outcome.")
    decision: DecisionSteps

    def failed_checks(self) -> list[str]:
        """Name the checks that did not pass.

        Returns:
            Such as `calling_score: parity 0.002 > 1e-06`; empty when no check that could be made failed.
        """

        def name(model: ModelExplanation, check: Completeness) -> str:
            return f"{model.model_type}: {check.name} {check.error:.3g} > {check.limit:g}"

        return [name(model, check) for model in self.models for check in model.checks if check.passed is False]


def explain_request(
    requests: Iterable["pa.RecordBatch"],
    position: int,
    store: ServableVersions,
    *,
    models_dir: Path,
    trained_dir: Path,
    now: datetime,
    history: HistoryServer | None = None,
    versions: Mapping[ModelType, str | None] | None = None,
    by_confidence: bool = False,
    challengers: Sequence[Challenger] = (),
) -> Explanation:
    """Explain one request.

    Args:
        requests: Batches of schema `REQUESTS`.
        position: The request's position among them.
        store: The registry.
        models_dir: The folder of all published versions.
        trained_dir: The folder of trained models.
        now: The present, with a time zone.
        history: Serves the history that the request does not bring along; None: `NO_HISTORY`.
        versions: Version by model, where another than the serving one is wanted; None: the serving one.
        by_confidence: Whether the neural weight follows the model's confidence.
        challengers: Versions that are rolled out; without influence where a version is named.

    Returns:
        Everything from the raw record to the decision.

    Raises:
        InputError: When there is no request at the position, or it cannot be scored.
        RegistryError: When a version named does not exist.
        ConfigError: When a confidence profile is missing.
    """
    request = _find(requests, position)
    scorer = open_scorer(store, models_dir, versions=versions, by_confidence=by_confidence, challengers=challengers)
    (answers,) = answer_requests([request], scorer, now=now, history=history)
    if answers.masks[0]:
        raise InputError(_refusal(request, position, int(answers.masks[0])))
    inputs, scores = answers.inputs, answers.scores
    place = int(scores.position[0])
    arm, models = scores.arms[place], scorer.models_of(place)
    return Explanation(
        position=position,
        agent_id=request["agent_id"][0].as_py(),
        opportunity_id=request["opportunity_id"][0].as_py(),
        scored_at=request["scored_at"][0].as_py(),
        group=HYBRID if inputs.hybrid[0] else FORMULA_BASED,
        arm=arm.id,
        experiment=arm.experiment,
        raw=tuple(_value(request, name, inputs.features[0, FEATURES.index(name)], "default") for name in RAW_FEATURES),
        derived={name: float(inputs.features[0, FEATURES.index(name)]) for name in DERIVED_FEATURES},
        history=_history(request, answers),
        extras=tuple(
            _value(request, name, np.broadcast_to(getattr(inputs, name), 1)[0], "default") for name in _EXTRAS
        ),
        formula=tuple(_part(name, getattr(scores.formula, name), weight) for name, weight in _COMPONENTS.items()),
        life_betterment=_life_betterment(answers),
        models=tuple(
            explain_model(
                model_type,
                model,
                store.get(model_type, model.version) if model.version else None,
                inputs.fed_to(model_type),
                answer=float(scores.answers[model_type][0]),
                fallback=_why_not(model, int(scores.fallbacks[model_type][0])),
                store=store,
                models_dir=models_dir,
                trained_dir=trained_dir,
            )
            for model_type, model in models.items()
        ),
        decision=_decision(models, answers),
    )


def _life_betterment(answers: Answers) -> tuple[FormulaPart, ...]:
    inputs, scored = answers.inputs, answers.scores.formula
    values = {
        "trajectory_potential": (inputs.trajectory_potential, formula.BETTERMENT_TRAJECTORY),
        "meaningful_connection": (scored.meaningful_connection, formula.BETTERMENT_CONNECTION),
        "positive_influence": (inputs.positive_influence, formula.BETTERMENT_INFLUENCE),
        "fulfilment": (scored.fulfilment, formula.BETTERMENT_FULFILMENT),
    }
    return tuple(_part(name, np.broadcast_to(value, 1), weight) for name, (value, weight) in values.items())


def _part(name: str, values: np.ndarray, weight: float) -> FormulaPart:
    value = float(values[0])
    return FormulaPart(name=name, value=value, weight=weight, contribution=value * weight)


def _find(requests: Iterable["pa.RecordBatch"], position: int) -> "pa.RecordBatch":
    n_read = 0
    for batch in requests:
        found = np.flatnonzero(batch["position"].to_numpy(zero_copy_only=False) == position)
        if len(found):
            return batch.slice(int(found[0]), 1)
        n_read += batch.num_rows
    raise InputError(
        f"there is no request at position {position} among {n_read:,}; positions count from 0, in JSON lines by line"
    )


def _refusal(request: "pa.RecordBatch", position: int, mask: int) -> str:
    told = "; ".join(f"{code}: {REASONS[code]}" for code in codes(mask))
    known = {name: request[name][0].as_py() for name in (*RAW_FEATURES, *HISTORY_FEATURES)}
    outside = [f"{name} is {value:g}" for name, value in known.items() if value is not None and not 0.0 <= value <= 1.0]
    values = f" ({', '.join(outside)})" if outside else ""
    return f"the request at position {position} is refused, so there is nothing to explain: {told}{values}; correct it"


def _value(request: "pa.RecordBatch", name: str, fed: float, otherwise: str) -> Value:
    value = request[name][0].as_py()
    return Value(name=name, value=value, fed=float(fed), source=otherwise if value is None else "record")


def _history(request: "pa.RecordBatch", answers: Answers) -> tuple[Value, ...]:
    otherwise = "default" if answers.watermark is None else "store"
    given, used = given_history(request)[0], answers.inputs.history[0]
    return tuple(
        Value(
            name=name,
            value=None if np.isnan(mine) else float(mine),
            fed=float(fed),
            source=otherwise if np.isnan(mine) else "record",
        )
        for name, mine, fed in zip(HISTORY_FEATURES, given, used, strict=True)
    )


def _why_not(model: object, code: int) -> str | None:
    if code == ANSWERED:
        return None
    reason = FALLBACK_REASONS[code]
    return f"{reason}: {model.detail if isinstance(model, MissingModel) else REASON_TEXTS[reason]}"


def _decision(models: Mapping[str, ServedModel | MissingModel], answers: Answers) -> DecisionSteps:
    scores = answers.scores
    neural = float(scores.neural_score[0])
    outcome_filter = model_in(Role.OUTCOME_FILTER)
    answered = int(scores.outcome_fallback[0]) == ANSWERED
    return DecisionSteps(
        formula_score=float(scores.formula.score[0]),
        neural_score=None if np.isnan(neural) else neural,
        weight=float(scores.weight[0]),
        hybrid_score=float(scores.hybrid_score[0]),
        outcome_probability=float(scores.outcome_probability[0]),
        outcome_by=f"{outcome_filter.name} {models[outcome_filter.name].version}"
        if answered
        else str(outcome_filter.stand_in),
        filter_on=bool(scores.filter_on[0]),
        blocked=bool(scores.blocked[0]),
        trend_boost=float(np.broadcast_to(answers.inputs.trend_boost, 1)[0]),
        score=float(scores.score[0]),
        called=bool(scores.called[0]),
        fallback=scores.fallback_texts()[0],
    )
