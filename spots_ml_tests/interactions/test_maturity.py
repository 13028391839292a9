"""When an outcome counts, to the microsecond."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spots_ml.errors import ConfigError
from spots_ml.interactions.learning.maturity import mature

START = datetime(2026, 11, 1, tzinfo=UTC)
WINDOW = timedelta(hours=48)
NEVER = np.datetime64("NaT", "us")
TICK = timedelta(microseconds=1)


def moment(after):
    return NEVER if after is None else np.datetime64("2026-11-01", "us") + np.timedelta64(after)


def kind(*, age, arrival=None, has_outcome=None, window=WINDOW):
    """What one row counts as, whose decision is so old and whose outcome took so long (None: none came)."""
    found = mature(
        np.array([moment(timedelta(0))]),
        np.array([moment(arrival)]),
        np.array([arrival is not None if has_outcome is None else has_outcome]),
        now=START + age,
        window=window,
    )
    (name,) = [name for name in ("labelled", "expired") if getattr(found, name)[0]] or ["young"]
    assert found.matured[0] == (name != "young")
    return name


def test_a_decision_matures_exactly_when_its_window_is_over():
    assert kind(age=WINDOW - TICK) == "young"
    assert kind(age=WINDOW) == "expired"


def test_an_early_outcome_does_not_count_before_the_window_is_over():
    assert kind(age=WINDOW - TICK, arrival=timedelta(minutes=1)) == "young"
    assert kind(age=WINDOW, arrival=timedelta(minutes=1)) == "labelled"


def test_the_last_moment_of_the_window_is_in_time_and_the_next_is_late():
    assert kind(age=3 * WINDOW, arrival=WINDOW) == "labelled"
    assert kind(age=3 * WINDOW, arrival=WINDOW + TICK) == "expired"


def test_an_outcome_whose_arrival_nobody_knows_counts_as_in_time():
    assert kind(age=WINDOW, has_outcome=True) == "labelled"
    assert kind(age=WINDOW - TICK, has_outcome=True) == "young"


def test_a_decision_whose_time_nobody_knows_has_no_window_to_wait_for():
    found = mature(np.full(2, NEVER), np.array([moment(timedelta(0)), NEVER]), np.array([True, False]), now=START)
    assert found.labelled.tolist() == [True, False]
    assert found.expired.tolist() == [False, True]


def test_a_decision_that_lies_ahead_is_young():
    assert kind(age=timedelta(hours=-1)) == "young"


def test_without_a_window_everything_is_decided_at_once():
    assert kind(age=timedelta(0), window=timedelta(0)) == "expired"
    assert kind(age=timedelta(0), arrival=timedelta(0), window=timedelta(0)) == "labelled"


def test_the_zone_of_now_does_not_matter():
    elsewhere = (START + WINDOW).astimezone(timezone(timedelta(hours=-7)))
    decided = np.array([moment(timedelta(0)), moment(TICK)])
    found = mature(decided, np.full(2, NEVER), np.zeros(2, bool), now=elsewhere, window=WINDOW)
    assert found.matured.tolist() == [True, False]


def test_coarser_times_are_understood():
    decided = np.array(["2026-11-01"], "datetime64[D]")
    found = mature(decided, decided + np.timedelta64(2, "D"), np.ones(1, bool), now=START + WINDOW, window=WINDOW)
    assert found.labelled.tolist() == [True]


def test_no_rows_give_no_rows():
    empty = np.empty(0, "datetime64[us]")
    assert mature(empty, empty, np.empty(0, bool), now=START).matured.shape == (0,)


def test_a_negative_window_and_a_moment_without_zone_are_refused():
    empty = np.empty(0, "datetime64[us]")
    with pytest.raises(ConfigError, match="at least 0"):
        mature(empty, empty, np.empty(0, bool), now=START, window=-TICK)
    with pytest.raises(ConfigError, match="without a time zone"):
        mature(empty, empty, np.empty(0, bool), now=START.replace(tzinfo=None))


@given(st.integers(0, 200), st.one_of(st.none(), st.integers(0, 200)), st.integers(0, 200))
def test_what_a_matured_decision_counts_as_never_changes(age_h, arrival_h, later_h):
    """Seen now and later, with the outcome known only once it has arrived."""

    def seen(hours):
        there = arrival_h is not None and arrival_h <= hours
        return kind(age=timedelta(hours=hours), arrival=timedelta(hours=arrival_h) if there else None)

    before = seen(age_h)
    assert before == "young" or seen(age_h + later_h) == before
