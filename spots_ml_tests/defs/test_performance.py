"""`version_performance` over a real store: what it keeps, shows and raises the alarm about."""

import dataclasses
from datetime import date, timedelta

import dagster as dg
import pytest

from spots_ml.defs.pages.charts import SHOWN_IN_PLACE
from spots_ml.defs.pages.plots import performance_over_time
from spots_ml.monitoring.performance import METRICS
from spots_ml_tests.defs.building import World
from spots_ml_tests.defs.monitored import of_the_week, run_daily, serve_decisions

ASSET = "version_performance"


@pytest.fixture
def served(world):
    latest, day = serve_decisions(world)
    return world, latest, day


def measure(world, day):
    return run_daily(world, ASSET, job="scoring", day=day)


def test_decisions_are_measured_kept_and_shown(served):
    world, latest, day = served
    outcome = measure(world, day)
    assert outcome.result.success
    rows = {row.arm: row for row in world.store.performance.read_performance(*days_around(day))}
    assert set(rows) == {"formula", "calling_score v1.0-real"}
    expected = of_the_week(latest, day)
    assert sum(row.n_decisions for row in rows.values()) == expected.num_rows > 50
    assert all(row.n_labelled == row.n_matured == row.n_decisions for row in rows.values())

    shown = outcome.metadata[ASSET]
    assert (shown["day"], shown["n_decisions"], shown["fallback_rate"]) == (day, expected.num_rows, 0.0)
    for arm, row in rows.items():
        told = shown[f"{arm} (served)"]
        assert f"| decisions | {row.n_decisions} |" in told and f"| agents | {row.n_agents} |" in told
        assert f"| called | {100 * row.called_rate.value:.1f}% (" in told
        assert f"| labelled | {row.n_labelled} |" in told and "| expired | 0 |" in told
        assert len(told) < SHOWN_IN_PLACE
    for metric in METRICS:
        for arm, row in rows.items():
            assert shown[f"{metric}/{arm} (served)"] == pytest.approx(row.metric(metric).value, rel=1e-4)
    for name in ("called_rate_plot (served)", "positive_outcome_rate_plot (served)"):
        assert shown[name].startswith("![") and len(shown[name]) < SHOWN_IN_PLACE


def test_both_checks_pass_when_models_answered_and_history_was_served_right(served):
    world, _, day = served
    checks = measure(world, day).checks
    assert checks["fallback_rate"].passed and checks["served_history"].passed
    assert "bit for bit what training computes" in checks["served_history"].description


def test_measured_again_it_gives_the_same_rows_and_digest(served):
    world, _, day = served
    first = measure(world, day).metadata[ASSET]["digest"]
    before = world.store.performance.read_performance(*days_around(day))
    assert measure(world, day).metadata[ASSET]["digest"] == first
    assert world.store.performance.read_performance(*days_around(day)) == before


def test_a_fallback_above_the_limit_raises_an_alert_and_does_not_fail_the_run(world):
    def fall_back(row):
        return {**row, "neural_score": None, "fallback": "calling_score: damaged"} if row["group"] == "hybrid" else row

    _, day = serve_decisions(world, change=fall_back)
    outcome = measure(world, day)
    check = outcome.checks["fallback_rate"]
    assert outcome.result.success
    assert (check.passed, check.severity, check.blocking) == (False, dg.AssetCheckSeverity.ERROR, False)
    assert check.description.startswith("calling_score v1.0-real (served): 100.0% of ")
    assert "by reason: calling_score: damaged" in check.description
    shown = outcome.metadata[ASSET]
    assert shown["state"].startswith("FALLBACK: ")
    assert "| calling_score v1.0-real | served | calling_score: damaged |" in shown["fallbacks"]


def test_where_somebody_chose_to_have_no_active_version_the_page_raises_no_alarm_either(world):
    _, day = serve_decisions(world, change=lambda row: {**row, "fallback": "outcome: no_version"})
    outcome = measure(world, day)
    assert outcome.checks["fallback_rate"].passed
    assert outcome.metadata[ASSET]["state"].startswith("nothing broke, but a model had no active")


def test_the_limit_is_a_setting(world):
    last = f"{299:032x}"
    _, day = serve_decisions(
        world, change=lambda row: {**row, "fallback": "outcome: slow"} if row["decision_id"] == last else row
    )
    check = measure(world, day).checks["fallback_rate"]
    assert not check.passed and "at most 1.0% may; by reason: outcome: slow 1" in check.description
    lenient = World(world.instance, dataclasses.replace(world.settings, max_fallback_share=0.1), world.clock)
    assert measure(lenient, day).checks["fallback_rate"].passed


def test_the_maturity_window_is_a_setting(served):
    world, _, day = served
    world = World(world.instance, dataclasses.replace(world.settings, maturity_hours=1.0), world.clock)
    assert measure(world, day).result.success
    rows = world.store.performance.read_performance(*days_around(day))
    assert all(row.n_expired > 0 and row.maturity_hours == 1.0 for row in rows)


def test_history_that_was_not_what_training_sees_is_an_error_with_the_first_mismatch(world):
    def wrong(row):
        return {**row, "past_positive_rate": 0.123}

    _, day = serve_decisions(world, change=wrong)
    check = measure(world, day).checks["served_history"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "past_positive_rate of " in check.description and "served as 0.123" in check.description


def test_history_that_nobody_served_proves_nothing_and_warns(world):
    _, day = serve_decisions(world, change=lambda row: {**row, "watermark": None})
    check = measure(world, day).checks["served_history"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "nothing was compared" in check.description


def test_without_decisions_it_says_what_to_do_and_passes(world):
    outcome = measure(world, "2026-11-01")
    assert outcome.result.success
    state = outcome.metadata[ASSET]["state"].replace("  \n", " ")
    assert "served is what `spots-ml score --log` decides at the moment of its requests" in state
    assert all(check.passed for check in outcome.checks.values())
    assert outcome.metadata[ASSET]["n_decisions"] == 0


def test_the_picture_has_the_formula_and_the_two_newest_versions_over_time(served):
    world, _, day = served
    measure(world, day)
    formula, version = sorted(
        world.store.performance.read_performance(*days_around(day)), key=lambda row: row.arm != "formula"
    )
    course = []
    for age in range(30):
        at = formula.day.fromordinal(formula.day.toordinal() - age)
        course.append(formula.model_copy(update={"day": at}))
        number = 3 - age // 10
        course.append(version.model_copy(update={"day": at, "arm": f"calling_score v1.{number}-real"}))
    picture = performance_over_time(course, "called_rate").value
    assert len(picture) < SHOWN_IN_PLACE
    assert all(name in picture for name in ("formula", "v1.3-real", "v1.2-real", f"days before {day}"))
    assert "v1.1-real" not in picture


def test_a_metric_that_is_defined_on_no_day_is_a_sentence(served):
    world, _, day = served
    measure(world, day)
    rows = world.store.performance.read_performance(*days_around(day))
    undefined = [
        row.model_copy(update={"called_rate": row.called_rate.model_copy(update={"value": None})}) for row in rows
    ]
    assert performance_over_time(undefined, "called_rate").value == "no day with a called rate yet"


def test_one_day_alone_is_drawn_as_arms_with_their_intervals_and_not_as_a_course(served):
    world, _, day = served
    measure(world, day)
    rows = world.store.performance.read_performance(*days_around(day))
    picture = performance_over_time(rows, "called_rate").value
    assert "the only day so far" in picture and len(picture) < SHOWN_IN_PLACE
    assert all(row.arm in picture for row in rows)


def days_around(day):
    return date.fromisoformat(day), date.fromisoformat(day) + timedelta(days=1)
