"""The merge: the same whatever came first, and what the specification says of each pair."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spots_ml.features.contract import RAW_FEATURES
from spots_ml.interactions.columns import UNIT_COLUMNS
from spots_ml.interactions.judging.merging import Codes, fingerprints, firsts, merged
from spots_ml.interactions.judging.rules import ValidationConfig, find_problems
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml_tests.interactions.tellings import (
    FIRST,
    LABEL,
    MOMENT,
    SAID,
    interactions,
    key,
    of_one,
    records,
    together,
)

F = RAW_FEATURES[0]
HOUR = timedelta(hours=1)


def batch_of(rows):
    return pa.RecordBatch.from_pylist([{"position": 0, **row} for row in rows], schema=INTERACTIONS)


def merge(*rows):
    (said,) = merged(batch_of(rows), np.zeros(len(rows), np.int64)).to_pylist()
    return {name: said[name] for name in SAID}


def told(**changes):
    return dict.fromkeys(SAID) | {"agent_id": "a", "opportunity_id": "s", "scored_at": MOMENT} | changes


def label(kind, score, at):
    return dict(zip(LABEL, (kind, score, at), strict=True))


@settings(max_examples=40, deadline=None)
@given(of_one(), of_one(), of_one())
def test_merging_is_commutative_associative_and_idempotent(one, two, three):
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three)) == merge(one, two, three)
    assert merge(one, one) == merge(one) == one
    assert merge(merge(one, two), one) == merge(one, two)


@settings(deadline=None)
@given(st.lists(of_one(), min_size=1, max_size=6))
def test_it_says_what_the_records_say_together(rows):
    assert merge(*rows) == together(rows)


@settings(deadline=None)
@given(st.lists(of_one(), min_size=1, max_size=6))
def test_what_acceptable_records_say_together_is_acceptable(rows):
    both = batch_of([*rows, merge(*rows)])
    assert not find_problems(both, config=ValidationConfig(), now=MOMENT + 10 * HOUR).any()


@settings(deadline=None)
@given(st.lists(records(), max_size=12))
def test_identities_part_records_as_the_specification_does(rows):
    batch = batch_of(rows)
    agents, opportunities = Codes(), Codes()
    prints = fingerprints(batch, agents.of(batch["agent_id"]), opportunities.of(batch["opportunity_id"]))
    first = firsts(prints.identities, np.ones(len(rows), np.bool_))
    keys = [key(row) for row in rows]
    assert first.tolist() == [keys.index(one) for one in keys]
    says_the_same = (prints.contents == prints.contents[first]).tolist()
    without_names = [{name: row[name] for name in SAID[2:]} for row in rows]
    assert says_the_same == [row == without_names[place] for row, place in zip(without_names, first, strict=True)]


@settings(deadline=None)
@given(st.lists(records(), min_size=1, max_size=12))
def test_several_interactions_are_merged_at_once(rows):
    keys = [key(row) for row in rows]
    found = merged(batch_of(rows), np.array([keys.index(one) for one in keys]))
    assert [{name: row[name] for name in SAID} for row in found.to_pylist()] == interactions(rows)


def test_no_records_are_no_interactions():
    assert merged(batch_of([]), np.empty(0, np.int64)).num_rows == 0


def test_an_unlabelled_record_and_its_labelled_twin_are_one_labelled_interaction():
    arrived = label("positive", 0.9, MOMENT + HOUR)
    assert merge(told(**{F: 0.3}), told(**{F: 0.3}, **arrived)) == told(**{F: 0.3}, **arrived)


def test_an_outcome_sent_with_null_features_erases_none():
    features = dict(zip(RAW_FEATURES, np.linspace(0.0, 1.0, len(RAW_FEATURES)).tolist(), strict=True))
    arrived = label("neutral", 0.5, MOMENT + HOUR)
    assert merge(told(**features, formula_score=0.7, is_called=True), told(**arrived)) == told(
        **features, formula_score=0.7, is_called=True, **arrived
    )


@pytest.mark.parametrize(
    ("one", "two", "stands"),
    [
        (("positive", 0.9, MOMENT + HOUR), ("negative", 0.1, MOMENT + 2 * HOUR), 1),
        (("negative", 0.1, MOMENT + HOUR), ("positive", 0.9, MOMENT + 2 * HOUR), 1),
        (("negative", 0.1, None), ("positive", 0.9, MOMENT + HOUR), 1),
        (("positive", 0.9, MOMENT + HOUR), ("negative", 0.1, MOMENT + HOUR), 1),
        (("positive", 0.9, None), ("negative", 0.1, None), 1),
        (("positive", 0.7, None), ("neutral", 0.7, None), 1),
        (("neutral", 0.4, MOMENT), ("negative", 0.4, MOMENT), 1),
        (("positive", 0.9, MOMENT + HOUR), ("positive", 0.9, MOMENT + 2 * HOUR), 1),
        (("positive", 0.9, None), (None, None, None), 0),
    ],
)
def test_the_later_outcome_stands_by_its_own_time_and_a_tie_is_decided_by_what_it_says(one, two, stands):
    moments = [moment for _, _, moment in (one, two) if moment is not None]
    first = min(moments) if moments and min(moments) != (one, two)[stands][2] else None
    expected = told(**label(*(one, two)[stands]), first_outcome_at=first)
    assert merge(told(**label(*one)), told(**label(*two))) == expected
    assert merge(told(**label(*two)), told(**label(*one))) == expected


@pytest.mark.parametrize(
    ("column", "values", "stands"),
    [
        (F, (None, 0.5), 0.5),
        (F, (0.5, 0.9), 0.9),
        (F, (0.5, 0.1), 0.1),
        (F, (0.1, 0.9), 0.1),
        (F, (0.9, 0.5, 0.95), 0.9),
        ("formula_score", (0.5, None, 0.75), 0.75),
        ("is_called", (True, False), False),
        ("is_called", (None, True), True),
    ],
)
def test_what_records_of_one_moment_contradict_each_other_in_is_decided_in_any_order(column, values, stands):
    rows = [told(**{column: value}) for value in values]
    assert merge(*rows) == merge(*rows[::-1]) == told(**{column: stands})


def test_the_moment_told_most_exactly_stands():
    exact = MOMENT + timedelta(microseconds=123_456)
    assert merge(told(scored_at=exact), told(scored_at=exact.replace(microsecond=123_000)))["scored_at"] == exact


def test_every_column_is_merged():
    assert {"position", "record", "problems", *SAID} == set(INTERACTIONS.names)
    assert set(UNIT_COLUMNS) | {"agent_id", "opportunity_id", "scored_at", "is_called", *LABEL, FIRST} == set(SAID)
