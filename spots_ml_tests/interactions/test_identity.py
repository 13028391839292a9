"""Repetitions: what counts as the same interaction, and what stays of several records of it."""

import json

import pyarrow.parquet as pq
import pytest

from spots_ml.interactions.judging.rules import BLANKS
from spots_ml.interactions.learning.validation import load_dataset

F = "user_vibe_dimensions__novelty_seeking"
NOBODY = {"agent_id": ..., "opportunity_id": ..., "timestamp": ..., "outcome_timestamp": ...}


def reasons(build, write_export, records) -> tuple[int, dict[str, int]]:
    report = build(write_export(records), max_broken_share=1.0)
    return report.n_accepted, report.reasons


def test_agent_opportunity_and_time_make_the_identity(make_record, write_export, build) -> None:
    same = make_record(0, **{F: 0.123})
    assert reasons(build, write_export, [make_record(0), same]) == (1, {"duplicate": 1})
    for key, value in (("agent_id", "x"), ("opportunity_id", "x"), ("timestamp", "2026-04-01T00:00:00Z")):
        other = make_record(0, **{key: value})
        assert reasons(build, write_export, [make_record(0), other]) == (2, {})


def test_the_same_instant_in_another_zone_is_the_same_interaction(make_record, write_export, build) -> None:
    records = [make_record(0, timestamp=time) for time in ("2026-05-01T10:00:00Z", "2026-05-01T12:00:00+02:00")]
    assert reasons(build, write_export, records) == (1, {"duplicate": 1})


def test_without_identity_everything_must_be_equal(make_record, write_export, build) -> None:
    first = make_record(0, **NOBODY)
    assert reasons(build, write_export, [first, first]) == (1, {"duplicate": 1})
    others = [
        make_record(0, **NOBODY, **{F: 0.123}),
        make_record(0, **NOBODY, **{F: None}),
        make_record(0, **NOBODY, outcome_score=0.51),
        make_record(0, **NOBODY, is_called=False),
        make_record(0, **{**NOBODY, "agent_id": "someone"}),
    ]
    assert reasons(build, write_export, [first, *others]) == (6, {})


def test_values_that_swap_places_are_not_the_same(make_record, write_export, build) -> None:
    one = {F: 0.2, "user_vibe_dimensions__value_orientation": 0.7}
    two = {F: 0.7, "user_vibe_dimensions__value_orientation": 0.2}
    records = [make_record(0, **NOBODY, **each) for each in (one, two)]
    assert reasons(build, write_export, records) == (2, {})


def test_a_broken_record_does_not_displace_a_good_one(make_record, write_export, build) -> None:
    broken = make_record(0, **{F: 7.0})
    assert reasons(build, write_export, [broken, make_record(0)]) == (1, {"out_of_range": 1})


def test_every_repetition_but_the_first_is_set_aside(make_record, write_export, build) -> None:
    records = [make_record(number % 3) for number in range(10)]
    assert reasons(build, write_export, records) == (3, {"duplicate": 7})


def test_moments_within_one_millisecond_are_the_same_and_beyond_it_are_not(make_record, write_export, build) -> None:
    times = [f"2026-05-01T10:00:00.123{tail}+00:00" for tail in ("", "456", "999")]
    records = [make_record(0, timestamp=time) for time in (*times, "2026-05-01T10:00:00.124Z")]
    assert reasons(build, write_export, records) == (2, {"duplicate": 2})


@pytest.mark.parametrize("key", ["agent_id", "opportunity_id"])
def test_an_id_is_what_it_is_and_white_space_is_none(make_record, write_export, build, key) -> None:
    assert {sign for sign in map(chr, range(0x110000)) if sign.isspace()} - set(BLANKS) == set("\x1c\x1d\x1e\x1f")
    names = ["a", "A", " a", "a ", "\u00e4", "a\u0308"]
    records = [make_record(0, **{key: name}) for name in (*names, "", *BLANKS, BLANKS)]
    assert reasons(build, write_export, records) == (len(names), {"empty_id": len(BLANKS) + 2})


def test_what_is_merged_away_is_set_aside_as_it_was_and_added_to_what_stays(
    tmp_path, make_record, write_export, build
) -> None:
    unlabelled = dict.fromkeys(["outcome_type", "outcome_score", "outcome_timestamp"])
    records = [
        make_record(0),
        make_record(1, **unlabelled),
        make_record(2),
        make_record(1, **{F: None}),
        make_record(1),
    ]
    report = build(write_export(records))
    _, accepted = load_dataset(tmp_path / "datasets", report.digest)
    aside = pq.read_table(tmp_path / "datasets" / report.digest / "quarantine.parquet").to_pylist()

    assert (report.n_read, report.n_accepted, report.n_quarantined) == (5, 3, 2)
    assert (report.n_labelled, report.reasons) == (3, {"duplicate": 2})
    assert accepted["position"].to_pylist() == [0, 1, 2]
    alone = build(write_export([make_record(number) for number in range(3)], name="alone.json"))
    assert accepted.equals(load_dataset(tmp_path / "datasets", alone.digest)[1])
    assert [row["position"] for row in aside] == [3, 4]
    assert json.loads(aside[0]["record"])["user_vibe_dimensions"]["novelty_seeking"] is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_an_exports_order_does_not_decide_an_outcome(tmp_path, make_record, write_export, build, order) -> None:
    first = {"outcome_type": "positive", "outcome_score": 0.9, "outcome_timestamp": "2026-05-02T10:00:00Z"}
    corrected = {"outcome_type": "negative", "outcome_score": 0.1, "outcome_timestamp": "2026-05-03T10:00:00Z"}
    tellings = [make_record(1, **dict.fromkeys(first)), make_record(1, **first), make_record(1, **corrected)]
    report = build(write_export([tellings[number] for number in order]))
    _, accepted = load_dataset(tmp_path / "datasets", report.digest)
    (row,) = accepted.to_pylist()
    assert (row["outcome_type"], row["outcome_score"]) == ("negative", 0.1)


def test_history_is_drawn_from_merged_outcomes(tmp_path, make_record, write_export, build) -> None:
    def at(day: int, **changes):
        times = {"timestamp": f"2026-05-{day:02}T10:00:00Z", "outcome_timestamp": f"2026-05-{day:02}T11:00:00Z"}
        return make_record(1, **{"agent_id": "agent", "opportunity_id": f"spot-{day}", **times, **changes})

    unlabelled = dict.fromkeys(["outcome_type", "outcome_score", "outcome_timestamp"])
    report = build(write_export([at(1, **unlabelled), at(3), at(1)]))
    _, accepted = load_dataset(tmp_path / "datasets", report.digest)
    assert accepted["past_positive_rate"].to_pylist() == [0.5, 1.0]
