"""Logged decisions made again: the same where nothing changed, and left out where the log cannot vouch for it."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.experiments.forecasting.decided_again import decide_again
from spots_ml.experiments.forecasting.matured_values import matured_values
from spots_ml.experiments.policy import OutcomeValues, RolloutPolicy
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.scoring.decision_log.fields import DECISIONS_WITH_OUTCOMES
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel, ServedModel
from spots_ml_tests.scoring.deciding import decide
from spots_ml_tests.stores.keeping_interactions import NOW, interaction


class Answering:
    """Answers with one of the inputs."""

    def __init__(self, column):
        self.column = column

    def predict(self, inputs):
        return inputs[:, self.column]


NO_FILTER = MissingModel("no_version", "none yet", filter_on=False)


def blending(column, weight):
    return Scorer(ServedModel("v1.0-real", Answering(column), weight), NO_FILTER)


def likely(number, **changes):
    """Someone who would like to go, so that some are called."""
    row = interaction(number)
    generator = np.random.default_rng(number)
    high = {name: float(generator.uniform(0.55, 1.0)) for name, value in row.items() if isinstance(value, float)}
    return row | high | {"outcome_type": "positive", "outcome_score": 0.9} | changes


ROWS = [likely(number) for number in range(300)]


def batches(rows, size=97):
    table = pa.Table.from_pylist([{"position": at, **row} for at, row in enumerate(rows)], schema=INTERACTIONS)
    return [batch for batch in table.to_batches(max_chunksize=size)][::-1]


def test_what_decided_then_decides_the_same_again_and_another_as_it_would_have():
    logged = decide(ROWS, now=NOW, scorer=blending(0, 0.1))
    again = decide_again(logged, batches(ROWS), [blending(0, 0.1), blending(24, 0.9)])

    assert again.left_out == {}
    assert again.decisions.equals(logged)
    hybrid = np.array(logged["group"].to_pylist()) == "hybrid"
    assert (again.called[hybrid, 0] == logged["called"].to_numpy()[hybrid]).all()
    other = decide(ROWS, now=NOW, scorer=blending(24, 0.9))["called"].to_numpy()
    assert (again.called[hybrid, 1] == other[hybrid]).all()
    assert 0 < other[hybrid].sum() < hybrid.sum() and (other != logged["called"].to_numpy())[hybrid].any()
    assert again.inputs[:, 45] == pytest.approx(logged["formula_score"].to_numpy())


def test_agents_of_the_other_group_are_decided_as_the_hybrid_ones_would_be():
    logged = decide(ROWS, now=NOW, scorer=blending(24, 0.9))
    again = decide_again(logged, batches(ROWS), [blending(24, 0.9)])
    others = np.array(logged["group"].to_pylist()) != "hybrid"
    assert (again.called[others, 0] != logged["called"].to_numpy()[others]).any()


def test_decisions_whose_grounds_are_not_there_are_left_out_by_reason():
    fed_more = likely(3, trajectory_potential=0.99)
    asked = [likely(0), likely(1), likely(2), fed_more]
    kept = [likely(0), likely(1) | {"location_proximity": 0.123}, likely(3)]
    again = decide_again(decide(asked, now=NOW), batches(kept), [blending(0, 0.1)])

    assert again.decisions["opportunity_id"].to_pylist() == ["spot 0"]
    assert again.left_out == {"other_features": 1, "no_interaction": 1, "fed_more": 1}


def test_moments_are_the_same_within_a_millisecond():
    moment = ROWS[0]["scored_at"]
    asked = ROWS[0] | {"scored_at": moment + timedelta(microseconds=400)}
    again = decide_again(decide([asked], now=NOW), batches([ROWS[0]]), [blending(0, 0.1)])
    assert again.decisions.num_rows == 1


def test_the_trend_of_the_moment_is_that_of_the_log():
    rows = [row | {"trend_boost": 0.2} for row in ROWS]
    logged = decide(rows, now=NOW, scorer=blending(0, 0.1))
    again = decide_again(logged, batches(ROWS), [blending(0, 0.1)])
    hybrid = np.array(logged["group"].to_pylist()) == "hybrid"
    assert (again.called[hybrid, 0] == logged["called"].to_numpy()[hybrid]).all()
    plain = decide(ROWS, now=NOW, scorer=blending(0, 0.1))["called"].to_numpy()
    assert plain.sum() < logged["called"].to_numpy().sum()


def test_no_interactions_leave_every_decision_out():
    again = decide_again(decide(ROWS[:2], now=NOW), [], [blending(0, 0.1)])
    assert (again.decisions.num_rows, again.called.shape, again.left_out) == (0, (0, 1), {"no_interaction": 2})


def valued(*rows, policy=None):
    names = ("decided_at", "called", "outcome_type", "outcome_at", "first_outcome_at")
    types = [DECISIONS_WITH_OUTCOMES.field(name) for name in names]
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=pa.schema(types))
    matured, value = matured_values(table, policy or RolloutPolicy(), now=NOW)
    return list(zip(matured.tolist(), value.tolist(), strict=True))


def test_a_decision_is_worth_what_came_of_a_call_in_time():
    then, hour = NOW - timedelta(days=3), timedelta(hours=1)
    assert valued(
        (then, True, "positive", then + hour, None),
        (then, True, "negative", then + hour, None),
        (then, True, "neutral", then + hour, None),
        (then, False, "negative", then + hour, None),
        (then, True, None, None, None),
        (then, True, "positive", then + 49 * hour, None),
        (then, True, "positive", then + 60 * hour, then + 2 * hour),
        (NOW - hour, True, "positive", NOW, None),
    ) == [(True, 1), (True, -1), (True, 0), (True, 0), (True, 0), (True, 0), (True, 1), (False, 0)]


def test_what_outcomes_are_worth_is_the_policys_to_say():
    then, hour = NOW - timedelta(days=3), timedelta(hours=1)
    policy = RolloutPolicy(values=OutcomeValues(neutral=0.25, none=-0.1), maturity_hours=24)
    assert valued(
        (then, True, "neutral", then + hour, None), (then, True, "positive", then + 25 * hour, None), policy=policy
    ) == [
        (True, 0.25),
        (True, -0.1),
    ]
