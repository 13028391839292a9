from datetime import date, timedelta

import pytest

from spots_ml.monitoring.days_due import days_due

YESTERDAY = date(2026, 11, 24)
BOTH, SECOND = ("scores", "performance"), ("performance",)


def ago(days):
    return YESTERDAY - timedelta(days=days)


def progress(scores, performance):
    """By step and day, from states by age in days; 0 is yesterday."""
    return {
        "scores": {ago(age): state for age, state in scores.items()},
        "performance": {ago(age): state for age, state in performance.items()},
    }


def due(scores, performance, look_back=7):
    found = days_due(progress(scores, performance), yesterday=YESTERDAY, look_back=look_back)
    return [((YESTERDAY - one.day).days, one.steps, one.again) for one in found]


@pytest.mark.parametrize(
    ("scores", "performance", "expected"),
    [
        ({}, {}, [(0, BOTH, False)]),  # the first tick ever: nothing before it is owed
        ({0: "done"}, {0: "done"}, []),
        ({0: "under way"}, {}, []),
        ({0: "done"}, {0: "under way"}, []),
        ({0: "done"}, {}, [(0, SECOND, True)]),
        ({0: "failed"}, {}, [(0, BOTH, True)]),
        ({0: "failed"}, {0: "done"}, [(0, BOTH, True)]),  # what was measured built on scores that are no more
        ({0: "done"}, {0: "failed"}, [(0, SECOND, True)]),
        ({1: "failed", 0: "done"}, {0: "done"}, [(1, BOTH, True)]),
        ({1: "failed"}, {}, [(1, BOTH, True), (0, BOTH, False)]),
        ({3: "done", 0: "done"}, {3: "done", 0: "done"}, [(2, BOTH, True), (1, BOTH, True)]),  # nobody was there
        ({2: "under way", 1: "failed", 0: "done"}, {0: "done"}, [(1, BOTH, True)]),
    ],
)
def test_yesterday_is_due_and_what_failed_or_was_left_out_before_it(scores, performance, expected):
    assert due(scores, performance) == expected


def test_only_the_last_days_are_looked_at():
    assert [age for age, *_ in due({30: "done", 8: "failed", 7: "failed"}, {}, look_back=7)] == [7, 6, 5, 4, 3, 2, 1, 0]
    assert [age for age, *_ in due({30: "done"}, {}, look_back=0)] == [0]


def test_a_day_ahead_of_yesterday_is_no_business_of_this_tick():
    assert due({-1: "failed", 0: "done"}, {0: "done"}) == []
