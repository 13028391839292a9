"""How each arm did: worked by hand, then at maturity's edges, then in any order."""

import json
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest

from spots_ml.errors import ConfigError
from spots_ml.monitoring.performance import METRICS, PerformanceRow, excessive_fallbacks, measure_performance
from spots_ml_tests.monitoring.deciding import NOW, decision, decisions

TODAY = date(2026, 11, 21)


def measure(rows, **changes):
    return measure_performance(decisions(rows), **{"day": TODAY, "now": NOW, "seed": 1, "n_resamples": 200, **changes})


def only(rows, **changes):
    (row,) = measure(rows, **changes)
    return row


def values(row):
    return {name: row.metric(name).value for name in METRICS}


def test_one_arm_worked_by_hand():
    row = only(
        [
            decision("a", score=0.9, called=True, outcome=0.8),
            decision("a", score=0.7, called=True, outcome=0.5),
            decision("b", score=0.5, outcome=0.1, fallback="outcome: slow"),
            decision("b", score=0.1),  # expired: no outcome came
            decision("c", score=0.3, hours_ago=10, outcome=1.0),  # young: its outcome is there, but does not count
        ]
    )
    assert (row.arm, row.origin, row.day) == ("calling_score v1.0-real", "served", TODAY)
    assert (row.n_decisions, row.n_agents, row.n_matured, row.n_labelled, row.n_expired) == (5, 3, 4, 3, 1)
    assert values(row) == {
        "called_rate": 0.4,
        "positive_outcome_rate": pytest.approx(1 / 3),
        "mean_calling_score": 0.5,
        "mean_outcome_score": pytest.approx(1.4 / 3),
        "fallback_rate": 0.2,
    }
    assert row.fallbacks == {"outcome: slow": 1}
    assert all(row.metric(name).low <= row.metric(name).value <= row.metric(name).high for name in METRICS)


def test_outcomes_that_were_corrected_days_later_count_from_when_they_first_came_as_what_they_are_now():
    rows = [decision(f"agent {number}", outcome=0.9, hours_ago=200) for number in range(7)]
    for number, score in enumerate((0.9, 0.1, 0.1)):
        corrected = decision(f"agent {7 + number}", outcome=score, outcome_after=150, hours_ago=200)
        rows.append(corrected | {"first_outcome_at": corrected["decided_at"] + timedelta(hours=1)})
    row = only(rows, day=date(2026, 11, 14))

    assert (row.n_labelled, row.n_expired) == (10, 0)
    assert row.positive_outcome_rate.value == 0.8


def test_what_decided_is_the_arm_and_replays_count_in_none():
    rows = measure(
        [
            decision(group="formulaBased", version="v1.0-real"),
            decision(group="formulaBased", version=None),
            decision(version="v1.1-real"),
            decision(version=None, fallback="calling_score: no_version"),
            decision(version="v1.1-real", origin="replayed"),
        ]
    )
    assert [(row.arm, row.origin, row.n_decisions) for row in rows] == [
        ("calling_score none", "served", 1),
        ("calling_score v1.1-real", "served", 1),
        ("formula", "served", 2),
    ]


def test_an_arms_numbers_do_not_depend_on_the_other_arms():
    mine = [decision(agent, score=score) for agent, score in (("a", 0.2), ("b", 0.9), ("c", 0.4))]
    others = [decision("z", group="formulaBased"), decision("y", version="v0.1-real")]
    assert only(mine) in measure(mine + others)


def test_the_window_is_seven_whole_days_up_to_the_day():
    edges = [
        datetime(2026, 11, 12, 23, 59, 59, 999999, UTC),
        datetime(2026, 11, 13, tzinfo=UTC),
        datetime(2026, 11, 19, 23, 59, 59, 999999, UTC),
        datetime(2026, 11, 20, tzinfo=UTC),
    ]
    rows = [decision(decided_at=moment, score=0.1 * place) for place, moment in enumerate(edges)]
    row = only(rows, day=date(2026, 11, 19))
    assert (row.n_decisions, row.mean_calling_score.value) == (2, pytest.approx(0.15))
    assert only(rows, day=date(2026, 11, 19), window_days=1).n_decisions == 1


def test_maturity_is_honoured_to_the_hour():
    rows = [
        decision(hours_ago=48, outcome=0.9, outcome_after=48),
        decision(hours_ago=48, outcome=0.9, outcome_after=49),
        decision(hours_ago=47, outcome=0.9),
    ]
    row = only(rows)
    assert (row.n_matured, row.n_labelled, row.n_expired) == (2, 1, 1)
    sooner = only(rows, maturity=timedelta(hours=24))
    assert (sooner.n_matured, sooner.n_labelled, sooner.n_expired) == (3, 1, 2)
    assert (row.maturity_hours, sooner.maturity_hours) == (48.0, 24.0)


def test_counting_early_labels_would_have_biased_the_comparison():
    """Positive outcomes come within the hour, others after a day: the young decisions show positive ones only."""
    rows = []
    for place in range(60):
        good = place % 2 == 0
        delay = 1.0 if good else 30.0
        for hours_ago in (20.0, 100.0):
            known = delay <= hours_ago
            rows.append(
                decision(
                    f"agent-{place}",
                    hours_ago=hours_ago,
                    outcome=(0.9 if good else 0.2) if known else None,
                    outcome_after=delay,
                )
            )
    at_once = only(rows, maturity=timedelta(hours=0.5))
    early = [row for row in rows if row["outcome_score"] is not None]
    assert np.mean([row["outcome_type"] == "positive" for row in early]) == pytest.approx(2 / 3)
    assert only(rows).positive_outcome_rate.value == 0.5
    assert at_once.positive_outcome_rate.value is None  # nothing comes within half an hour


def test_nothing_labelled_leaves_outcomes_undefined_and_the_rest_defined():
    row = only([decision("a"), decision("b")])
    assert (row.positive_outcome_rate.value, row.mean_outcome_score.low) == (None, None)
    assert row.called_rate.value == 0.0


def test_one_agent_has_values_without_intervals():
    row = only([decision("a", outcome=0.9), decision("a", outcome=0.1)])
    assert row.positive_outcome_rate.value == 0.5
    assert all(row.metric(name).low is None and row.metric(name).high is None for name in METRICS)


def test_no_decisions_give_no_rows():
    assert measure([]) == ()
    assert measure([decision(hours_ago=24 * 30)]) == ()


def many(n_rows=400):
    generator = np.random.default_rng(8)
    return [
        decision(
            f"agent-{generator.integers(30)}",
            hours_ago=float(generator.uniform(0, 140)),
            score=float(generator.random()),
            called=bool(generator.random() < 0.4),
            group="formulaBased" if generator.random() < 0.5 else "hybrid",
            outcome=float(generator.random()) if generator.random() < 0.7 else None,
            outcome_after=float(generator.uniform(0, 60)),
            fallback="calling_score: slow" if generator.random() < 0.1 else None,
        )
        for _ in range(n_rows)
    ]


def test_the_order_of_the_rows_changes_nothing_to_the_last_bit():
    table = decisions(many())
    order = np.random.default_rng(3).permutation(table.num_rows)
    options = {"day": TODAY, "now": NOW, "seed": 1, "n_resamples": 200}
    assert measure_performance(table.take(order), **options) == measure_performance(table, **options)


def test_measured_again_it_is_the_same_and_another_seed_moves_the_intervals_alone():
    first, again, other = (measure(many(), seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert [values(row) for row in first] == [values(row) for row in other]


def test_counts_add_up():
    for row in measure(many()):
        assert row.n_matured == row.n_labelled + row.n_expired <= row.n_decisions
        assert sum(row.fallbacks.values()) == round(row.fallback_rate.value * row.n_decisions)


def test_a_row_survives_json_and_holds_no_nan():
    for row in measure([*many(), decision("lonely", version="v9.9-real")]):
        text = row.model_dump_json()
        json.loads(text, parse_constant=pytest.fail)
        assert PerformanceRow.model_validate_json(text) == row


def test_a_decision_in_which_both_models_failed_counts_for_both_reasons():
    row = only([decision(fallback="calling_score: damaged, outcome: slow"), decision(fallback="outcome: slow")])
    assert row.fallbacks == {"calling_score: damaged": 1, "outcome: slow": 2}
    assert row.fallback_rate.value == 1.0


def test_a_past_day_can_be_measured_and_a_future_one_cannot():
    rows = [decision(hours_ago=100)]
    assert only(rows, day=date(2026, 11, 18)).day == date(2026, 11, 18)
    with pytest.raises(ConfigError, match="ahead of today, 2026-11-21"):
        measure(rows, day=date(2026, 11, 22))


def test_today_is_a_day_in_utc():
    night = NOW.replace(hour=1).astimezone(timezone(timedelta(hours=-5)))
    assert only([decision()], now=night).day == TODAY


@pytest.mark.parametrize("changes", [{"window_days": 0}, {"maturity": timedelta(-1)}, {"n_resamples": 0}])
def test_numbers_out_of_range_are_refused(changes):
    with pytest.raises(ConfigError):
        measure([decision()], **changes)


def test_that_no_version_is_active_is_no_alert():
    chosen = measure([decision(fallback="calling_score: no_version, outcome: no_version") for _ in range(10)])
    assert chosen[0].fallback_rate.value == 1.0
    assert excessive_fallbacks(chosen, 0.01) == ()
    broken = measure([decision(fallback="calling_score: no_version, outcome: damaged") for _ in range(10)])
    assert len(excessive_fallbacks(broken, 0.01)) == 1


def test_an_alert_names_the_arm_its_share_and_the_reasons():
    rows = measure(
        [decision(fallback="calling_score: damaged") for _ in range(3)]
        + [decision() for _ in range(97)]
        + [decision(group="formulaBased") for _ in range(50)]
    )
    assert excessive_fallbacks(rows, 0.03) == ()
    assert excessive_fallbacks(rows, 0.029) == (
        "calling_score v1.0-real (served): 3.0% of 100 decisions fell back, at most 2.9% may; "
        "by reason: calling_score: damaged 3",
    )
