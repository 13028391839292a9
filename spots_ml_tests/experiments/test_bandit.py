"""A bandit over versions: floors hold, the best arm gets most, and what is collected is worth what the shares say."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from spots_ml.errors import ConfigError
from spots_ml.estimates.e_process import log_e_above
from spots_ml.experiments.bandit.sharing import (
    BanditUnits,
    arm_values,
    assign_period,
    floored,
    next_shares,
    payoffs_against_champion,
    period_challenger,
    period_salt,
)
from spots_ml.scoring.arms import Arm
from spots_ml.scoring.assignment import FactorialAssignment, group_of, place_of
from spots_ml_tests.experiments.bandit_worlds import clipped, policy_of, run, together


@pytest.mark.parametrize("weights", [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
def test_every_arm_has_the_floor_and_the_rest_by_its_weight(weights):
    shares = floored(np.array(weights), 0.1)
    assert shares == pytest.approx(0.1 + 0.7 * np.array(weights))
    assert shares.sum() == pytest.approx(1.0)
    assert shares.min() >= 0.1


def test_the_floor_holds_in_every_period_of_every_world_and_shares_are_whole():
    for seed in range(5):
        _, shares = run(policy_of(3), [0.0, 0.6, -0.6], rng=np.random.default_rng(seed))
        assert shares.min() >= 0.05
        assert shares.sum(axis=1) == pytest.approx(1.0)


def test_before_anything_is_whole_arms_share_alike():
    shares = next_shares(policy_of(4), together([], 4), seed=1, period=1)
    assert shares == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("best", [0, 1, 2])
def test_the_best_arm_ends_with_most_traffic(best):
    worth = [0.0, 0.0, 0.0]
    worth[best] = 0.25
    last = [run(policy_of(3), worth, rng=np.random.default_rng(seed))[1][-1] for seed in range(10)]
    assert np.mean(last, axis=0)[best] > 0.7


def test_the_same_seed_and_units_give_the_same_shares_and_another_period_others():
    units, _ = run(policy_of(3), [0.0, 0.05, 0.0], rng=np.random.default_rng(2), n_periods=6)
    first, again, later = (next_shares(policy_of(3), units, seed=4, period=period) for period in (7, 7, 8))
    assert (first == again).all()
    assert (first != later).any()


def effects(worth, shares_of, told=None, n_worlds=40):
    """Estimated minus true effect of the second arm, world by world."""
    apart = []
    for seed in range(n_worlds):
        policy = policy_of(len(worth), floor=0.1)
        units, shares = run(policy, worth, rng=np.random.default_rng(seed), shares_of=shares_of)
        units = units if told is None else replace(units, shares=told(policy, units, shares))
        values = arm_values(policy, units)
        apart.append(values[policy.arms[1]].value - values[policy.arms[0]].value - (worth[1] - worth[0]))
    return np.array(apart)


def is_biased(apart):
    return abs(apart.mean()) > 3.0 * apart.std(ddof=1) / np.sqrt(len(apart))


def test_by_the_logged_shares_what_arms_are_worth_is_right_on_average_though_days_drift():
    assert not is_biased(effects([0.0, 0.15, -0.3], next_shares))


def test_the_mean_of_an_arms_own_units_is_not():
    apart = []
    for seed in range(40):
        units, _ = run(policy_of(3), [0.0, 0.15, -0.3], rng=np.random.default_rng(seed), drift=0.5)
        means = [units.value[units.arm == arm].mean() for arm in (0, 1)]
        apart.append(means[1] - means[0] - 0.15)
    assert is_biased(np.array(apart))


def test_clipping_and_scaling_is_biased_by_the_shares_that_were_meant():
    """Drawn with scaled shares, and weighed with those that were clipped before: every effect is off."""

    def meant(policy, _units, shares):
        # The smallest is what was clipped to the floor.
        scale = policy.floor / shares.min(axis=1)
        by_period = shares * np.where(shares.min(axis=1) < policy.floor, scale, 1.0)[:, None]
        return np.repeat(by_period, 120, axis=0)

    assert is_biased(effects([0.2, 0.6, -0.6], clipped, meant))
    assert not is_biased(effects([0.2, 0.6, -0.6], clipped))


def test_clipping_and_scaling_breaks_the_floor():
    _, shares = run(policy_of(3, floor=0.1), [0.0, 0.6, -0.6], rng=np.random.default_rng(0), shares_of=clipped)
    assert shares.min() < 0.1


def test_an_arm_that_is_no_better_is_seldom_found_so_whatever_the_shares_followed():
    n_found = 0
    for seed in range(100):
        units, _ = run(policy_of(2), [0.0, 0.0], rng=np.random.default_rng(seed))
        n_found += log_e_above(payoffs_against_champion(units, 1), 0.0).max() >= np.log(20.0)
    assert n_found <= 8


def test_an_arm_that_is_better_is_found_by_the_payoffs():
    found = []
    for seed in range(10):
        units, _ = run(policy_of(2), [0.0, 0.25], rng=np.random.default_rng(seed))
        payoffs = payoffs_against_champion(units, 1)
        assert payoffs.estimate == pytest.approx(0.25, abs=0.12)
        found.append(log_e_above(payoffs, 0.0).max() >= np.log(20.0))
    assert all(found)


def test_payoffs_are_worked_by_hand():
    shares = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.2, 0.6, 0.2]])
    units = BanditUnits(np.array([1, 1, 2]), np.array([0, 1, 1]), shares, np.array([0.5, 1.0, 0.0]))
    payoffs = payoffs_against_champion(units, 1)
    # Among the two arms the second has 3/8 and 3/8 and 3/4; nothing is predicted in the first period, 0.75 in the next.
    assert payoffs.payoff == pytest.approx([-3 / 8 * 0.5, 5 / 8 * 1.0, 1 / 4 * -0.75])
    assert payoffs.weight == pytest.approx([15 / 64, 15 / 64, 3 / 16])


def test_agents_are_placed_anew_in_every_period():
    salts = [period_salt("ab" * 16, period) for period in (1, 2)]
    places = np.array([[place_of(f"agent {number}", salt) for number in range(2_000)] for salt in salts])
    assert abs(np.corrcoef(places)[0, 1]) < 0.07
    assert all(len(salt) == 32 for salt in salts)


AGENTS = [agent for agent in (f"agent {number}" for number in range(8_000)) if group_of(agent) == "hybrid"]


def test_agents_are_drawn_with_the_shares_of_the_period():
    shares = np.array([0.5, 0.3, 0.2])
    drawn = assign_period(AGENTS, shares, period_salt("ab" * 16, 4))
    assert np.bincount(drawn) / len(drawn) == pytest.approx(shares, abs=0.03)


def test_a_scorer_draws_the_same_agents_of_two_arms_and_tells_their_share():
    shares = np.array([0.7, 0.3])
    one = period_challenger(
        policy_of(2), "calling_score", shares, weight=0.1, name="bandit-1", salt="ab" * 16, period=4
    )
    arm = Arm("champion", {"calling_score": "v1.0-real", "outcome": None}, 0.1)
    assignment = FactorialAssignment(Arm("formula", arm.versions, 0.0), arm, (one,))
    at = assignment.assign(AGENTS, np.zeros(len(AGENTS), "datetime64[us]"))
    assert (at - 1 == assign_period(AGENTS, shares, period_salt("ab" * 16, 4))).all()
    assert [round(one.share, 3) for one in assignment.arms[1:]] == [0.7, 0.3]


def test_more_arms_than_a_scorer_has_are_told():
    with pytest.raises(ConfigError, match="3 arms"):
        period_challenger(policy_of(3), "calling_score", np.ones(3) / 3, weight=0.1, name="b", salt="ab", period=1)


def test_arms_that_cannot_all_have_the_floor_or_are_one_are_refused():
    with pytest.raises(ValidationError, match="whose floors are less"):
        policy_of(3, floor=0.4)
    with pytest.raises(ValidationError, match="different versions"):
        policy_of(2).model_validate({"arms": ("v1.0-real", "v1.0-real")})


@pytest.mark.parametrize(
    "changes",
    [{"period": np.array([2, 1])}, {"shares": np.array([[1.0, 0.0], [0.5, 0.5]])}, {"value": np.array([0.0, 1.5])}],
)
def test_units_that_do_not_belong_together_are_refused(changes):
    good = {"period": np.array([1, 2]), "arm": np.array([0, 1]), "shares": np.full((2, 2), 0.5), "value": np.zeros(2)}
    with pytest.raises(ConfigError, match="in the order of their periods"):
        BanditUnits(**(good | changes))
