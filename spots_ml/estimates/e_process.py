"""What bounded payoffs are worth as evidence, however often one looks: e-processes by betting, and their inversion.

An e-process starts at 1, and as long as a null hypothesis holds it is not expected to grow; so it ever reaches
`1 / level` with probability at most `level` (Ville 1939), whenever one looks, stops, or goes on. Here it is the wealth
of one who bets on each payoff before seeing it (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random
variables by betting"), averaged over a few constant bets, so that none has to be chosen. Bets are cut where a single
payoff could take nearly everything, so wealth stays positive by construction.

What the payoffs are, and in which order they come, is the business of whoever asks: the order must be settled without
knowledge of the payoffs, and the bounds of each be known before it is seen.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from spots_ml.errors import ConfigError

BETS: Final = tuple(float(bet) for bet in np.geomspace(0.02, 0.9, 12).round(4))
"""Constant bets that wealth is averaged over: about effect divided by variance of what can be found."""

LARGEST_STAKE: Final = 0.9
"""Largest share of the wealth that one payoff may take."""

_AT_ONCE: Final = 8_192
"""Payoffs in one step, so that what is held stays in the processor's cache."""
_FACTORS: Final = 8
"""Factors multiplied before their logarithm is taken; each lies above `1 - LARGEST_STAKE`."""
_N_HALVINGS: Final = 30


@dataclass(frozen=True)
class Payoffs:
    """Payoffs in their order, whose means are known up to one number, the effect.

    Attributes:
        payoff: `(n,)`; its mean given everything before is effect x weight.
        weight: `(n,)`, above 0, known before the payoff.
        low: `(n,)` what the payoff cannot be below, known before.
        high: `(n,)` what it cannot be above.
    """

    payoff: np.ndarray
    weight: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __post_init__(self) -> None:
        """Check that nothing can break the bank.

        Raises:
            ConfigError: When lengths differ, a weight is not above 0, or a payoff is not a number within its bounds.
        """
        lengths = {len(each) for each in (self.payoff, self.weight, self.low, self.high)}
        if len(lengths) > 1:
            raise ConfigError(f"payoffs, weights and bounds have {sorted(lengths)} entries; expected as many of each")
        outside = ~((self.low <= self.payoff) & (self.payoff <= self.high) & (self.weight > 0.0))
        if outside.any():
            first = int(np.argmax(outside))
            raise ConfigError(
                f"payoff {first} is {self.payoff[first]} with bounds {self.low[first]} and {self.high[first]} and "
                f"weight {self.weight[first]}; expected it within its bounds, and a weight above 0"
            )

    @property
    def reversed(self) -> "Payoffs":
        """The same as losses: its effect is minus that of these."""
        return Payoffs(-self.payoff, self.weight, -self.high, -self.low)

    @property
    def estimate(self) -> float | None:
        """The effect that fits best: sum of payoffs over sum of weights; None without payoffs."""
        return float(self.payoff.sum() / self.weight.sum()) if len(self.payoff) else None


def log_e_above(payoffs: Payoffs, null: float, bets: tuple[float, ...] = BETS) -> np.ndarray:
    """Weigh the evidence that the effect is above a number.

    Args:
        payoffs: In their order.
        null: The hypothesis is `effect <= null`; also where the effect changes from payoff to payoff.
        bets: Above 0; see `BETS`.

    Returns:
        `(n,)` natural logarithm of the e-process after each payoff; its largest value so far is what Ville bounds.

    >>> sure = Payoffs(np.full(40, 0.5), np.ones(40), np.full(40, -1.0), np.ones(40))
    >>> log_e_above(sure, 0.0)[[0, 39]].round(2).tolist()
    [0.12, 12.4]
    """
    running = np.zeros((len(bets), 1))
    told = []
    for start in range(0, len(payoffs.payoff), _AT_ONCE):
        factors = _factors(payoffs, slice(start, start + _AT_ONCE), null, bets)
        logs = running + np.cumsum(np.log(factors, out=factors), axis=1)
        running = logs[:, -1:].copy()
        told.append(_log_mean_exp(logs))
    return np.concatenate(told) if told else np.empty(0)


def log_e_below(payoffs: Payoffs, null: float, bets: tuple[float, ...] = BETS) -> np.ndarray:
    """Weigh the evidence that the effect is below a number.

    Args:
        payoffs: In their order.
        null: The hypothesis is `effect >= null`.
        bets: Above 0; see `BETS`.

    Returns:
        As `log_e_above`.
    """
    return log_e_above(payoffs.reversed, -null, bets)


def running_peak(log_e: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    """Tell the largest value so far.

    Args:
        log_e: `(n,)` after each payoff.
        counts: `(n,)` bool, whether one may look after it; always where None. Payoffs of one moment have no order of
            their own: only after the last of them it may count.

    Returns:
        `(n,)`, at least 0: an e-process starts at 1.

    >>> running_peak(np.array([-1.0, 2.0, 3.0, 0.5]), np.array([True, True, False, True]))
    array([0., 2., 2., 2.])
    """
    there = log_e if counts is None else np.where(counts, log_e, 0.0)
    return np.maximum.accumulate(np.maximum(there, 0.0))


def confidence_sequence(
    payoffs: Payoffs, *, level: float, lowest: float, highest: float, bets: tuple[float, ...] = BETS
) -> tuple[float, float]:
    """Bound the effect, at this moment and at every other with the same confidence.

    The ends are the nulls that the wealth as it stands now has rejected, each side with half of `1 - level`: the
    interval of any moment may be looked at, and all of them hold the effect with the probability `level`. They are not
    cut with those before, so an effect that changes gives no empty interval.

    Args:
        payoffs: In their order; the effect is the same for all.
        level: Such as 0.95.
        lowest: Smallest effect there can be.
        highest: Largest.
        bets: Above 0; see `BETS`.

    Returns:
        Both ends, in [lowest, highest]; those two without payoffs.
    """
    needed = math.log(2.0 / (1.0 - level))
    best = payoffs.estimate
    if best is None:
        return lowest, highest
    best = min(max(best, lowest), highest)
    return (
        _last_rejected(payoffs, lowest, best, needed, bets),
        -_last_rejected(payoffs.reversed, -highest, -best, needed, bets),
    )


def _last_rejected(payoffs: Payoffs, lowest: float, best: float, needed: float, bets: tuple[float, ...]) -> float:
    """The largest null below the estimate that is rejected: wealth falls where the null rises."""
    rejected, kept = lowest, best
    if _log_e_at_end(payoffs, lowest, bets) < needed:
        return lowest
    for _ in range(_N_HALVINGS):
        middle = (rejected + kept) / 2.0
        if kept - rejected < 1e-5:
            break
        if _log_e_at_end(payoffs, middle, bets) >= needed:
            rejected = middle
        else:
            kept = middle
    return rejected


def _log_e_at_end(payoffs: Payoffs, null: float, bets: tuple[float, ...]) -> float:
    total = np.zeros(len(bets))
    for start in range(0, len(payoffs.payoff), _AT_ONCE):
        factors = _factors(payoffs, slice(start, start + _AT_ONCE), null, bets)
        whole = factors.shape[1] // _FACTORS * _FACTORS
        grouped = factors[:, :whole].reshape(len(bets), _FACTORS, -1)
        total += np.log(grouped.prod(axis=1)).sum(axis=1) + np.log(factors[:, whole:]).sum(axis=1)
    return float(_log_mean_exp(total[:, None])[0])


def _factors(payoffs: Payoffs, part: slice, null: float, bets: tuple[float, ...]) -> np.ndarray:
    """`(n_bets, n)` by what each bet's wealth is multiplied."""
    expected = null * payoffs.weight[part]
    loss = np.maximum(expected - payoffs.low[part], LARGEST_STAKE / max(bets))
    factors: np.ndarray = np.minimum(np.array(bets)[:, None], LARGEST_STAKE / loss)
    factors *= payoffs.payoff[part] - expected
    factors += 1.0
    return factors


def _log_mean_exp(logs: np.ndarray) -> np.ndarray:
    largest = logs.max(axis=0)
    means: np.ndarray = largest + np.log(np.exp(logs - largest).mean(axis=0))
    return means
