"""A version is held against what it promised, on the decisions of people who come back."""

import math
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from spots_ml.monitoring.causes.promise import LEVEL, NEEDED, Promise, hold_against, starts
from spots_ml_tests.monitoring.promising import START, days, decided

MATURITY = timedelta(hours=48)


def squared_errors(table):
    outcome = table["outcome_score"].to_numpy()
    return [float(np.mean((table[name].to_numpy() - outcome) ** 2)) for name in ("neural_score", "formula_score")]


def promise_of(*, seed=99, **law):
    """What very many other agents of the same law say."""
    network, formula = squared_errors(decided(np.random.default_rng(seed), days=60, agents=2_000, **law))
    return Promise(network, formula, formula - network)


def held(table, promise, *, day, tolerance=0.0, since=START):
    now = days(day)
    known = table.filter(pc.less(table["decided_at"], pa.scalar(now, table["decided_at"].type)))
    return hold_against(
        known, promise, version="v1.0-real", since=since, now=now, maturity=MATURITY, tolerance=tolerance
    )


def test_an_agents_unit_is_its_mean_excess_over_seven_days_from_its_first_decision():
    at = [days(0), days(6.9), days(7.1), days(1)]
    table = pa.table(
        {
            "agent_id": ["a", "a", "a", "b"],
            "version": ["v1.0-real"] * 4,
            "neural_score": [0.5, 0.7, 0.1, 0.6],
            "formula_score": [0.6, 0.6, 0.1, 0.6],
            "decided_at": pa.array(at, pa.timestamp("us", "UTC")),
            "outcome_type": ["positive"] * 4,
            "outcome_score": [0.8, 0.8, 0.8, 0.2],
            "outcome_at": pa.array(at, pa.timestamp("us", "UTC")),
            "first_outcome_at": pa.nulls(4, pa.timestamp("us", "UTC")),
        }
    )
    promise = Promise(0.02, 0.03, 0.01)
    before = held(table, promise, day=7 + 2 - 0.01)
    assert (before.n_agents, before.excess) == (0, None)

    # a: (0.09 - 0.04 + 0.01 - 0.04) / 2, its third decision is of no window; b: 0, and its window ends a day later.
    one = held(table, promise, day=9)
    assert (one.n_agents, one.since) == (1, START)
    assert one.excess == pytest.approx(0.01)
    assert held(table, promise, day=10).excess == pytest.approx(0.005)


def test_what_is_tolerated_is_a_share_of_the_formulas_error():
    assert Promise(0.02, 0.03, 0.01).limit(0.1) == pytest.approx(-0.007)


def test_other_versions_late_outcomes_and_decisions_without_an_answer_count_in_nothing():
    table = decided(np.random.default_rng(0), days=20)
    at = pc.add(table["decided_at"], pa.scalar(timedelta(hours=49), pa.duration("us")))
    left_out = {
        "version": pa.array(["v2.0-real"] * table.num_rows),
        "neural_score": pa.nulls(table.num_rows, pa.float64()),
        "outcome_score": pa.nulls(table.num_rows, pa.float64()),
        "outcome_at": at,
    }
    assert held(table, promise_of(), day=20).n_agents > 100
    for name, column in left_out.items():
        changed = table.set_column(table.column_names.index(name), name, column)
        assert held(changed, promise_of(), day=20).n_agents == 0, name


def test_starts_are_a_week_apart_from_the_promotion_on_and_none_is_older_than_six_weeks():
    assert starts(START, START - timedelta(days=1)) == []
    assert starts(START, days(15)) == [days(0), days(7), days(14)]
    later = starts(START, days(100))
    assert (later[0], later[-1]) == (days(63), days(98))
    assert all((start - START) % timedelta(days=7) == timedelta(0) for start in later)


def test_the_error_of_a_year_is_shared_by_its_starts():
    assert (365 / 7) * math.exp(-NEEDED) == pytest.approx(LEVEL)


def test_a_start_sees_a_fall_that_is_none_in_at_most_its_share_of_the_worlds():
    """At the very edge of the hypothesis, tolerance 0; agents come back, so rows would be no units."""
    promise = promise_of()
    random = np.random.default_rng(1)
    peaks = [held(decided(random, days=16, agents=150, active=0.6), promise, day=16).log_e for _ in range(100)]

    assert np.mean(np.array(peaks) >= math.log(20)) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 100)


def test_a_start_sees_no_fall_either_where_most_scores_are_close_and_few_are_far_apart():
    """The lead is all in every tenth decision, as where a filter or a band of scores makes the difference."""
    random = np.random.default_rng(6)
    peaks = []
    for _ in range(100):
        table = decided(random, days=16, agents=150, active=0.6)
        close = random.random(table.num_rows) < 0.9
        column = np.where(close, table["formula_score"].to_numpy(), table["neural_score"].to_numpy())
        index = table.column_names.index("neural_score")
        table = table.set_column(index, "neural_score", pa.array(column))
        peaks.append(held(table, Promise(0.0243, 0.0263, 0.1 * promise_of().lead), day=16).log_e)

    assert np.mean(np.array(peaks) >= math.log(20)) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 100)


def test_a_version_whose_error_grew_is_found_while_the_formulas_stays():
    promise = promise_of()
    table = decided(np.random.default_rng(2), days=60, network=lambda day: np.where(day < 21, 0.04, 0.11))

    assert not held(table, promise, day=21, tolerance=0.1).fell
    found = held(table, promise, day=60, tolerance=0.1)
    assert found.fell and found.since >= days(14) and found.excess > found.limit


@pytest.mark.parametrize("law", [{"base": lambda day: 0.1 * np.sin(day / 9)}, {"formula": 0.1, "network": 0.08}])
def test_what_is_so_for_all_is_no_fall_of_the_version(law):
    """The base rate moves, or everything is harder to foresee."""
    promise = promise_of()
    table = decided(np.random.default_rng(3), days=60, **law)
    grown = squared_errors(table)[0] - promise.network
    assert grown > 0.1 * promise.formula  # by itself it looks as if it had fallen

    assert not any(held(table, promise, day=day, tolerance=0.1).fell for day in range(10, 61, 5))


def with_formula_too_high(table, by=0.1):
    index = table.column_names.index("formula_score")
    return table.set_column(index, "formula_score", pa.array(table["formula_score"].to_numpy() + by))


@pytest.mark.parametrize(("moves_by", "falls"), [(0.1, True), (-0.1, False)])
def test_a_base_rate_that_moves_to_the_formulas_level_takes_the_lead_that_the_network_had_by_its_own(moves_by, falls):
    """By 2 x what it moves x (network - formula), which is what a version lost beside the formula, whoever moved."""
    law = {"days": 60, "agents": 400}
    still = with_formula_too_high(decided(np.random.default_rng(5), **law))
    moved = with_formula_too_high(decided(np.random.default_rng(5), **law, base=lambda day: 0.0 * day + moves_by))
    network, formula = squared_errors(still)
    promise = Promise(network, formula, formula - network)

    held_still, held_moved = (held(table, promise, day=60, tolerance=0.1) for table in (still, moved))
    excess, moved_excess = (float(np.subtract(*squared_errors(table))) for table in (still, moved))
    assert moved_excess - excess == pytest.approx(2 * 0.1 * moves_by, rel=0.1)
    assert (held_still.fell, held_moved.fell) == (False, falls)


def test_what_was_counted_once_stays_as_it_was():
    """The units of a start are a beginning of those of every later look."""
    table = decided(np.random.default_rng(4), days=16)
    promise = promise_of()
    once = held(table, promise, day=12)
    again = held(table.slice(0, table.num_rows), promise, day=16)
    assert again.since == once.since == START
    assert again.n_agents > once.n_agents and again.log_e >= once.log_e
