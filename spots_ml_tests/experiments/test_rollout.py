"""Rollouts: their stages out of what happened, and what they say of themselves."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import RolloutAction, RolloutEvent, stage_periods

T0 = datetime(2026, 11, 1, tzinfo=UTC)


def event(number: int, action: RolloutAction, *, days: float, stage: int, share: float) -> RolloutEvent:
    return RolloutEvent(
        number=number,
        rollout=1,
        at=T0 + timedelta(days=days),
        action=action,
        stage=stage,
        share=share,
        actor="test",
        cause="evidence",
        reason="because",
    )


def test_the_fresh_agents_of_a_later_stage_are_those_that_were_not_treated_before() -> None:
    first, second = stage_periods(
        [
            event(1, "started", days=0, stage=1, share=0.1),
            event(2, "paused", days=3, stage=1, share=0.1),
            event(4, "widened", days=9, stage=2, share=0.5),
        ]
    )
    assert (first.low, first.share, first.conditional_share) == (0.0, 0.1, 0.1)
    assert first.until == second.since == T0 + timedelta(days=9)
    assert second.conditional_share == pytest.approx(0.4 / 0.9)
    assert second.until is None


def test_a_stage_that_a_clock_behind_ends_is_empty_and_not_negative() -> None:
    (only,) = stage_periods(
        [event(1, "started", days=0, stage=1, share=0.1), event(2, "rolled_back", days=-2, stage=1, share=0.0)]
    )
    assert only.since == only.until == T0


@pytest.mark.parametrize("shares", [(0.5, 0.1), (0.1, 0.1), (0.0, 0.5), (0.1, 1.0)])
def test_shares_that_do_not_grow_between_0_and_1_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="do not grow"):
        RolloutPolicy(shares=shares)
