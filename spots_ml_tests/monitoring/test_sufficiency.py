"""What is there, what is missing and when it will be there."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.keeping.snapshot import write_snapshot
from spots_ml.interactions.learning.fitness import SufficiencyConfig, judge_labels
from spots_ml.interactions.learning.validation import build_dataset
from spots_ml.monitoring.arrival_rate import Arrivals, arrivals
from spots_ml.monitoring.data_forecast import measure_sufficiency, report_of_snapshot
from spots_ml_tests.interactions.reported import report

NOW = datetime(2026, 11, 21, tzinfo=UTC)
DAY = np.timedelta64(1, "D")


def arriving(per_day, days, *, until="2026-11-20"):
    """Labels spread evenly over whole days."""
    end = np.datetime64(until, "us")
    return np.concatenate([np.full(per_day, end - day * DAY) for day in range(days)])


def arrived(moments, agents=None):
    return Arrivals(moments, np.arange(len(moments)) if agents is None else agents)


def measure(n_interactions, n_labelled, arrived_at=None, agents=None, **config):
    known = None if arrived_at is None else arrived(arrived_at, agents)
    return measure_sufficiency(n_interactions, n_labelled, arrived=known, now=NOW, config=SufficiencyConfig(**config))


def missing(found):
    return [requirement.missing_labels for requirement in found.requirements]


def test_the_recommended_amount_leaves_nothing_to_ask_for():
    found = measure(20_000, 10_000)
    assert (found.missing, found.trainable) == ((), True)
    assert found.message() == "10,000 labelled of 20,000 interactions: as much as recommended"


def test_one_label_too_few_of_each_is_told():
    assert missing(measure(1_000, 999)) == [1, 0, 9_001]
    assert missing(measure(20_001, 10_000)) == [0, 1, 0]
    assert missing(measure(9_999, 9_999)) == [0, 0, 1]


def test_below_the_recommended_amount_training_is_allowed_and_below_the_others_it_is_not():
    assert measure(9_999, 9_999).trainable
    assert not measure(1_000, 999).trainable
    assert not measure(20_001, 10_000).trainable


@pytest.mark.parametrize("n_interactions", [999, 1_000, 1_001, 2_001, 9_999, 10_000, 30_000])
@pytest.mark.parametrize("n_labelled", [0, 499, 500, 999, 1_000, 4_999, 5_000, 10_000])
def test_it_agrees_with_the_gate_of_the_dataset(n_interactions, n_labelled):
    n_labelled = min(n_labelled, n_interactions)
    verdict = judge_labels(report(n_labelled, n_interactions))
    found = measure(n_interactions, n_labelled)
    assert found.trainable == verdict.passed
    if verdict.passed:
        assert bool(found.missing) == ("are recommended" in verdict.message)


def test_the_rest_is_expected_at_the_rate_of_the_last_14_days_of_the_data():
    moments = np.concatenate([arriving(10, 14), arriving(1_000, 1, until="2026-09-01")])
    found = measure(1_200, 900, moments)
    assert found.rate.per_day == 10.0
    assert found.rate.as_of == datetime(2026, 11, 20, tzinfo=UTC)
    assert [requirement.reached_at for requirement in found.requirements] == [
        NOW + timedelta(days=10),
        None,
        NOW + timedelta(days=910),
    ]
    assert found.message() == (
        "900 of 1,000 labelled interactions, to train: 100 more labels, expected on 2026-12-01; "
        "900 of 10,000 labelled interactions, recommended: 9,100 more labels, expected on 2029-05-19 "
        "(10.0 per day arrived in the 14 days up to 2026-11-20)"
    )


def test_data_of_less_than_two_weeks_is_divided_by_the_days_it_spans():
    assert measure(100, 100, arriving(10, 6)).rate.per_day == 60 / 5
    assert measure(100, 100, arriving(10, 1)).rate.per_day == 10.0  # less than a day counts as one


def test_a_label_exactly_14_days_before_the_newest_is_the_first_that_does_not_count():
    newest = np.datetime64("2026-11-20", "us")
    assert measure(9, 9, np.array([newest, newest - 14 * DAY])).rate.per_day == 1 / 14
    almost = newest - 14 * DAY + np.timedelta64(1, "us")
    assert measure(9, 9, np.array([newest, almost])).rate.per_day == pytest.approx(2 / 14)


@pytest.mark.parametrize("arrived_at", [None, np.empty(0, "datetime64[us]"), np.full(3, np.datetime64("NaT", "us"))])
def test_without_times_nothing_is_promised(arrived_at):
    found = measure(100, 3, arrived_at)
    assert (found.rate.per_day, found.rate.as_of) == (None, None)
    assert all(requirement.reached_at is None for requirement in found.requirements)
    assert "expected" not in found.message() and "unknown rate" in found.message()


def test_a_feed_that_stopped_promises_nothing_and_says_since_when_nothing_has_come():
    found = measure(672, 672, arriving(48, 15, until="2026-09-22"))

    assert all(requirement.reached_at is None for requirement in found.requirements)
    assert found.message().endswith(
        "(nothing has arrived since 2026-09-22, 60 days ago; before that 48.0 per day: no forecast)"
    )
    assert "expected" not in found.message()


@pytest.mark.parametrize(
    ("every_days", "last", "silent"),
    [(1, "2026-11-19", False), (1, "2026-11-18T00:00:00", False), (1, "2026-11-17T23:59:59", True)],
)
def test_a_daily_feed_is_silent_after_three_of_its_gaps(every_days, last, silent):
    assert measure(9, 9, arriving(4, 10, until=last)).rate.silent == silent


def test_a_slow_feed_is_waited_for_longer_than_a_fast_one():
    last = np.datetime64("2026-11-09", "us")
    weekly = np.array([last, last - 6 * DAY, last - 12 * DAY])
    hourly = last - np.arange(100) * np.timedelta64(1, "h")

    assert not measure(9, 3, weekly).rate.silent  # 12 days of silence, gaps of 6
    assert measure(9, 100, hourly).rate.silent


@pytest.mark.parametrize("ahead", ["9999-12-01", "2026-11-21T00:00:01"])
def test_moments_ahead_of_the_present_set_no_rate_and_keep_no_dead_feed_alive(ahead):
    moments = np.concatenate([arriving(48, 15, until="2026-09-22"), np.full(500, np.datetime64(ahead, "us"))])

    found = measure(1_172, 900, moments)
    assert (found.rate.per_day, found.rate.as_of) == (48.0, datetime(2026, 9, 22, tzinfo=UTC))
    assert found.rate.silent


def test_one_agents_flood_sets_no_rate():
    calm, flood = arriving(20, 14), np.full(10_000, np.datetime64("2026-11-20", "us"))
    agents = np.concatenate([np.arange(len(calm)), np.full(len(flood), len(calm))])

    found = measure(20_000, 900, np.concatenate([calm, flood]), agents)
    assert 20.0 <= found.rate.per_day < 22.5


def test_what_is_more_than_a_century_away_is_not_promised():
    in_time, too_late = (
        measure(1, 1, arriving(1, 1), recommended_labelled=1 + days).requirements[2] for days in (36_500, 36_501)
    )
    assert in_time.reached_at == NOW + timedelta(days=36_500)
    assert too_late.reached_at is None


def test_nothing_at_all_is_measured_without_dividing_by_zero():
    found = measure(0, 0)
    assert missing(found) == [1_000, 1, 10_000]
    assert not found.trainable


def test_arrival_is_when_the_first_outcome_came_or_else_when_the_pair_was_scored():
    moments = [datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2, 3, 4)]
    table = pa.table(
        {
            "agent_id": ["a", None, "b", "a"],
            "outcome_score": [0.5, 0.5, None, 0.5],
            "outcome_at": pa.array([moments[3], None, moments[3], None], pa.timestamp("us", "UTC")),
            "first_outcome_at": pa.array([moments[2], None, None, None], pa.timestamp("us", "UTC")),
            "scored_at": pa.array([moments[0], moments[1], moments[2], None], pa.timestamp("us", "UTC")),
        }
    )
    found = arrivals(table)
    assert found.agents[0] == found.agents[2] != found.agents[1]
    assert found.moments[:2].tolist() == [moment.replace(tzinfo=None) for moment in (moments[2], moments[1])]
    assert np.isnat(found.moments[2])


def test_the_report_of_a_snapshot_is_found_among_others_also_after_damage(tmp_path):
    config, stricter = ValidationConfig(), ValidationConfig(max_broken_share=0.01)
    reports = {}
    for seed in (1, 2):
        snapshot = write_snapshot(SeedLaw().generate(40, seed=seed), tmp_path / "snapshots")
        for rules in (config, stricter):
            reports[seed, rules.digest()] = build_dataset(
                tmp_path / "snapshots", snapshot.digest, tmp_path / "datasets", config=rules, now=NOW
            )
    for (_, rules), known in reports.items():
        assert report_of_snapshot(tmp_path / "datasets", known.snapshot_digest, rules) == known

    damaged, whole = reports[1, config.digest()], reports[2, config.digest()]
    (tmp_path / "datasets" / damaged.digest / "report.json").write_text("{}")
    assert report_of_snapshot(tmp_path / "datasets", damaged.snapshot_digest, config.digest()) is None
    assert report_of_snapshot(tmp_path / "datasets", whole.snapshot_digest, config.digest()) == whole
    assert report_of_snapshot(tmp_path / "nowhere", whole.snapshot_digest, config.digest()) is None
