"""The scorer: formula, neural score, outcome filter and decision of many rows at once, or of one.

Rows are worked off in pieces that fit the processor's cache, on as many threads as there are cores; no row depends on
another, so that one row alone gives the very bits that it gives among a million. A model that does not answer never
stops a score: the formula, or the outcome rule, stands in, and the reason is kept with the row.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from spots_ml.errors import ConfigError, ContractError
from spots_ml.features.contract import FEATURES, HISTORY_FEATURES, UNKNOWN_VALUE
from spots_ml.models.declared import model_in, model_spec
from spots_ml.models.spec import Role
from spots_ml.scoring.decision import TREND_BOOST_RANGE, decide
from spots_ml.scoring.exploration import MAX_EXPLORATION, explore
from spots_ml.scoring.fallback import ANSWERED, FALLBACK_REASONS, ModelUnavailableError, fallback_code
from spots_ml.scoring.formula import FormulaScore, score_columns
from spots_ml.scoring.outcome_rule import outcome_rule
from spots_ml.scoring.served import MissingModel, ServedModel

_PIECE_ROWS: Final = 2048
_One = TypeVar("_One")


@dataclass(frozen=True)
class ScoringInputs:
    """What is known about each (agent, opportunity) pair when it is scored.

    Attributes:
        features: `(n_rows, 39)` float32 in [0, 1], contract order; unknown is 0.5 already.
        history: `(n_rows, 6)` float32 in [0, 1], as of the moment of scoring.
        hybrid: `(n_rows,)` bool, whether the agent is in the group `hybrid` (see `groups`).
        trend_boost: In [-0.1, 0.2], a number or `(n_rows,)`.
        trajectory_potential: In [0, 1], a number or `(n_rows,)`; 0.5 when unknown.
        positive_influence: In [0, 1], a number or `(n_rows,)`; 0.5 when unknown.
        chance: `(n_rows, 2)` as `exploration.chances` draws it; needed by a scorer that explores.
    """

    features: np.ndarray
    history: np.ndarray
    hybrid: np.ndarray
    trend_boost: np.ndarray | float = 0.0
    trajectory_potential: np.ndarray | float = UNKNOWN_VALUE
    positive_influence: np.ndarray | float = UNKNOWN_VALUE
    chance: np.ndarray | None = None

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


@dataclass(frozen=True)
class Scores:
    """Everything that is known after scoring, one value per row.

    Attributes:
        formula: The formula's score with its breakdown.
        neural_score: float64 in [0, 1], NaN where the model did not answer. Also computed for agents of the group
            `formulaBased`, whose decision it does not touch.
        outcome_probability: float64 in [0, 1], P(positive); the outcome rule's where the model did not answer.
        weight: float64, share of the neural score; 0 for the group `formulaBased` and where the model did not answer.
        hybrid_score: float64 in [0, 1], formula and neural score blended.
        score: float64 in [0, 1], the calling score.
        called: bool.
        blocked: bool, whether the outcome filter said no.
        explored: bool, whether the decision was left to a fair coin.
        propensity: float64 in (0, 1], how probable the decision was, given the features.
        hybrid: bool, the agent's group.
        calling_score_fallback: int8, position in `FALLBACK_REASONS`, or `ANSWERED`.
        outcome_fallback: int8, likewise.
        version: The calling-score version that was to answer; None: there is none.
        outcome_version: The outcome version that was to answer; None: there is none.
    """

    formula: FormulaScore
    neural_score: np.ndarray
    outcome_probability: np.ndarray
    weight: np.ndarray
    hybrid_score: np.ndarray
    score: np.ndarray
    called: np.ndarray
    blocked: np.ndarray
    explored: np.ndarray
    propensity: np.ndarray
    hybrid: np.ndarray
    calling_score_fallback: np.ndarray
    outcome_fallback: np.ndarray
    version: str | None
    outcome_version: str | None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.score)

    @property
    def answers(self) -> dict[str, np.ndarray]:
        """`(n_rows,)` answers by model, each as it entered the decision."""
        return _by_model(self.neural_score, self.outcome_probability)

    @property
    def fallbacks(self) -> dict[str, np.ndarray]:
        """`(n_rows,)` fallback codes by model."""
        return _by_model(self.calling_score_fallback, self.outcome_fallback)

    @property
    def fell_back(self) -> np.ndarray:
        """`(n_rows,)` bool: whether the formula or the rule stood in for any model."""
        fallen: np.ndarray = (self.calling_score_fallback != ANSWERED) | (self.outcome_fallback != ANSWERED)
        return fallen

    def fallback_texts(self) -> list[str | None]:
        """Say per row which models did not answer and why.

        Returns:
            `(n_rows,)` texts such as `calling_score: damaged, outcome: slow`; None where both answered.
        """
        pairs = zip(self.calling_score_fallback.tolist(), self.outcome_fallback.tolist(), strict=True)
        return [_FALLBACK_TEXTS[pair] for pair in pairs]

    def fallback_counts(self) -> dict[str, int]:
        """Count fallbacks by model and reason.

        Returns:
            Rows by `model: reason`, such as `outcome: slow`; only what occurred.
        """
        counts = {}
        for model_type, codes in self.fallbacks.items():
            found = np.bincount(codes.astype(np.int64) + 1, minlength=len(FALLBACK_REASONS) + 1)[1:]
            for reason, count in zip(FALLBACK_REASONS, found.tolist(), strict=True):
                if count:
                    counts[f"{model_type}: {reason}"] = count
        return counts


class Scorer:
    """Scores rows with one calling-score and one outcome version, or what stands in for them.

    Args:
        calling_score: The calling-score model.
        outcome: The outcome model.
        exploration: Share of decisions left to chance, in [0, 0.2]; see `exploration`.
        n_threads: Threads for large batches; None: one per core this process may use.

    Raises:
        ConfigError: When the exploration or a weight is out of its range.
    """

    def __init__(
        self,
        calling_score: ServedModel | MissingModel,
        outcome: ServedModel | MissingModel,
        *,
        exploration: float = 0.0,
        n_threads: int | None = None,
    ) -> None:
        if not 0.0 <= exploration <= MAX_EXPLORATION:
            raise ConfigError(f"exploration is {exploration:g}; expected a share from 0 to {MAX_EXPLORATION:g}")
        if isinstance(calling_score, ServedModel) and not 0.0 <= calling_score.weight <= 1.0:
            raise ConfigError(f"the weight of {calling_score.version} is {calling_score.weight:g}; expected 0 to 1")
        self.calling_score = calling_score
        self.outcome = outcome
        self.exploration = exploration
        self.n_threads = n_threads or len(os.sched_getaffinity(0))

    @property
    def models(self) -> dict[str, ServedModel | MissingModel]:
        """The versions that are to answer, by model."""
        return _by_model(self.calling_score, self.outcome)

    def score(self, inputs: ScoringInputs) -> Scores:
        """Score rows.

        Args:
            inputs: What is known about each; possibly no rows.

        Returns:
            Scores and decisions in the order of the inputs.

        Raises:
            ContractError: When an array has the wrong shape, or holds NaN or a value out of its range: nothing is
                scored then. Unknown values are to be 0.5 by now.
        """
        _check_shapes(inputs, explores=self.exploration > 0.0)
        first = self._score_piece(inputs, 0, min(_PIECE_ROWS, inputs.n_rows), _Scratch())
        if inputs.n_rows <= _PIECE_ROWS:
            return first
        whole = _WholeScores(first, inputs.n_rows)
        starts = iter(range(_PIECE_ROWS, inputs.n_rows, _PIECE_ROWS))

        def work(_: int) -> None:
            scratch = _Scratch()
            for start in starts:
                stop = min(start + _PIECE_ROWS, inputs.n_rows)
                whole.put(self._score_piece(inputs, start, stop, scratch), start)

        if self.n_threads == 1:
            work(0)
        else:
            with ThreadPoolExecutor(self.n_threads) as threads:
                list(threads.map(work, range(self.n_threads)))
        return whole.scores()

    def _score_piece(self, inputs: ScoringInputs, start: int, stop: int, scratch: "_Scratch") -> Scores:
        features = np.asarray(inputs.features[start:stop], dtype=np.float32)
        history = np.asarray(inputs.history[start:stop], dtype=np.float32)
        boost, potential, influence = (
            value[start:stop] if isinstance(value, np.ndarray) else value
            for value in (inputs.trend_boost, inputs.trajectory_potential, inputs.positive_influence)
        )
        _check_unit("features", features, FEATURES, start)
        _check_unit("history", history, HISTORY_FEATURES, start)
        _check_range("trend_boost", boost, *TREND_BOOST_RANGE, start)
        _check_range("trajectory_potential", potential, 0.0, 1.0, start)
        _check_range("positive_influence", influence, 0.0, 1.0, start)

        formula = score_columns(scratch.columns(features), trajectory_potential=potential, positive_influence=influence)
        neural, neural_fallback = _answers(self.calling_score, features)
        both = scratch.side_by_side(features, history)
        probability, outcome_fallback = _answers(self.outcome, both)
        silent = outcome_fallback != ANSWERED
        if silent.any():
            probability[silent] = outcome_rule(both[silent])
        hybrid = inputs.hybrid[start:stop]
        weight = self._weights(features, hybrid & (neural_fallback == ANSWERED))
        decision = decide(formula.score, neural, probability, weight=weight, trend_boost=boost)
        called, explored, propensity = decision.called, np.zeros(stop - start, bool), np.ones(stop - start)
        if self.exploration > 0.0 and inputs.chance is not None:
            called, explored, propensity = explore(
                called, decision.hybrid_score, inputs.chance[start:stop], share=self.exploration
            )
        return Scores(
            formula=formula,
            neural_score=neural,
            outcome_probability=probability,
            weight=weight,
            hybrid_score=decision.hybrid_score,
            score=decision.score,
            called=called,
            blocked=decision.blocked,
            explored=explored,
            propensity=propensity,
            hybrid=hybrid,
            calling_score_fallback=neural_fallback,
            outcome_fallback=outcome_fallback,
            version=self.calling_score.version,
            outcome_version=self.outcome.version,
        )

    def _weights(self, features: np.ndarray, counts: np.ndarray) -> np.ndarray:
        model = self.calling_score
        if isinstance(model, MissingModel):
            return np.zeros(len(features))
        if model.confidence is None:
            return np.where(counts, model.weight, 0.0)
        return np.where(counts, model.confidence.weights(features, model.weight), 0.0)


def _answers(model: ServedModel | MissingModel, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ask a model; NaN and the reason where it does not answer."""
    n_rows = len(inputs)
    if isinstance(model, MissingModel):
        return np.full(n_rows, np.nan), np.full(n_rows, fallback_code(model.reason), np.int8)
    try:
        answers = model.predictor.predict(inputs).astype(np.float64)
    except ModelUnavailableError as error:
        return np.full(n_rows, np.nan), np.full(n_rows, fallback_code(error.reason), np.int8)
    fallback = np.full(n_rows, ANSWERED, np.int8)
    fallback[np.isnan(answers)] = fallback_code("bad_answer")
    return answers, fallback


def _check_shapes(inputs: ScoringInputs, *, explores: bool) -> None:
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
    problems = [
        f"{name} has the shape {getattr(value, 'shape', None)}, expected {shape}"
        for name, (value, shape) in expected.items()
        if getattr(value, "shape", None) != shape
    ]
    if problems:
        raise ContractError(f"rows cannot be scored: {'; '.join(problems)}")


def _check_unit(what: str, values: np.ndarray, names: tuple[str, ...], start: int) -> None:
    # NaN fails both comparisons; min and max hand it through.
    if len(values) == 0 or (values.min() >= 0.0 and values.max() <= 1.0):
        return
    row, column = np.argwhere(~((values >= 0.0) & (values <= 1.0)))[0]
    raise ContractError(
        f"{names[column]} of row {start + row} is {values[row, column]}, expected a number in [0, 1] ({what}); "
        "unknown values are fed as 0.5: see scoring.requests.scoring_inputs"
    )


def _check_range(name: str, value: np.ndarray | float, low: float, high: float, start: int) -> None:
    if not isinstance(value, np.ndarray):
        if not low <= value <= high:
            raise ContractError(f"{name} is {value}, expected a number in [{low:g}, {high:g}]")
        return
    if len(value) == 0 or (value.min() >= low and value.max() <= high):
        return
    row = int(np.flatnonzero(~((value >= low) & (value <= high)))[0])
    raise ContractError(f"{name} of row {start + row} is {value[row]}, expected a number in [{low:g}, {high:g}]")


class _Scratch:
    """Memory of one thread for one piece: asking the system for it again and again costs more than the arithmetic."""

    def __init__(self) -> None:
        self._columns = np.empty((len(FEATURES), 0))
        self._both = np.empty((0, len(FEATURES) + len(HISTORY_FEATURES)), np.float32)

    def columns(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """Lay `(k, 39)` features out by name, each `(k,)` float64; valid until the next call."""
        n_rows = len(features)
        if self._columns.shape[1] < n_rows:
            self._columns = np.empty((len(FEATURES), n_rows))
        columns = self._columns[:, :n_rows]
        columns[:] = features.T
        return dict(zip(FEATURES, columns, strict=True))

    def side_by_side(self, features: np.ndarray, history: np.ndarray) -> np.ndarray:
        """Put `(k, 39)` and `(k, 6)` next to each other; valid until the next call."""
        n_rows = len(features)
        if len(self._both) < n_rows:
            self._both = np.empty((n_rows, self._both.shape[1]), np.float32)
        both = self._both[:n_rows]
        both[:, : len(FEATURES)] = features
        both[:, len(FEATURES) :] = history
        return both


class _WholeScores:
    """Scores of all rows, into which pieces are put in any order, by several threads.

    Args:
        first: The scores of the first rows.
        n_rows: How many there will be.
    """

    def __init__(self, first: Scores, n_rows: int) -> None:
        self._version, self._outcome_version = first.version, first.outcome_version
        self._columns, self._breakdown = (
            {name: np.empty(n_rows, values.dtype) for name, values in _arrays(one).items()}
            for one in (first, first.formula)
        )
        self.put(first, 0)

    def put(self, piece: Scores, start: int) -> None:
        """Copy a piece to where it belongs."""
        for whole, part in ((self._columns, piece), (self._breakdown, piece.formula)):
            for name, values in whole.items():
                values[start : start + piece.n_rows] = getattr(part, name)

    def scores(self) -> Scores:
        """Hand out what was put together."""
        return Scores(
            formula=FormulaScore(**self._breakdown),
            version=self._version,
            outcome_version=self._outcome_version,
            **self._columns,
        )


def _arrays(one: Scores | FormulaScore) -> dict[str, np.ndarray]:
    return {name: values for name, values in vars(one).items() if isinstance(values, np.ndarray)}


def _by_model(neural_score: _One, outcome_filter: _One) -> dict[str, _One]:
    return {model_in(Role.NEURAL_SCORE).name: neural_score, model_in(Role.OUTCOME_FILTER).name: outcome_filter}


def _fallback_text(calling_score: int, outcome: int) -> str | None:
    told = [
        f"{model_type}: {FALLBACK_REASONS[code]}"
        for model_type, code in _by_model(calling_score, outcome).items()
        if code != ANSWERED
    ]
    return ", ".join(told) or None


_CODES: Final = range(ANSWERED, len(FALLBACK_REASONS))
_FALLBACK_TEXTS: Final = {(one, other): _fallback_text(one, other) for one in _CODES for other in _CODES}
