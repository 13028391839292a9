"""The scorer: formula, neural score, outcome filter and decision of many rows at once, or of one.

Rows are worked off in pieces that fit the processor's cache, on as many threads as there are cores; no row depends on
another, so that one row alone gives the very bits that it gives among a million. A model that does not answer never
stops a score: the formula, or the outcome rule, stands in, and the reason is kept with the row. Rows of several arms
are scored together: each version answers all of its rows of a piece at once.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from spots_ml.errors import ConfigError
from spots_ml.features.contract import FEATURES, HISTORY_FEATURES
from spots_ml.models.declared import deciding_models, model_in
from spots_ml.models.spec import Role
from spots_ml.requests.request_schema import TREND_BOOST_RANGE
from spots_ml.scoring.arms import CHAMPION_POSITION, FORMULA_ARM, FORMULA_POSITION, Arm, arm_id
from spots_ml.scoring.assignment import FactorialAssignment
from spots_ml.scoring.challengers import Challenger
from spots_ml.scoring.decision import Scores, WholeScores, by_model, decide_calls
from spots_ml.scoring.exploration import MAX_EXPLORATION, explore
from spots_ml.scoring.fallback import ANSWERED, ModelUnavailableError, fallback_code, outcome_rule
from spots_ml.scoring.formula import score_columns
from spots_ml.scoring.inputs import ScoringInputs, check_range, check_shapes, check_unit
from spots_ml.scoring.served import MissingModel, ServedChallenger, ServedModel

_PIECE_ROWS: Final = 2048
"""Rows of a piece; twice as many where several versions answer, each for some: a call costs as much as many rows."""


class Scorer:
    """Scores rows with the versions of each row's arm, or what stands in for them.

    Args:
        calling_score: The champion's calling-score model; the formula's arm asks it too, and does not use its answer.
        outcome: The champion's and the formula's outcome model.
        challengers: Versions that are rolled out, at most one for each model; each treats its own share of the hybrid
            group.
        exploration: Share of decisions left to chance, in [0, 0.2]; see `exploration`.
        n_threads: Threads for large batches; None: one per core this process may use.

    Raises:
        ConfigError: When the exploration is out of its range, or challengers do not go together, see
            `assignment.FactorialAssignment`.
    """

    def __init__(
        self,
        calling_score: ServedModel | MissingModel,
        outcome: ServedModel | MissingModel,
        *,
        challengers: Sequence[ServedChallenger] = (),
        exploration: float = 0.0,
        n_threads: int | None = None,
    ) -> None:
        if not 0.0 <= exploration <= MAX_EXPLORATION:
            raise ConfigError(f"exploration is {exploration:g}; expected a share from 0 to {MAX_EXPLORATION:g}")
        self.calling_score = calling_score
        self.outcome = outcome
        order = {spec.name: place for place, spec in enumerate(deciding_models())}
        challengers = sorted(challengers, key=lambda one: order.get(one.challenger.model_type, len(order)))
        self.assignment = _assignment(calling_score, outcome, [one.challenger for one in challengers])
        self._arms = self.assignment.arms
        self._piece_rows = _PIECE_ROWS * (2 if challengers else 1)
        self._limits = np.array([arm.weight for arm in self._arms])
        answering = {one.challenger: one.model for one in challengers}
        asked = [
            {**self.models, **{one.model_type: answering[one] for one in self.assignment.treated_in(position)}}
            for position in range(len(self._arms))
        ]
        self._neural, self._filter = (
            _Asked([models[model_in(role).name] for models in asked])
            for role in (Role.NEURAL_SCORE, Role.OUTCOME_FILTER)
        )
        self._filter_on = np.array([model.filter_on for model in self._filter.models])
        self.exploration = exploration
        self.n_threads = n_threads or len(os.sched_getaffinity(0))

    @property
    def models(self) -> dict[str, ServedModel | MissingModel]:
        """The champion's versions that are to answer, by model."""
        return by_model(self.calling_score, self.outcome)

    def models_of(self, position: int) -> dict[str, ServedModel | MissingModel]:
        """Tell which versions are to answer for an arm.

        Args:
            position: Where it stands among the arms of the assignment.

        Returns:
            The versions, by model.
        """
        return by_model(self._neural.models[position], self._filter.models[position])

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
        check_shapes(inputs, explores=self.exploration > 0.0, n_arms=len(self._arms))
        size = self._piece_rows
        first = self._score_piece(inputs, 0, min(size, inputs.n_rows), _Scratch())
        if inputs.n_rows <= size:
            return first
        whole = WholeScores(first, inputs.n_rows)
        starts = iter(range(size, inputs.n_rows, size))

        def work(_: int) -> None:
            scratch = _Scratch()
            for start in starts:
                stop = min(start + size, inputs.n_rows)
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
        check_unit("features", features, FEATURES, start)
        check_unit("history", history, HISTORY_FEATURES, start)
        check_range("trend_boost", boost, *TREND_BOOST_RANGE, start)
        check_range("trajectory_potential", potential, 0.0, 1.0, start)
        check_range("positive_influence", influence, 0.0, 1.0, start)

        formula = score_columns(scratch.columns(features), trajectory_potential=potential, positive_influence=influence)
        hybrid = inputs.hybrid[start:stop]
        if inputs.position is None:
            position = np.where(hybrid, np.int8(CHAMPION_POSITION), np.int8(FORMULA_POSITION))
        else:
            position = inputs.position[start:stop]
        neural, neural_fallback = self._neural.answers(features, position, scratch)
        both = scratch.side_by_side(features, history)
        probability, outcome_fallback = self._filter.answers(both, position, scratch)
        silent = outcome_fallback != ANSWERED
        if silent.any():
            probability[silent] = outcome_rule(both[silent])
        weight = self._weights(features, position, neural_fallback == ANSWERED)
        filter_on = self._filter_on[position]
        decision = decide_calls(
            formula.score, neural, probability, weight=weight, trend_boost=boost, filter_on=filter_on
        )
        called, explored, propensity = decision.called, np.zeros(stop - start, bool), np.ones(stop - start)
        if self.exploration > 0.0 and inputs.chance is not None:
            called, explored, propensity = explore(
                called, decision.blocked, decision.hybrid_score, inputs.chance[start:stop], share=self.exploration
            )
        return Scores(
            formula=formula,
            neural_score=neural,
            outcome_probability=probability,
            weight=weight,
            hybrid_score=decision.hybrid_score,
            score=decision.score,
            called=called,
            filter_on=filter_on,
            blocked=decision.blocked,
            explored=explored,
            propensity=propensity,
            hybrid=hybrid,
            calling_score_fallback=neural_fallback,
            outcome_fallback=outcome_fallback,
            position=position,
            arms=self._arms,
        )

    def _weights(self, features: np.ndarray, position: np.ndarray, answered: np.ndarray) -> np.ndarray:
        weights: np.ndarray = np.where(answered, self._limits[position], 0.0)
        for place, model in enumerate(self._neural.models):
            if place != FORMULA_POSITION and isinstance(model, ServedModel) and model.confidence is not None:
                rows = np.flatnonzero(answered & (position == place))
                weights[rows] = model.confidence.weights(features[rows], self._arms[place].weight)
        return weights


def _assignment(
    calling_score: ServedModel | MissingModel, outcome: ServedModel | MissingModel, challengers: Sequence[Challenger]
) -> FactorialAssignment:
    versions = by_model(calling_score.version, outcome.version)
    weight = calling_score.weight if isinstance(calling_score, ServedModel) else 0.0
    return FactorialAssignment(
        formula=Arm(FORMULA_ARM, versions, weight=0.0),
        champion=Arm(arm_id(calling_score.version), versions, weight),
        challengers=tuple(challengers),
    )


class _Asked:
    """The models that answer for the arms: each is asked once for all rows of all arms that have it.

    Args:
        models: By the position of the arm.
    """

    def __init__(self, models: Sequence[ServedModel | MissingModel]) -> None:
        self.models = tuple(models)
        self._different = list({id(model): model for model in models}.values())
        numbers = {id(model): number for number, model in enumerate(self._different)}
        self._number = np.array([numbers[id(model)] for model in models], np.int8)

    def answers(self, inputs: np.ndarray, position: np.ndarray, scratch: "_Scratch") -> tuple[np.ndarray, np.ndarray]:
        """Answer rows, each by the model of its arm; NaN and the reason where that one does not answer."""
        if len(self._different) == 1:
            return _answers(self._different[0], inputs)
        answers, fallback = np.empty(len(inputs)), np.empty(len(inputs), np.int8)
        number = self._number[position]
        for which, model in enumerate(self._different):
            rows = np.flatnonzero(number == which)
            if len(rows):
                answers[rows], fallback[rows] = _answers(model, scratch.rows(inputs, rows))
        return answers, fallback


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


class _Scratch:
    """Memory of one thread for one piece: asking the system for it again and again costs more than the arithmetic."""

    def __init__(self) -> None:
        self._columns = np.empty((len(FEATURES), 0))
        self._both = np.empty((0, len(FEATURES) + len(HISTORY_FEATURES)), np.float32)
        self._rows: dict[int, np.ndarray] = {}

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

    def rows(self, inputs: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Take the rows at `(k,)` positions out of `(n, w)` float32 inputs; valid until the next call of that width."""
        width = inputs.shape[1]
        if len(self._rows.get(width, ())) < len(rows):
            self._rows[width] = np.empty((len(inputs), width), np.float32)
        # Positions that are in range anyway: checking each would copy everything once more.
        taken: np.ndarray = inputs.take(rows, axis=0, out=self._rows[width][: len(rows)], mode="clip")
        return taken
