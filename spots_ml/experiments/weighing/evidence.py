"""From units to what is known about a rollout: e-values with their peaks, the effect, guardrails, the sample ratio.

What is said after a unit does not depend on what came later, nor on how often anybody looked: peaks are over units in
their order, not over looks. Which decision follows is in `ramp`.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa

from spots_ml.estimates.agents import effective_number
from spots_ml.estimates.e_process import Payoffs, confidence_sequence, log_e_above, log_e_below, running_peak
from spots_ml.estimates.estimate import Estimate, binomial_interval, kept
from spots_ml.estimates.ratio import relative_difference
from spots_ml.experiments.evidence_record import EValue, Evidence, Guardrail
from spots_ml.experiments.rollout import RolloutStart, StagePeriod
from spots_ml.experiments.weighing.arrivals import arrivals_in, sample_ratio, stage_counts
from spots_ml.experiments.weighing.day_effects import effects_by_day
from spots_ml.experiments.weighing.payoffs import GUARDED, JUDGED, VALUE, UnitPayoffs, unit_payoffs

LEVEL: Final = 0.95
"""Of the interval of the effect, at all looks together."""
_LARGEST: Final = 2.0
"""Effect that there can be, either way, as values are in [-1, 1]; few units alone would tell larger ones."""


def evidence(
    rollout: RolloutStart,
    periods: Sequence[StagePeriod],
    units: pa.Table,
    entered: pa.Table,
    *,
    as_of: datetime,
) -> Evidence:
    """Tell what is known about a rollout.

    Args:
        rollout: Its policy and its part of the error budget.
        periods: Its stages, from the first one on; see `rollout.stage_periods`.
        units: Whole units in the order in which the store numbered them, schema `units.UNITS`.
        entered: Fresh agents by the moment they came, schema `units.ENTERED`.
        as_of: Units that were whole by then are among them, with a time zone.

    Returns:
        The document; the same units in the same order give the same, to the byte.

    Raises:
        ConfigError: When units are of stages that there were not, or have values that there cannot be.
    """
    return Trail(rollout, periods, units).at(units.num_rows, entered, as_of=as_of)


class Trail:
    """What was known after every unit of a rollout, one pass over all of them.

    Args:
        rollout: As for `evidence`.
        periods: As for `evidence`.
        units: As for `evidence`.
    """

    def __init__(self, rollout: RolloutStart, periods: Sequence[StagePeriod], units: pa.Table) -> None:
        self._policy, self._periods, self._units = rollout.policy, periods, units
        self._payoffs = unit_payoffs(units, periods, rollout.policy.values)
        paid = {name: self._payoffs.of(name) for name in JUDGED}
        self._paid = paid
        policy, margins = rollout.policy, rollout.policy.guardrails.model_dump()
        self._needed = {
            "benefit": -math.log(rollout.level),
            "harm": -math.log(policy.harm_level),
            "not_much_worse": -math.log(policy.widen_level),
            **dict.fromkeys(GUARDED, math.log(len(GUARDED) / policy.harm_level)),
        }
        self._log_e = {
            "benefit": log_e_above(paid[VALUE], 0.0, self._payoffs.bets(VALUE)),
            "harm": log_e_below(paid[VALUE], 0.0, self._payoffs.bets(VALUE)),
            "not_much_worse": log_e_above(paid[VALUE], -policy.much_worse, self._payoffs.bets(VALUE)),
            **{
                name: _worse(paid[name], margins[name], self._payoffs.bets(name), either_way=name == "called")
                for name in GUARDED
            },
        }
        self._peaks = {name: running_peak(log_e, self._payoffs.ends_moment) for name, log_e in self._log_e.items()}

    def at(self, n_units: int, entered: pa.Table, *, as_of: datetime, intervals: bool = True) -> Evidence:
        """Tell what was known after the first units.

        Args:
            n_units: How many.
            entered: As for `evidence`.
            as_of: As for `evidence`.
            intervals: Whether intervals and effects by day are wanted, which no decision needs.

        Returns:
            The document.
        """
        payoffs, paid = self._payoffs, self._paid[VALUE]
        part = slice(0, n_units)
        came = [arrivals_in(entered, period) for period in self._periods]
        total = float(payoffs.weight[part].sum())
        first = _first(paid, n_units)
        effect = _effect(first, payoffs.bets(VALUE), self._units["n_decisions"].slice(0, n_units), intervals=intervals)
        squares = float(np.square(paid.payoff[part]).sum())
        none = Estimate(value=None, low=None, high=None, method="none", n_rows=n_units, n_agents=n_units)
        margins = self._policy.guardrails.model_dump()
        return Evidence(
            as_of=as_of,
            stages=tuple(
                stage_counts(period, arrivals, payoffs.treated[part][payoffs.stage[part] == period.stage], as_of)
                for period, arrivals in zip(self._periods, came, strict=True)
            ),
            benefit=self._e_value("benefit", n_units),
            harm=self._e_value("harm", n_units),
            not_much_worse=self._e_value("not_much_worse", n_units),
            effect=effect,
            relative=relative_difference(*(each[part] for each in payoffs.both_means())) if intervals else none,
            spread=kept(math.sqrt(squares / total)) if n_units else None,
            guardrails=tuple(
                Guardrail(
                    name=name,
                    margin=margins[name],
                    treated=_mean(payoffs, name, n_units, treated=True),
                    control=_mean(payoffs, name, n_units, treated=False),
                    worse=self._e_value(name, n_units),
                )
                for name in GUARDED
            ),
            sample_ratio=sample_ratio(self._policy, self._periods, came),
            otherwise_share=_otherwise(self._units.slice(0, n_units)),
            by_day=effects_by_day(self._units.slice(0, n_units), payoffs) if intervals else (),
        )

    def _e_value(self, name: str, n_units: int) -> EValue:
        if n_units == 0:
            return EValue(log_e=0.0, peak=0.0, needed=kept(self._needed[name]))
        log_e = float(self._log_e[name][n_units - 1])
        peak = float(self._peaks[name][n_units - 1])
        return EValue(log_e=kept(log_e), peak=kept(peak), needed=kept(self._needed[name]))


def _worse(paid: Payoffs, margin: float, bets: tuple[float, ...], *, either_way: bool) -> np.ndarray:
    more = log_e_above(paid, margin, bets)
    return np.logaddexp(more, log_e_below(paid, -margin, bets)) - math.log(2.0) if either_way else more


def _first(paid: Payoffs, n_units: int) -> Payoffs:
    return Payoffs(paid.payoff[:n_units], paid.weight[:n_units], paid.low[:n_units], paid.high[:n_units])


def _effect(paid: Payoffs, bets: tuple[float, ...], n_decisions: pa.ChunkedArray, *, intervals: bool) -> Estimate:
    value, n_units = paid.estimate, len(paid.payoff)
    rows = int(n_decisions.to_numpy().sum())
    nothing = Estimate(value=None, low=None, high=None, method="none", n_rows=rows, n_agents=n_units)
    if value is None:
        return nothing
    value = min(max(value, -_LARGEST), _LARGEST)
    if not intervals:
        return nothing.model_copy(update={"value": kept(value)})
    low, high = confidence_sequence(paid, level=LEVEL, lowest=-_LARGEST, highest=_LARGEST, bets=bets)
    ends = {"low": kept(low), "high": kept(high), "method": "confidence_sequence"}
    return nothing.model_copy(update={"value": kept(value), **ends})


def _mean(payoffs: UnitPayoffs, name: str, n_units: int, *, treated: bool) -> Estimate:
    """The mean over the units of one arm, weighted so that both arms have the same mixture of stages."""
    mine = payoffs.treated[:n_units] == treated
    share = payoffs.share[:n_units][mine]
    weight = 1.0 - share if treated else share
    n = len(weight)
    if n == 0:
        return Estimate(value=None, low=None, high=None, method="none", n_rows=0, n_agents=0)
    value = float(weight @ payoffs.values[:n_units, JUDGED.index(name)][mine] / weight.sum())
    low, high = binomial_interval(min(max(value, 0.0), 1.0), effective_number(weight))
    return Estimate(value=kept(value), low=kept(low), high=kept(high), method="binomial", n_rows=n, n_agents=n)


def _otherwise(units: pa.Table) -> float:
    """Every unit counts alike, so that nobody with many decisions makes the alarm, or hides it."""
    if not units.num_rows:
        return 0.0
    return kept(float((units["n_otherwise"].to_numpy() / units["n_decisions"].to_numpy()).mean()))
