"""What was served, beside what the formula alone would have called."""

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.monitoring.served_effect import measure_served


def decisions(n_rows=400, **changes):
    formula = np.tile([0.9, 0.5, 0.5, 0.5, 0.5], n_rows)[:n_rows]
    columns = {
        "agent_id": [f"agent-{row % 50}" for row in range(n_rows)],
        "origin": ["served"] * n_rows,
        "group": ["hybrid"] * n_rows,
        "version": ["v1.0-real"] * n_rows,
        "arm": ["calling_score v1.0-real"] * n_rows,
        "weight": np.full(n_rows, 0.1),
        "formula_score": formula,
        "neural_score": formula,
        "outcome_probability": np.full(n_rows, 0.5),  # with a filter that is on nobody would pass
        "score": formula,
        "blocked": np.zeros(n_rows, bool),
        "called": formula >= 0.7,
        "explored": np.zeros(n_rows, bool),
        "fallback": pa.nulls(n_rows, pa.string()),
        "trend_boost": pa.nulls(n_rows, pa.float64()),
    }
    return pa.table(columns | changes)


def the_one(table):
    (found,) = measure_served(table, seed=0, n_resamples=50)
    return found


def test_calls_like_the_formulas_are_within_bounds():
    found = the_one(decisions())
    assert found.problems == ()
    assert found.too_few is None
    assert (found.effect.called.value, found.effect.changed.value, found.fallback.value) == (0.2, 0.0, 0.0)


def test_a_platform_that_calls_nobody_is_an_alarm():
    found = the_one(decisions(called=np.zeros(400, bool), blocked=np.ones(400, bool)))
    assert found.effect.blocked.value == 1.0
    told = " ".join(found.problems)
    assert "0.0% are called, at least" in told
    assert "100.0% of the would-be calls are blocked" in told


def test_a_platform_that_calls_everybody_is_an_alarm():
    assert "at most" in " ".join(the_one(decisions(called=np.ones(400, bool))).problems)


@pytest.mark.parametrize(("n_rows", "agents"), [(99, None), (400, "one")])
def test_few_decisions_are_told_as_such_and_are_no_alarm(n_rows, agents):
    changes = {"called": np.zeros(n_rows, bool)} | ({} if agents is None else {"agent_id": [agents] * n_rows})
    found = the_one(decisions(n_rows, **changes))
    assert found.problems == ()
    assert "too few" in found.too_few


def test_replays_and_coins_say_nothing_about_what_was_served():
    assert measure_served(decisions(origin=["replayed"] * 400), seed=0) == ()
    coins = np.arange(400) >= 200
    found = the_one(decisions(called=np.where(coins, ~coins, np.tile([True, *[False] * 4], 80)), explored=coins))
    assert (found.effect.n_rows, found.effect.changed.value) == (200, 0.0)


@pytest.mark.parametrize("boost", [-0.1, 0.0, 0.2])
@pytest.mark.parametrize("probability", [0.5, 0.95])
def test_the_trend_is_no_work_of_a_version(boost, probability):
    formula = np.tile([0.75, 0.6, 0.65, 0.5, 0.95], 80)
    passes = probability > 0.7
    score = formula * (probability if passes else 1.0) * (1.0 + boost)
    found = the_one(
        decisions(
            formula_score=formula,
            neural_score=formula,
            outcome_probability=np.full(400, probability),
            score=score,
            called=score >= 0.7,
        )
    )
    before = (formula * (1.0 + boost) >= 0.7).mean()
    assert found.effect.called_before.value == before
    if not passes:
        assert (found.effect.changed.value, found.effect.blocked.value, found.problems) == (0.0, 0.0, ())


def test_the_trend_that_a_decision_tells_counts_also_where_the_filter_said_no():
    formula = np.tile([0.65, 0.5, 0.5, 0.5, 0.9], 80)
    found = the_one(
        decisions(
            formula_score=formula,
            neural_score=formula,
            score=formula,
            blocked=np.ones(400, bool),
            called=np.zeros(400, bool),
            trend_boost=np.full(400, 0.2),
        )
    )
    assert (found.effect.called_before.value, found.effect.blocked.value) == (0.4, 1.0)
