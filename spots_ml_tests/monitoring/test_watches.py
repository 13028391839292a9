from datetime import date

import pytest

from spots_ml.monitoring.causes.watches import first_found, standing
from spots_ml_tests.stores.keeping_watches import watch

TODAY = date(2026, 11, 9)


def stands(*known, last=3, days=1, of_days=7):
    return standing(known, today=TODAY, last_registration=last, days=days, of_days=of_days)


def test_a_finding_stands_until_a_version_was_registered_since():
    assert stands(watch(8)) == watch(8)
    assert stands(watch(8), last=4) is None


def test_nothing_found_and_nothing_watched_is_no_cause():
    assert stands() is None
    assert stands(watch(8, found=False)) is None


@pytest.mark.parametrize(("day", "is_recent"), [(1, False), (2, True), (9, True), (10, False)])
def test_what_was_found_long_ago_or_on_a_day_ahead_says_nothing(day, is_recent):
    assert (stands(watch(day)) is not None) == is_recent


def test_it_must_be_found_on_enough_days_of_the_last():
    found = [watch(day) for day in (4, 6)]

    assert stands(*found, days=3) is None
    assert stands(*found, watch(8), days=3) == watch(8)
    assert stands(*found, watch(8), days=3, of_days=4) is None


def test_only_the_version_that_was_watched_last_counts():
    assert stands(watch(7), watch(8, version="v1.1-real", found=False)) is None
    assert stands(watch(7, version="v1.1-real"), watch(8), days=2) is None


def test_a_finding_that_goes_on_keeps_the_registration_since_which_it_stands():
    later = watch(5, after_registration=4)

    assert first_found(later, [watch(1), watch(3)]).after_registration == 3
    assert first_found(watch(5, after_registration=4), [watch(5)]).after_registration == 3  # measured again


@pytest.mark.parametrize(
    "before",
    [
        watch(3, found=False),
        watch(3, version="v0.9-real"),
        watch(3, topic="drift"),
        watch(7),  # of a later day
    ],
)
def test_another_finding_says_nothing_of_this_one(before):
    assert first_found(watch(5, after_registration=4), [before]).after_registration == 4


def test_after_more_than_a_week_without_it_it_is_found_anew():
    assert first_found(watch(9, after_registration=4), [watch(2)]).after_registration == 3
    assert first_found(watch(9, after_registration=4), [watch(1)]).after_registration == 4
