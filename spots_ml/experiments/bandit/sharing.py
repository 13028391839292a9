"""Shares of a bandit: versions have the hybrid group by how likely each is the best, day by day.

Thompson sampling with rewards that are whole. A period (a day) has a salt of its own, so every agent is placed anew by
a hash, and shares that are fixed before it begins; they are logged with each decision. What was collected is analysed
by the shares it was collected with: means of arms are not comparable, because an arm that does well gets more traffic
on other days than the rest, and days differ. Which share an arm has never falls to 0: the floor is added, because
whoever clips shares and scales them to 1 takes from the floor again, and weighs by what nobody was drawn with.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from spots_ml.errors import ConfigError
from spots_ml.estimates.e_process import Payoffs
from spots_ml.models.declared import ModelType
from spots_ml.scoring.assignment import places_of
from spots_ml.scoring.challengers import Challenger

LOWEST, HIGHEST = -1.0, 1.0
"""Between which the value of a unit lies."""
_SALT_DIGITS: Final = 32


class BanditPolicy(BaseModel):
    """How a bandit divides the hybrid group."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    arms: tuple[str, ...] = Field(min_length=2, description="Versions, the champion first.")
    floor: float = Field(default=0.05, gt=0.0, lt=0.5, description="Share that every arm has whatever happens.")
    period_days: float = Field(default=1.0, gt=0.0, description="How long shares stay as they are.")
    doubt_units: float = Field(
        default=50.0, gt=0.0, description="Units of value 0 and full spread that every arm begins with."
    )
    n_draws: int = Field(default=10_000, ge=1_000, description="How often it is drawn which arm is the best.")

    @model_validator(mode="after")
    def _room(self) -> Self:
        if len(set(self.arms)) < len(self.arms) or len(self.arms) * self.floor >= 1.0:
            raise ValueError(
                f"the arms are {', '.join(self.arms)} with a floor of {self.floor:g} each; expected different versions "
                "whose floors are less than everything together"
            )
        return self


@dataclass(frozen=True)
class BanditUnits:
    """What agents' decisions of one period each came to, once maturity is over; in the order of the periods.

    Attributes:
        period: `(n,)` number of the period, from 1, never falling.
        arm: `(n,)` position of the arm that decided.
        shares: `(n, n_arms)` the shares of the arms in that period, as logged.
        value: `(n,)` in [-1, 1], mean of called x value of the outcome.
    """

    period: np.ndarray
    arm: np.ndarray
    shares: np.ndarray
    value: np.ndarray

    def __post_init__(self) -> None:
        """Check that they belong together.

        Raises:
            ConfigError: When periods fall, a share is not above 0, or a value is out of its range.
        """
        falls = bool((np.diff(self.period) < 0).any())
        if falls or not (self.shares > 0.0).all() or not (np.abs(self.value) <= HIGHEST).all():
            raise ConfigError(
                "units of a bandit have falling periods, a share that is not above 0, or a value beyond -1 and 1; give "
                "them in the order of their periods, with the shares that were logged"
            )


def floored(weights: np.ndarray, floor: float) -> np.ndarray:
    """Give every arm a floor: `f + (1 - n f) w`.

    Args:
        weights: `(n,)` that add up to 1.
        floor: In (0, 1 / n).

    Returns:
        `(n,)` shares that add up to 1, each at least the floor.

    >>> floored(np.array([1.0, 0.0, 0.0]), 0.1).round(3).tolist()
    [0.8, 0.1, 0.1]
    """
    shares: np.ndarray = floor + (1.0 - len(weights) * floor) * weights
    return shares


def next_shares(policy: BanditPolicy, units: BanditUnits, *, seed: int, period: int) -> np.ndarray:
    """Say which share each arm has in a period.

    Args:
        policy: The rules.
        units: All that are whole before the period begins.
        seed: Of the bandit.
        period: Its number, from 1; the same seed, units and number give the same shares.

    Returns:
        `(n_arms,)` shares that add up to 1: how often each arm was the best of as many draws from what is known,
        floored.
    """
    mean, variance = _known(policy, units)
    drawn = np.random.default_rng((seed, period)).standard_normal((policy.n_draws, len(mean)))
    best = np.argmax(mean + np.sqrt(variance) * drawn, axis=1)
    return floored(np.bincount(best, minlength=len(mean)) / policy.n_draws, policy.floor)


def period_salt(salt: str, period: int) -> str:
    """Make the salt of a period: agents are placed anew, and nobody can tell tomorrow's place from today's.

    Args:
        salt: Of the bandit.
        period: Number of the period.

    Returns:
        32 hexadecimal digits.
    """
    return hashlib.sha256(f"{salt}:{period}".encode()).hexdigest()[:_SALT_DIGITS]


def assign_period(agent_ids: Sequence[str], shares: np.ndarray, salt: str) -> np.ndarray:
    """Draw agents of the hybrid group for a period.

    Args:
        agent_ids: `(n_agents,)` ids.
        shares: `(n_arms,)` of the period.
        salt: Of the period.

    Returns:
        `(n_agents,)` positions of their arms; challengers take the lower end in their order, the champion the rest.
    """
    places = places_of(agent_ids, salt)
    taken = np.searchsorted(np.cumsum(shares[1:]), places, side="right")
    positions: np.ndarray = np.where(taken < len(shares) - 1, taken + 1, 0)
    return positions


def period_challenger(
    policy: BanditPolicy, model_type: ModelType, shares: np.ndarray, *, weight: float, name: str, salt: str, period: int
) -> Challenger:
    """Make what scorers and phones need of a period of a bandit with two arms.

    Args:
        policy: The rules, with two arms.
        model_type: Whose versions the arms are.
        shares: `(2,)` of the period.
        weight: At which the challenger answers.
        name: Of the bandit.
        salt: Of the bandit.
        period: Number of the period.

    Returns:
        The challenger; it draws the same agents as `assign_period`.

    Raises:
        ConfigError: When there are more arms: a scorer has one challenger of a model.
    """
    if len(policy.arms) != 2:
        raise ConfigError(f"a bandit with {len(policy.arms)} arms has no single challenger; see assign_period")
    return Challenger(
        experiment=f"{name}-{period}",
        stage=1,
        share=float(shares[1]),
        salt=period_salt(salt, period),
        model_type=model_type,
        version=policy.arms[1],
        weight=weight,
    )


@dataclass(frozen=True)
class ArmValue:
    """What an arm is worth.

    Attributes:
        value: Mean value of a unit if everybody had been decided by it.
        standard_error: Of that.
    """

    value: float
    standard_error: float


def arm_values(policy: BanditPolicy, units: BanditUnits) -> Mapping[str, ArmValue]:
    """Estimate what every arm is worth by the logged shares.

    Every unit says something of every arm: a prediction from earlier periods, and for the arm that decided what it
    missed, by 1 / share. So the mean is right whatever the prediction is, however shares followed from rewards and the
    world drifts.

    Args:
        policy: The rules.
        units: At least two.

    Returns:
        Values by arm.
    """
    told = _told(units)
    errors = told.std(axis=0, ddof=1) / np.sqrt(len(told))
    pairs = zip(policy.arms, told.mean(axis=0).tolist(), errors.tolist(), strict=True)
    return {arm: ArmValue(value, error) for arm, value, error in pairs}


def payoffs_against_champion(units: BanditUnits, arm: int) -> Payoffs:
    """Give what units pay for "this arm is better than the champion", for `estimates.e_process`.

    Args:
        units: In their order.
        arm: Position of the arm, from 1.

    Returns:
        Payoffs of the units of both; their mean is weight x effect, with the shares of each period.
    """
    rows = np.isin(units.arm, (0, arm))
    mine, theirs = units.shares[rows, arm], units.shares[rows, 0]
    # Given that an agent is in one of the two arms.
    down, up = mine / (mine + theirs), theirs / (mine + theirs)
    prediction = _predictions(units)[rows]
    least, most = LOWEST - prediction, HIGHEST - prediction
    return Payoffs(
        np.where(units.arm[rows] == arm, up, -down) * (units.value[rows] - prediction),
        up * down,
        np.minimum(up * least, -down * most),
        np.maximum(up * most, -down * least),
    )


def _known(policy: BanditPolicy, units: BanditUnits) -> tuple[np.ndarray, np.ndarray]:
    """`(n_arms,)` twice: mean and variance of what each arm is worth."""
    n_arms, n_units = len(policy.arms), len(units.value)
    if n_units < 2:
        return np.zeros(n_arms), np.full(n_arms, 1.0 / policy.doubt_units)
    told = _told(units)
    # As many units as would leave this error if everybody had been decided by the arm.
    variance = np.maximum(told.var(axis=0, ddof=1), 1e-12) / n_units
    spread = max(float(np.var(units.value - _predictions(units))), 1e-6)
    n_equal = spread / variance
    total = policy.doubt_units + n_equal
    return n_equal * told.mean(axis=0) / total, spread / total


def _told(units: BanditUnits) -> np.ndarray:
    """`(n, n_arms)` what every unit says of every arm."""
    prediction = _predictions(units)
    told = np.repeat(prediction[:, None], units.shares.shape[1], axis=1)
    rows = np.arange(len(prediction))
    told[rows, units.arm] += (units.value - prediction) / units.shares[rows, units.arm]
    return told


def _predictions(units: BanditUnits) -> np.ndarray:
    """`(n,)` the mean value of all units of earlier periods; 0 in the first one."""
    sums = np.concatenate([[0.0], np.cumsum(units.value)])
    before = np.searchsorted(units.period, units.period, side="left")
    means: np.ndarray = sums[before] / np.maximum(before, 1)
    return means
