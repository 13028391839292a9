"""`golden.jsonl`: records with everything that is to come out of them, read and scored by the project's own code.

Lines are chosen, not only drawn: of each situation those that differ in group, filter and call are preferred, and none
whose decision hangs on the last digits, because two runtimes may differ there.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spots_ml.digests import canonical_json
from spots_ml.errors import ArtifactError
from spots_ml.models.declared import ModelType, deciding_models, model_in
from spots_ml.models.spec import Role
from spots_ml.release.client_kit.records import Record, draw_records
from spots_ml.release.client_kit.situations import SITUATIONS, Situation
from spots_ml.requests.single_records import read_texts
from spots_ml.scoring.arms import CHAMPION_POSITION
from spots_ml.scoring.assignment import FORMULA_BASED, HYBRID
from spots_ml.scoring.decision import CALLED_FROM, OUTCOME_ABOVE, Scores
from spots_ml.scoring.fallback import outcome_rule
from spots_ml.scoring.inputs import scoring_inputs
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel, ServedModel

MARGIN_PARITIES: Final = 10.0
"""Least distance of a golden line's numbers from the thresholds they are compared with, in parity bars."""

_CANDIDATES_PER_LINE: Final = 20
_BREAKDOWN: Final = (
    "vibe_compatibility",
    "life_betterment",
    "meaningful_connection",
    "fulfilment",
    "context",
    "timing",
)

GoldenLine = dict[str, Any]


@dataclass(frozen=True)
class _Scorers:
    """The scorer with both models, and the same with one or both of them silent."""

    both: Scorer
    fallbacks: Mapping[str, Scorer]


def golden_lines(
    calling_score: ServedModel, outcome: ServedModel, *, margin: float = MARGIN_PARITIES * 1e-6
) -> list[GoldenLine]:
    """Make the golden lines of two versions.

    Args:
        calling_score: The calling-score version; its fixed weight is used.
        outcome: The outcome version.
        margin: Least distance of their numbers from the thresholds that they are compared with.

    Returns:
        100 lines about the calling-score model, then 100 about the outcome model; the same for the same versions on the
        same machine. What a line holds is told in `docs/contract.md`.

    Raises:
        ArtifactError: When a model does not answer, or every candidate of a situation is too close to a threshold.
    """
    told = "left out on purpose: what the app does when the model does not answer"
    silent = MissingModel("failed", told, filter_on=outcome.filter_on)
    fixed = ServedModel(calling_score.version, calling_score.predictor, calling_score.weight)
    scorers = _Scorers(
        both=Scorer(fixed, outcome),
        fallbacks={
            "calling_score_silent": Scorer(silent, outcome),
            "outcome_silent": Scorer(fixed, silent),
            "both_silent": Scorer(silent, silent),
        },
    )
    lines = []
    for seed, spec in enumerate(deciding_models(), start=1):
        for number, situation in enumerate(SITUATIONS):
            records = _candidates(situation, np.random.default_rng([seed, number]))
            lines += _chosen_lines(spec.name, situation, records, scorers, margin)
    return lines


def _candidates(situation: Situation, rng: np.random.Generator) -> list[Record]:
    n_rows = situation.n_lines * _CANDIDATES_PER_LINE
    records = draw_records(situation.law, n_rows, seed=int(rng.integers(2**31)))
    if situation.edit is not None:
        for record in records:
            situation.edit(record, rng)
    return records


def _chosen_lines(
    model_type: ModelType, situation: Situation, records: list[Record], scorers: _Scorers, margin: float
) -> list[GoldenLine]:
    inputs = scoring_inputs(read_texts([canonical_json(record) for record in records]))
    scores = _answered(scorers.both.score(inputs))
    fallbacks = {name: scorer.score(inputs) for name, scorer in scorers.fallbacks.items()}
    clear = np.logical_and.reduce([_is_clear(one, margin) for one in (scores, *fallbacks.values())])
    chosen = _various(np.flatnonzero(clear), scores)[: situation.n_lines]
    if len(chosen) < situation.n_lines:
        raise ArtifactError(
            f"of {len(records)} records ({situation.name}) {int(clear.sum())} are {margin:g} or more away from the "
            f"thresholds, expected at least {situation.n_lines}: a model that answers at a threshold all the time is "
            f"no reference; make the kit of other versions than {' and '.join(_asked(scores).values())}"
        )
    rule = outcome_rule(inputs.fed_to(model_in(Role.OUTCOME_FILTER).name))
    model_inputs, model_answers = inputs.fed_to(model_type), scores.answers[model_type]
    return [
        {
            "model_type": model_type,
            "situation": situation.name,
            "record": records[row],
            "features": [float(value) for value in model_inputs[row]],
            "neural_score": float(model_answers[row]),
            "formula_score": float(scores.formula.score[row]),
            "formula": {name: float(getattr(scores.formula, name)[row]) for name in _BREAKDOWN},
            "group": HYBRID if scores.hybrid[row] else FORMULA_BASED,
            "trend_boost": float(np.asarray(inputs.trend_boost)[row]),
            "calling_score_neural": float(scores.neural_score[row]),
            "outcome_rule": float(rule[row]),
            **_decision(scores, row),
            "fallbacks": {name: _decision(one, row) for name, one in fallbacks.items()},
        }
        for row in chosen
    ]


def _answered(scores: Scores) -> Scores:
    if scores.fell_back.any():
        told = ", ".join(f"{what} ({count} rows)" for what, count in scores.fallback_counts().items())
        raise ArtifactError(
            f"a golden file needs the answers of both models, but there is none from {told}; run `spots-ml verify` for "
            f"{' and '.join(f'{kind} {version}' for kind, version in _asked(scores).items())}, or name other versions"
        )
    return scores


def _asked(scores: Scores) -> dict[str, str]:
    return {kind: str(version) for kind, version in scores.arms[CHAMPION_POSITION].versions.items()}


def _is_clear(scores: Scores, margin: float) -> np.ndarray:
    """Rows whose decision does not hang on the last digits."""
    clear: np.ndarray = (np.abs(scores.outcome_probability - OUTCOME_ABOVE) > margin) & (
        scores.blocked | (np.abs(scores.score - CALLED_FROM) > margin)
    )
    return clear


def _various(rows: np.ndarray, scores: Scores) -> list[int]:
    """Order rows so that each kind of decision comes up as early as possible, one after the other."""
    kinds: dict[tuple[bool, ...], list[int]] = defaultdict(list)
    for row in rows.tolist():
        kinds[bool(scores.called[row]), bool(scores.blocked[row]), bool(scores.hybrid[row])].append(row)
    turns = [(turn, kind, row) for kind, members in kinds.items() for turn, row in enumerate(members)]
    # Rare decisions first: called, then let through without a call, then blocked.
    return [row for _, _, row in sorted(turns, key=lambda one: (one[0], not one[1][0], one[1][1:], one[2]))]


def _decision(scores: Scores, row: int) -> dict[str, Any]:
    return {
        "weight": float(scores.weight[row]),
        "outcome_probability": float(scores.outcome_probability[row]),
        "hybrid_score": float(scores.hybrid_score[row]),
        "blocked": bool(scores.blocked[row]),
        "score": float(scores.score[row]),
        "called": bool(scores.called[row]),
    }
