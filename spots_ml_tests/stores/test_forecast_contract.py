"""What every store of forecasts promises."""

from datetime import timedelta

import pytest

from spots_ml.errors import InputError
from spots_ml.pipeline.forecasting.forecast_step import forecast_scores
from spots_ml_tests.experiments.forecast_documents import new_forecast, valued
from spots_ml_tests.stores.keeping_refusals import NOW
from spots_ml_tests.stores.keeping_rollouts import MODEL, alter, record, start, version
from spots_ml_tests.stores.keeping_versions import fill, promote


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


def test_the_store_says_which_rollout_was_the_last_and_only_what_came_before_is_scored(store):
    fill(store, "a", "b")
    promote(store, 0)
    told = {"version": version(1), "champion": version(0), "weight": 0.1}
    store.forecasts.keep_forecast(new_forecast(**told, actor="before"), now=NOW)
    # A clock that goes back makes no forecast of one that came after.
    rollout = start(store)
    store.forecasts.keep_forecast(new_forecast(**told, actor="after"), now=NOW - timedelta(days=900))

    after, before = store.forecasts.list_forecasts(MODEL)
    assert [(one.actor, one.after_rollout) for one in (before, after)] == [("before", 0), ("after", 1)]
    (score,) = forecast_scores(store, MODEL)
    assert (score.rollout, score.forecast, score.status, score.found) == (1, before.number, "running", None)

    alter(store, record(store, rollout), "ended", cause="futile")
    (score,) = forecast_scores(store, MODEL)
    assert (score.status, score.found_day) == ("over", None)
    assert forecast_scores(store, "outcome") == ()
