"""The plan of a rollout: what traffic and spread do to it, and that its arithmetic is that of the evidence."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.errors import InsufficientDataError
from spots_ml.estimates.e_process import Payoffs, log_e_above
from spots_ml.experiments.decided import DECIDED
from spots_ml.experiments.forecasting.planner import Traffic, _log_e, plan_rollout
from spots_ml.experiments.forecasting.traffic import logged_traffic
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.scoring.assignment import group_of
from spots_ml_tests.stores.keeping_interactions import NOW

POLICY = RolloutPolicy()
MODEL = "calling_score"


def traffic(n_agents=3_000, spread=0.35, active=0.3):
    came = tuple(n_agents * (1.0 - (1.0 - active) ** day) for day in range(29))
    return Traffic(agents_per_day=active * n_agents, came_by_day=came, spread=spread, n_units=n_agents)


def planned(effect, policy=POLICY, **changes):
    (found,) = plan_rollout(traffic(**changes), policy, 0.02, (effect,)).effects
    return found


def test_nothing_is_found_before_the_first_units_are_whole_and_benefit_needs_a_second_stage():
    sure = planned(0.2, n_agents=100_000), planned(-0.2, n_agents=100_000)
    assert sure[1].day == 10
    assert sure[0].day == 20
    assert sure[0].found == sure[1].found == 1.0


def test_more_agents_less_spread_or_a_larger_effect_are_found_more_often():
    assert planned(0.06, n_agents=1_500).found < planned(0.06, n_agents=3_000).found
    assert planned(0.06, n_agents=1_500).found < planned(0.06, n_agents=1_500, spread=0.25).found
    assert planned(0.03, n_agents=3_000).found < planned(0.05, n_agents=3_000).found


def test_what_cannot_be_found_is_never_found_and_is_given_up():
    found = planned(0.03, n_agents=200)
    assert (found.day, found.found < 0.05) == (None, True)
    assert found.over_day < POLICY.longest_days
    assert found.told(60) == f"+3 points never within 60 (given up on day {found.over_day:.0f})"


def test_the_plan_is_told_in_a_sentence():
    told = plan_rollout(traffic(n_agents=600), POLICY, 0.02, (-0.5, 0.03)).told()
    assert told.startswith("at 180 agents a day, -50 points in 10 days, +3 points never within 60")


def test_the_same_traffic_gives_the_same_plan_whatever_else_is_asked():
    first = plan_rollout(traffic(), POLICY, 0.02, (0.06,))
    assert first == plan_rollout(traffic(), POLICY, 0.02, (0.06,))
    assert first.effects[0] == plan_rollout(traffic(), POLICY, 0.02, (0.06, 0.03)).effects[0]


def test_a_longer_window_and_a_smaller_level_are_later():
    longer = POLICY.model_copy(update={"window_days": 14.0})
    assert planned(0.2, longer, n_agents=100_000).day == 34
    (strict,) = plan_rollout(traffic(), POLICY, 1e-6, (0.06,)).effects
    assert strict.found < planned(0.06).found


def test_agents_beyond_the_days_seen_come_as_in_their_last_third():
    seen = Traffic(agents_per_day=1, came_by_day=(0, 10, 14, 17), spread=0.3, n_units=50)
    assert seen.came_by(np.array([-1.0, 0.5, 3.0, 5.0])).tolist() == [0.0, 5.0, 17.0, 23.0]


def test_evidence_grows_as_that_of_real_payoffs_does():
    rng = np.random.default_rng(3)
    share, effect, n = 0.1, 0.1, 4_000
    treated = rng.random(n) < share
    value = np.clip(rng.normal(0.0, 0.3, n) + effect * treated, -1.0, 1.0)
    paid = (treated - share) * value
    real = log_e_above(Payoffs(paid, np.full(n, share * (1 - share)), np.full(n, -1.0), np.ones(n)), 0.0)
    close = [_log_e(paid[:k].sum()[None], np.square(paid[:k]).sum()[None])[0] for k in (500, 2_000, 4_000)]
    assert close == pytest.approx(real[[499, 1_999, 3_999]], abs=0.35)


def log(n_agents=400, n_days=28, value=None, start=0):
    """Decisions of agents who are there every other day; each is called and likes it or not."""
    rng = np.random.default_rng(5)
    rows = []
    for number in range(n_agents):
        for day in range(start, n_days):
            if (day + number) % 2:
                continue
            moment = NOW - timedelta(days=n_days - day) + timedelta(minutes=number % 600)
            kind = value or ("positive" if rng.random() < 0.6 else "negative")
            rows.append(
                {
                    **dict.fromkeys(DECIDED.names),
                    "agent_id": f"agent {number}",
                    "opportunity_id": f"spot {day}",
                    "decided_at": moment,
                    "formula_score": 0.8,
                    "weight": 0.0,
                    "called": True,
                    "outcome_type": kind,
                    "outcome_at": moment + timedelta(hours=1),
                    "by_phone": False,
                }
            )
    return pa.Table.from_pylist(rows, schema=DECIDED)


def test_traffic_and_spread_come_out_of_the_log_of_the_hybrid_group():
    found = logged_traffic(log(), MODEL, POLICY, now=NOW)
    n_hybrid = sum(group_of(f"agent {number}") == "hybrid" for number in range(400))
    assert found.agents_per_day == pytest.approx(n_hybrid / 2, rel=0.1)
    assert found.came_by_day[0] == 0.0 and found.came_by_day[-1] == n_hybrid
    assert found.n_units == n_hybrid
    # Three or four decisions a unit, each +1 or -1 with 60 %: 0.98 / sqrt(3.5).
    assert found.spread == pytest.approx(0.98 / np.sqrt(3.5), rel=0.15)


def test_traffic_of_a_young_log_begins_with_it():
    found = logged_traffic(log(n_days=12), MODEL, POLICY, now=NOW)
    assert len(found.came_by_day) == 13


@pytest.mark.parametrize(
    ("decided", "told"),
    [
        (log(n_agents=0), "no decision of the hybrid group"),
        (log(n_days=6), "the log tells of 6 days"),
        (log(n_agents=20), "units would have become whole"),
        (log(value="neutral"), "came to the same value"),
    ],
)
def test_too_little_to_plan_with_is_told(decided, told):
    with pytest.raises(InsufficientDataError, match=told):
        logged_traffic(decided, MODEL, POLICY, now=NOW)
