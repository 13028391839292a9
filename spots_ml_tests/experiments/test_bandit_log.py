"""A bandit's units come out of the log alone: by period and agent, with the shares that were logged."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.errors import ConfigError
from spots_ml.experiments.bandit.log_units import units_of_log
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml_tests.experiments.bandit_worlds import policy_of
from spots_ml_tests.stores.keeping_interactions import NOW

COLUMNS = {
    "agent_id": pa.string(),
    "decided_at": pa.timestamp("us", "UTC"),
    "experiment": pa.string(),
    "version": pa.string(),
    "share": pa.float64(),
    "called": pa.bool_(),
    "outcome_type": pa.string(),
    "outcome_at": pa.timestamp("us", "UTC"),
    "first_outcome_at": pa.timestamp("us", "UTC"),
}


def decided(agent, period, arm, share, kind="positive", name="bandit-1"):
    at = NOW - timedelta(days=10 - period)
    told = {"agent_id": agent, "decided_at": at, "version": f"v1.{arm}-real", "share": share, "called": True}
    experiment = None if name is None else f"{name}-{period}"
    return told | {"experiment": experiment, "outcome_type": kind, "outcome_at": at + timedelta(hours=1)}


def units(*rows, n_arms=2):
    table = pa.Table.from_pylist([dict.fromkeys(COLUMNS) | row for row in rows], schema=pa.schema(COLUMNS))
    return units_of_log(
        table, policy_of(n_arms), RolloutPolicy(), name="bandit-1", version="version", now=NOW + timedelta(minutes=1)
    )


def test_a_unit_is_an_agents_mean_of_one_period():
    found = units(
        decided("a", 1, 0, 0.5),
        decided("a", 1, 0, 0.5, "neutral"),
        decided("b", 1, 1, 0.5, "negative"),
        decided("a", 2, 1, 0.3),
        decided("b", 2, 0, 0.7, None),
    )
    assert found.period.tolist() == [1, 1, 2, 2]
    assert found.arm.tolist() == [0, 1, 1, 0]
    assert found.value.tolist() == [0.5, -1.0, 1.0, 0.0]
    assert found.shares == pytest.approx(np.array([[0.5, 0.5], [0.5, 0.5], [0.7, 0.3], [0.7, 0.3]]))


def test_periods_whose_outcomes_may_still_come_and_other_experiments_are_left_out():
    found = units(
        decided("a", 1, 0, 0.5),
        decided("a", 9, 0, 0.5),
        decided("a", 2, 0, 0.5, name="bandit-2"),
        decided("a", 3, 0, 0.5, name=None),
        decided("a", 4, 0, 0.5, name="bandit-1-x"),
    )
    assert found.period.tolist() == [1]
    assert len(units().period) == 0


def test_an_arm_that_decided_nothing_has_what_the_others_leave():
    found = units(decided("a", 1, 0, 0.5), decided("b", 1, 1, 0.3), n_arms=3)
    assert found.shares[0] == pytest.approx([0.5, 0.3, 0.2])


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([decided("a", 1, 2, 0.5)], "is of the version v1.2-real"),
        ([decided("a", 1, 0, 0.5), decided("b", 1, 1, 0.4)], "period 1 of bandit-1"),
        ([decided("a", 1, 0, 0.5), decided("b", 1, 0, 0.4)], "period 1 of bandit-1"),
    ],
)
def test_what_cannot_be_of_one_draw_is_refused(rows, told):
    with pytest.raises(ConfigError, match=told):
        units(*rows)
