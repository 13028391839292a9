"""Which forecast counts for a rollout, and how right it was."""

import pytest

from spots_ml.experiments.evidence_record import Look
from spots_ml.experiments.forecasting.forecasts import forecast_of, score_forecast
from spots_ml_tests.experiments.forecast_documents import forecast, interval, planned, valued
from spots_ml_tests.experiments.unit_tables import event, rollout


def look(effect, low=None, high=None):
    """A look of which only the effect is looked at."""
    evidence = type("Evidence", (), {"effect": interval(effect, low, high)})
    return Look.model_construct(evidence=evidence)


STARTED = [event(1, "started")]
PROMOTED = [*STARTED, event(2, "widened", days=10, stage=2), event(3, "promoted", days=22, stage=2)]


def test_the_last_forecast_that_was_made_before_counts_and_no_later_one():
    known = [forecast(1), forecast(3, after_rollout=2), forecast(2), forecast(4, after_rollout=5)]
    assert forecast_of(rollout(number=5), known).number == 3
    assert forecast_of(rollout(number=2), known).number == 2
    assert forecast_of(rollout(number=6), known).number == 4


@pytest.mark.parametrize(
    "other", [{"version": "v1.5-real"}, {"champion": None}, {"weight": 0.1}, {"model_type": "outcome"}]
)
def test_a_forecast_of_something_else_does_not_count(other):
    assert forecast_of(rollout(), [forecast(**other)]) is None


def test_a_forecast_that_was_right_says_so():
    score = score_forecast(forecast(), rollout(status="promoted"), PROMOTED, look(0.05, 0.01, 0.09))
    assert (score.error, score.within, score.same_sign) == (pytest.approx(0.01), True, True)
    assert (score.predicted_day, score.found_day, score.day_ratio) == (20.0, 22.0, pytest.approx(1.1))
    assert score.status == "over"
    assert score.told() == (
        "rollout-1: an effect of +0.060 was predicted, +0.050 was found, and the intervals of both agree; evidence "
        "decided on day 22 (predicted for day 20)"
    )


def test_one_that_was_wrong_says_so_too():
    ended = [*STARTED, event(2, "rolled_back", days=11, cause="harm")]
    score = score_forecast(forecast(), rollout(status="rolled_back"), ended, look(-0.1, -0.15, -0.05))
    assert (score.within, score.same_sign, score.found_day) == (False, False, 11.0)
    assert "nothing in common" in score.told()


def test_before_any_unit_is_whole_nothing_is_scored():
    for last in (None, look(None)):
        score = score_forecast(forecast(), rollout(), STARTED, last)
        assert (score.found, score.error, score.within, score.found_day) == (None, None, None, None)
        assert score.status == "running"
        assert "no unit is whole yet" in score.told() and "nothing was found so far" in score.told()


def test_without_an_estimate_or_a_plan_nothing_was_predicted():
    score = score_forecast(forecast(value=valued(None), plan=None, no_plan="too young"), rollout(), PROMOTED, look(0.1))
    assert (score.predicted, score.predicted_day, score.day_ratio) == (None, None, None)
    assert "no effect was predicted" in score.told() and "(no day was predicted)" in score.told()


def test_a_plan_for_another_effect_is_no_prediction_of_the_day():
    assert forecast(plan=planned(effect=0.03)).planned() is None
    assert forecast(plan=planned(day=None)).planned().day is None


@pytest.mark.parametrize("cause", ["by_hand", "futile", "guardrail"])
def test_what_ended_for_another_reason_than_the_value_found_no_effect(cause):
    ended = [*STARTED, event(2, "rolled_back" if cause == "guardrail" else "ended", days=11, cause=cause)]
    assert score_forecast(forecast(), rollout(status="ended"), ended, look(0.0)).found_day is None
