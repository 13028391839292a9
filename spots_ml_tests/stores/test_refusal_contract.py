"""What every log of refusals promises."""

from datetime import timedelta

import pytest

from spots_ml.errors import InputError
from spots_ml_tests.stores.keeping_refusals import NOW, refused


def test_a_refusal_is_read_back_as_it_was_kept_with_a_number_and_its_moment(store):
    kept = refused(sentence='worse: "0.03" > 0.02\n🙈', dataset_digest=None, watermark=None)
    store.refusals.keep_refusal(kept, now=NOW)

    (found,) = store.refusals.last_refusals("calling_score")
    assert found.model_dump(exclude={"number", "refused_at"}) == kept.model_dump()
    assert (found.refused_at, found.number >= 1) == (NOW, True)


def test_the_newest_come_first_by_number_whatever_the_clock_said(store):
    for number, days in enumerate((0, 9, -3)):
        store.refusals.keep_refusal(refused(run_id=f"run{number}"), now=NOW + timedelta(days=days))

    found = store.refusals.last_refusals("calling_score")
    assert [one.run_id for one in found] == ["run2", "run1", "run0"]
    assert found[0].number > found[1].number > found[2].number
    assert store.refusals.last_refusals("calling_score", limit=2) == found[:2]


def test_the_same_refusal_again_is_a_second_entry(store):
    for _ in range(2):
        store.refusals.keep_refusal(refused(), now=NOW)

    assert len(store.refusals.last_refusals("calling_score")) == 2


def test_each_model_has_its_own(store):
    store.refusals.keep_refusal(refused(), now=NOW)

    assert store.refusals.last_refusals("outcome") == ()


def test_a_moment_without_a_zone_is_refused_and_nothing_is_kept(store):
    with pytest.raises(InputError, match="has no zone"):
        store.refusals.keep_refusal(refused(), now=NOW.replace(tzinfo=None))

    assert store.refusals.last_refusals("calling_score") == ()
