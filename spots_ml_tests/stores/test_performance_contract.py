"""What every store of daily performance promises."""

import pytest

from spots_ml.errors import InputError
from spots_ml.estimates.estimate import Estimate
from spots_ml_tests.stores.keeping_performance import NOW, read, row, save


def test_rows_are_read_back_bit_by_bit_by_day_origin_and_arm(store):
    rows = [
        row(day, arm, origin, called_rate=1 / (day + len(arm)))
        for day in (2, 10, 11)
        for origin in ("replayed", "served")
        for arm in ("calling_score v1.0-real", "formula")
    ]
    save(store, *rows[::-1])

    assert read(store) == tuple(rows)


def test_arms_are_read_in_the_order_of_their_bytes_whatever_their_names(store):
    names = ["b", "B", "a_b", "a b", "ä", 'a"b', "a,b)", "a\\b", "%2B+"]
    save(store, *(row(arm=name) for name in names))

    assert [one.arm for one in read(store)] == sorted(names, key=str.encode)


def test_the_smallest_and_the_largest_numbers_are_read_back_bit_by_bit(store):
    value = Estimate(value=5e-324, low=-1.7976931348623157e308, high=1 / 3)
    save(store, row(mean_outcome_score=value, maturity_hours=1e22))

    assert read(store) == (row(mean_outcome_score=value, maturity_hours=1e22),)


def test_a_row_replaces_that_of_the_same_day_arm_and_origin_alone(store):
    others = row(2, origin="phone"), row(2, origin="replayed"), row(2, arm="calling_score v1.0-real")
    save(store, row(1), row(2), *others)
    save(store, row(2, called_rate=0.75, n_matured=60))

    assert read(store) == (
        row(1),
        *others,
        row(2, called_rate=0.75, n_matured=60),
    )


def test_the_first_day_belongs_to_what_is_read_and_the_last_does_not(store):
    save(store, *(row(day) for day in range(1, 8)))

    assert [one.day.day for one in read(store, 3, 6)] == [3, 4, 5]
    assert read(store, 3, 3) == ()


def test_rows_that_contradict_each_other_are_refused_and_nothing_is_kept(store):
    save(store, row(1))

    with pytest.raises(InputError, match="2026-11-02, formula, served is given more than once"):
        save(store, row(1, called_rate=0.5), row(2), row(2, called_rate=0.75))
    assert read(store) == (row(1),)


def test_saving_breaks_as_a_whole(store):
    save(store, row(1))

    with pytest.raises(InputError, match="has no zone"):
        store.performance.save_performance([row(1, called_rate=0.5)], now=NOW.replace(tzinfo=None))
    assert read(store) == (row(1),)


def test_saving_no_rows_keeps_what_there_is(store):
    save(store, row(1))
    save(store)

    assert read(store) == (row(1),)
