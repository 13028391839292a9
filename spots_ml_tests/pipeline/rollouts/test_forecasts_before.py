"""Whoever starts a rollout forecasts it first; what was forecast is shown with it, and scored once it knows."""

from datetime import timedelta

import pytest

from spots_ml.defs.pages.rollout import rollout_metadata
from spots_ml.experiments.forecasting.forecasts import forecast_of
from spots_ml.pipeline.forecasting.forecast_step import forecast_before_start, forecast_scores
from spots_ml.pipeline.rollouts.rollout_view import rollout_view
from spots_ml_tests.pipeline.rollouts.rehearsed import FIRST, POLICY, SECOND, days, look_at, rehearsal, with_champion


@pytest.fixture
def place(tmp_path):
    return rehearsal(tmp_path)


def forecasts(place):
    return place.store.forecasts.list_forecasts(place.model_type)


def test_a_rollout_that_starts_by_itself_has_a_forecast_of_before(place):
    with_champion(place)
    place.register(SECOND)
    started = look_at(place).started
    (forecast,) = forecasts(place)
    assert (forecast.version, forecast.champion, forecast.weight) == (SECOND, FIRST, started.weight)
    assert (forecast.after_rollout, forecast.actor) == (0, "a test")
    assert forecast_of(started, [forecast]) == forecast
    assert "cannot be estimated, because" in forecast.told() and "no plan, because" in forecast.told()
    page = rollout_metadata(rollout_view(place.store, place.model_type, POLICY, now=place.now))
    assert "cannot be estimated, because" in page["forecast"].value
    assert "no effect was predicted" in page["forecasts_scored"].value


def test_it_is_scored_by_what_the_rollout_finds_and_shown_with_it(place):
    with_champion(place)
    place.register(SECOND)
    look_at(place)
    days(place, 14, good=0.9, until=lambda looked: looked.change is not None and looked.change.action == "promoted")
    score = forecast_scores(place.store, place.model_type)[-1]
    assert (score.rollout, score.status, score.predicted) == (1, "over", None)
    assert score.found > 0.0 and score.found_day > 1.0
    view = rollout_view(place.store, place.model_type, POLICY, now=place.now)
    assert score in view.forecasts
    assert len(forecasts(place)) == 1, "a rollout of a weight tries no other version"


def test_nothing_is_forecast_again_within_a_day_unless_something_else_started_or_answers(place):
    with_champion(place)
    place.register(SECOND)

    def ask(now):
        models_dir = place.places.models_dir
        forecast_before_start(place.store, models_dir, place.model_type, SECOND, POLICY, now=now, actor="a test")
        return len(forecasts(place))

    assert [ask(place.now), ask(place.now + timedelta(hours=23)), ask(place.now + timedelta(hours=25))] == [1, 1, 2]
    place.store.versions.withdraw(place.model_type, now=place.now, actor="a test", reason="it was wrong")
    assert ask(place.now + timedelta(hours=26)) == 3


def test_a_look_that_may_start_nothing_forecasts_nothing(place):
    with_champion(place)
    place.register(SECOND)
    look_at(place, replace_policy())
    assert forecasts(place) == ()


def replace_policy():
    return POLICY.model_copy(update={"auto_start": False})
