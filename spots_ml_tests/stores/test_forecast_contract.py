"""What every store of forecasts promises."""

from datetime import timedelta

import pytest

from spots_ml.errors import InputError
from spots_ml_tests.experiments.forecast_documents import new_forecast, valued
from spots_ml_tests.stores.keeping_refusals import NOW


def test_a_forecast_is_read_back_as_it_was_kept_with_a_number_and_its_moment(store):
    kept = new_forecast(value=valued(None), plan=None, no_plan='too "young"\n🙈', champion=None)
    store.forecasts.keep_forecast(kept, now=NOW)

    (found,) = store.forecasts.list_forecasts("calling_score")
    assert found.model_dump(exclude={"number", "after_rollout", "at"}) == kept.model_dump()
    assert (found.at, found.number >= 1, found.after_rollout) == (NOW, True, 0)


def test_the_newest_come_first_by_number_whatever_the_clock_said(store):
    for number, days in enumerate((0, 9, -3)):
        store.forecasts.keep_forecast(new_forecast(actor=f"run{number}"), now=NOW + timedelta(days=days))

    found = store.forecasts.list_forecasts("calling_score")
    assert [one.actor for one in found] == ["run2", "run1", "run0"]
    assert found[0].number > found[1].number > found[2].number
    assert store.forecasts.list_forecasts("calling_score", limit=2) == found[:2]


def test_each_model_and_version_has_its_own(store):
    store.forecasts.keep_forecast(new_forecast(), now=NOW)
    store.forecasts.keep_forecast(new_forecast(version="v1.5-real"), now=NOW)

    assert store.forecasts.list_forecasts("outcome") == ()
    assert [one.version for one in store.forecasts.list_forecasts("calling_score", "v1.5-real")] == ["v1.5-real"]


def test_a_moment_without_a_zone_is_refused_and_nothing_is_kept(store):
    with pytest.raises(InputError, match="has no zone"):
        store.forecasts.keep_forecast(new_forecast(), now=NOW.replace(tzinfo=None))

    assert store.forecasts.list_forecasts("calling_score") == ()
