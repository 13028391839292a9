from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from spots_ml.monitoring.retraining import Retrain, RetrainConfig, RetrainState, Wait, decide

REGISTERED = datetime(2026, 11, 21, 10, tzinfo=UTC)


def answer(*, new_labels=0, days=1.0, config=None, **changes):
    values = {"now": REGISTERED + timedelta(days=days), "registered_at": REGISTERED, "new_labels": new_labels}
    return decide(RetrainState(**(values | changes)), config or RetrainConfig())


def test_nothing_new_waits_and_says_how_far_it_is():
    assert answer() == Wait("0 of 1,000 new labels; next by time on 2026-11-28 10:00 UTC")


def test_999_labels_wait():
    assert isinstance(answer(new_labels=999), Wait)


def test_1000_labels_retrain():
    assert answer(new_labels=1000) == Retrain(
        ("1,000 new labels have arrived (threshold 1,000)",), "1,000 new labels have arrived (threshold 1,000)"
    )


def test_a_moment_before_seven_days_waits_and_seven_days_retrain():
    assert isinstance(answer(days=7 - 1e-6), Wait)
    assert isinstance(answer(days=7), Retrain)


def test_both_reasons_are_told():
    assert len(answer(new_labels=5000, days=8).reasons) == 2


def test_without_a_version_only_labels_count():
    assert isinstance(answer(registered_at=None, days=1000), Wait)
    assert isinstance(answer(registered_at=None, new_labels=1000), Retrain)


@pytest.mark.parametrize("reached", [{}, {"new_labels": 10**6}, {"days": 30}])
def test_never_while_a_run_is_in_flight(reached):
    decision = answer(in_flight=("run1",), **reached)

    assert isinstance(decision, Wait)
    assert "run run1 is queued or running" in decision.message


@pytest.mark.parametrize(("failures", "hours"), [(1, 0), (2, 1), (3, 2), (4, 4), (6, 16), (7, 24), (10_000, 24)])
def test_failures_are_tried_again_at_once_first_then_after_doubling_waits(failures, hours):
    failed_at = REGISTERED + timedelta(days=1)
    state = {"new_labels": 1000, "failures_since_success": failures, "last_failure_at": failed_at}

    assert isinstance(answer(now=failed_at + timedelta(hours=hours), **state), Retrain)
    if hours:
        early = answer(now=failed_at + timedelta(hours=hours) - timedelta(seconds=1), **state)
        assert isinstance(early, Wait)
        assert "next attempt on" in early.message


def test_failures_alone_are_no_reason():
    assert isinstance(answer(failures_since_success=3, last_failure_at=REGISTERED), Wait)


def test_thresholds_come_from_the_configuration():
    config = RetrainConfig(new_labels=5, max_age_days=0.5)

    assert isinstance(answer(new_labels=5, days=0.1, config=config), Retrain)
    assert isinstance(answer(days=0.5, config=config), Retrain)


@pytest.mark.parametrize("wrong", [{"new_labels": 0}, {"max_age_days": 0}, {"days": 7}])
def test_wrong_thresholds_are_refused(wrong):
    with pytest.raises(ValidationError):
        RetrainConfig(**wrong)
