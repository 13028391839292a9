"""Worlds in which a bandit runs: arms of a known worth, days that drift, rewards that are whole days later."""

import numpy as np

from spots_ml.experiments.bandit.sharing import BanditPolicy, BanditUnits, next_shares

DELAY = 3
"""Periods until a unit is whole."""


def run(policy, worth, *, rng, seed=0, n_periods=40, n_agents=120, drift=0.2, shares_of=next_shares):
    """Run a bandit; `shares_of` gives the shares of a period, which are those that agents are drawn with.

    Returns:
        All units, and the shares by period.
    """
    parts, shares_by_period = [], []
    for period in range(1, n_periods + 1):
        whole = [part for part in parts if part[0][0] <= period - DELAY]
        shares = shares_of(policy, together(whole, len(worth)), seed=seed, period=period)
        shares_by_period.append(shares)
        arm = rng.choice(len(worth), n_agents, p=shares)
        # Later days are better, whoever decides.
        day = drift * (2.0 * period / n_periods - 1.0)
        mean = np.clip(np.asarray(worth)[arm] + day, -0.95, 0.95)
        value = np.where(rng.random(n_agents) < (1.0 + mean) / 2.0, 1.0, -1.0)
        parts.append((np.full(n_agents, period), arm, np.tile(shares, (n_agents, 1)), value))
    return together(parts, len(worth)), np.array(shares_by_period)


def together(parts, n_arms):
    if not parts:
        return BanditUnits(np.empty(0, int), np.empty(0, int), np.empty((0, n_arms)), np.empty(0))
    return BanditUnits(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def policy_of(n_arms, **changes):
    arms = tuple(f"v1.{number}-real" for number in range(n_arms))
    return BanditPolicy(**({"arms": arms, "n_draws": 1_000} | changes))


def clipped(policy, units, *, seed, period):
    """The mistake: shares clipped at the floor and scaled to 1, while the log is told what was meant."""
    meant = np.maximum(unfloored(policy, units, seed=seed, period=period), policy.floor)
    return meant / meant.sum()


def unfloored(policy, units, *, seed, period):
    """How likely each arm is the best, without a floor."""
    shares = next_shares(policy, units, seed=seed, period=period)
    return (shares - policy.floor) / (1.0 - len(shares) * policy.floor)
