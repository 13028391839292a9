"""What units pay: for each number that is judged, a payoff per unit whose mean is the effect, however the world drifts.

The payoff of a unit is (treated - share) x (value - prediction) with the share of its own stage, and a prediction from
units of earlier moments; its mean is share x (1 - share) x effect, whatever the prediction and the base rate are.
So stages are never pooled by counts, and what the prediction knows makes payoffs vary less.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from spots_ml.errors import ConfigError
from spots_ml.estimates.e_process import BETS, Payoffs
from spots_ml.estimates.prediction import block_starts, predicted
from spots_ml.experiments.policy import OutcomeValues
from spots_ml.experiments.rollout import StagePeriod

VALUE: Final = "value"
GUARDED: Final = ("negative", "called", "fallback", "slow")
"""Columns of units that are watched beside the value; shares of decisions."""
JUDGED: Final = (VALUE, *GUARDED)

_ROUNDING: Final = 1e-9
_SHRUNK: Final = 5.0
"""Earlier decisions of an agent that count as much as knowing nothing of it."""


@dataclass(frozen=True)
class UnitPayoffs:
    """Units of a rollout in their order, ready to be weighed.

    Attributes:
        stage: `(n,)` number of the stage of each.
        treated: `(n,)` bool.
        share: `(n,)` with which it was treated, given that it was fresh.
        ends_moment: `(n,)` bool, whether the next unit became whole at another moment. Units of one moment are ordered
            by their place, which says who is treated: between them nobody may look.
        values: `(n, 5)` the columns `JUDGED`.
        predictions: `(n, 5)` of these, from units of earlier moments.
        low: `(5,)` smallest value there can be.
        high: `(5,)` largest.
    """

    stage: np.ndarray
    treated: np.ndarray
    share: np.ndarray
    ends_moment: np.ndarray
    values: np.ndarray
    predictions: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def weight(self) -> np.ndarray:
        """`(n,)` by how much a unit's payoff follows the effect; their sum is what all units can tell."""
        weight: np.ndarray = self.share * (1.0 - self.share)
        return weight

    def of(self, name: str) -> Payoffs:
        """Give the payoffs of one number.

        Args:
            name: One of `JUDGED`.

        Returns:
            The payoffs, in the order of the units.
        """
        column = JUDGED.index(name)
        prediction = self.predictions[:, column]
        least, most = self.low[column] - prediction, self.high[column] - prediction
        return Payoffs(
            (self.treated - self.share) * (self.values[:, column] - prediction),
            self.weight,
            np.minimum((1.0 - self.share) * least, -self.share * most),
            np.maximum((1.0 - self.share) * most, -self.share * least),
        )

    def bets(self, name: str) -> tuple[float, ...]:
        """Give the bets on one number, so that it does not matter in which unit it is told.

        Args:
            name: One of `JUDGED`.

        Returns:
            `BETS` where it can be from -1 to 1, and by as much more as it can be less.
        """
        column = JUDGED.index(name)
        scale = 2.0 / float(self.high[column] - self.low[column])
        return tuple(bet * scale for bet in BETS)

    def both_means(self) -> tuple[np.ndarray, np.ndarray]:
        """Tell what each unit adds to the mean value of the treated and of the others.

        Returns:
            `(n,)` twice, of the same weight; their means are in the ratio of the two mean values.
        """
        value, prediction = self.values[:, 0], self.predictions[:, 0]
        common, residual = self.weight * prediction, value - prediction
        return (
            common + (1.0 - self.share) * self.treated * residual,
            common + self.share * ~self.treated * residual,
        )


def unit_payoffs(units: pa.Table, periods: Iterable[StagePeriod], values: OutcomeValues) -> UnitPayoffs:
    """Prepare units.

    Args:
        units: In the order in which the store numbered them; columns of `units.UNITS`.
        periods: The stages, with their shares.
        values: What outcomes are worth.

    Returns:
        What they pay; what is said of a unit does not change when more come after it.

    Raises:
        ConfigError: When a unit is of another stage, or has a value that there cannot be.
    """
    shares = {period.stage: period.conditional_share for period in periods}
    stage = units["stage"].to_numpy().astype(np.int64)
    known = sorted(shares)
    strange = sorted(set(np.unique(stage).tolist()) - set(known))
    if strange or not known:
        raise ConfigError(f"units of the stages {strange}; expected those of the stages {known} of a rollout")
    worth = (0.0, values.positive, values.neutral, values.negative, values.none)
    low, high = (np.array([end(worth), *[bound] * len(GUARDED)]) for end, bound in ((min, 0.0), (max, 1.0)))
    told = np.column_stack([_numbers(units, name) for name in JUDGED])
    outside = ~((told >= low - _ROUNDING) & (told <= high + _ROUNDING))
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise ConfigError(
            f"unit {row + 1} has {JUDGED[column]} {told[row, column]:g}; expected at least {low[column]:g} and at most "
            f"{high[column]:g}: it was not made by the rules of this rollout"
        )
    told = np.clip(told, low, high)
    moments = units["matured_at"].combine_chunks().cast(pa.int64()).to_numpy(zero_copy_only=False)
    begins = np.ones(len(moments), bool)
    begins[1:] = moments[1:] != moments[:-1]
    return UnitPayoffs(
        stage=stage,
        treated=units["treated"].to_numpy(),
        share=np.array([shares[each] for each in known])[np.searchsorted(known, stage)],
        ends_moment=np.append(begins[1:], True)[: len(moments)],
        values=told,
        predictions=predicted(_covariates(units), told, block_starts(begins), low=low, high=high),
        low=low,
        high=high,
    )


def _covariates(units: pa.Table) -> np.ndarray:
    """`(n, 4)` what was known of an agent before it entered the stage."""
    n_earlier = _numbers(units, "n_earlier")
    known = n_earlier / (n_earlier + _SHRUNK)
    earlier, formula = _numbers(units, "earlier_value"), _numbers(units, "first_formula_score")
    has_formula = np.isfinite(formula)
    return np.column_stack([known, known * np.nan_to_num(earlier), has_formula, np.where(has_formula, formula, 0.0)])


def _numbers(units: pa.Table, name: str) -> np.ndarray:
    """`(n,)` float64; NaN where null."""
    numbers: np.ndarray = units[name].to_numpy().astype(np.float64)
    return numbers
