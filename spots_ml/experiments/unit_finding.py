"""Finds the units of a rollout in what was decided: a pure function of decisions, rollout and time.

Whether an agent is treated is said by its hash alone, never by what the log says. What the log says is held against it,
and what disagrees is counted. A decision's outcome counts where it first arrived within the maturity; when a unit is
looked at, window and maturity are over, so nothing that is still to come could change it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.experiments.as_assigned import ToldAssignment, told_assignment, truths
from spots_ml.experiments.decision_values import decision_values
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import Rollout, StagePeriod
from spots_ml.experiments.units import ENTERED, NEW_UNITS
from spots_ml.interactions.columns import first_arrivals, floats, outcome_codes, times
from spots_ml.interactions.judging.merging import coded
from spots_ml.interactions.schema import OUTCOME_TYPES
from spots_ml.scoring.assignment import hybrid_mask, places_of

EARLIER: Final = timedelta(days=28)
"""How far before a stage an agent's earlier decisions are looked at: a month tells enough, and bounds what is read."""

_A_DAY: Final = np.timedelta64(1, "D")


@dataclass(frozen=True)
class UnitsFound:
    """What a look finds.

    Attributes:
        new: Units that are whole and not known yet, schema `NEW_UNITS`, in the order in which they are to be kept.
        entered: Every fresh agent with a decision in a stage, schema `ENTERED`, whole unit or not.
    """

    new: pa.Table
    entered: pa.Table


def needed_since(periods: Iterable[StagePeriod]) -> datetime:
    """Tell from which moment on decisions must be read.

    Args:
        periods: The stages of a rollout, at least one.

    Returns:
        The moment, inclusive.
    """
    return min(period.since for period in periods) - EARLIER


def find_units(
    decided: pa.Table, rollout: Rollout, periods: Sequence[StagePeriod], known: pa.Table, *, as_of: datetime
) -> UnitsFound:
    """Find the units of a rollout.

    Args:
        decided: Rows of schema `DECIDED` from `needed_since` until `as_of`, in any order.
        rollout: Which rollout.
        periods: Its stages.
        known: Units that are kept already, with `stage` and `agent_id`: they are never made again.
        as_of: Up to when it is known what was decided, with a time zone.

    Returns:
        Units, and who entered; the order of the rows of `decided` decides nothing.
    """
    log = _Log.of(decided, rollout, until=as_of)
    stages = [_stage(log, rollout, period, known, as_of) for period in periods]
    new = pa.concat_tables([NEW_UNITS.empty_table(), *(stage.new for stage in stages)])
    entered = pa.concat_tables([ENTERED.empty_table(), *(stage.entered for stage in stages)])
    return UnitsFound(new=_ordered(new, "matured_at", "place"), entered=_ordered(entered, "entered_at", "stage"))


def _ordered(table: pa.Table, *columns: str) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in (*columns, "agent_id")])


@dataclass(frozen=True)
class _Log:
    """Decisions of the hybrid group as arrays, by agent, moment and formula's score.

    Attributes:
        agents: `(n_agents,)` ids.
        places: `(n_agents,)` by the rollout's salt.
        agent: `(n,)` positions among them.
        at: `(n,)` datetime64[us].
        value: `(n,)` what each decision is worth.
        flags: `(n,)` bool each: `called`, `negative`, `fallback`, `slow`.
        by_phone: `(n,)` bool.
        formula_score: `(n,)`; NaN where unknown.
        told: Of their assignment.
    """

    agents: pa.Array
    places: np.ndarray
    agent: np.ndarray
    at: np.ndarray
    value: np.ndarray
    flags: Mapping[str, np.ndarray]
    by_phone: np.ndarray
    formula_score: np.ndarray
    told: ToldAssignment

    @classmethod
    def of(cls, decided: pa.Table, rollout: Rollout, *, until: datetime) -> "_Log":
        at = times(decided["decided_at"])
        decided = decided.filter(pa.array(hybrid_mask(decided["agent_id"]) & (at < _moment(until))))
        ids, agent = coded(decided["agent_id"])
        at = times(decided["decided_at"])
        called = truths(decided["called"])
        outcomes = outcome_codes(decided)
        outcomes[~(first_arrivals(decided) <= at + np.timedelta64(_maturity(rollout.policy)))] = -1
        value = decision_values(outcomes, called, rollout.policy.values)
        formula_score = floats(decided["formula_score"].combine_chunks())
        flags = {
            "called": called,
            "negative": called & (outcomes == OUTCOME_TYPES.index("negative")),
            "fallback": truths(pc.match_substring(decided["fallback"], f"{rollout.model_type}: ")),
            "slow": truths(pc.match_substring(decided["fallback"], f"{rollout.model_type}: slow")),
        }
        # Of decisions of one moment the first is told by what was known before any of them had an outcome.
        order = np.lexsort((value, formula_score, at, agent))
        return cls(
            agents=pa.array(ids, pa.string()),
            places=places_of(ids, rollout.salt),
            agent=agent[order],
            at=at[order],
            value=value[order],
            flags={name: flag[order] for name, flag in flags.items()},
            by_phone=truths(decided["by_phone"])[order],
            formula_score=formula_score[order],
            told=told_assignment(decided, rollout).take(order),
        )

    def sums(self, rows: np.ndarray, of: np.ndarray | None = None) -> np.ndarray:
        """Add up, agent by agent, over some rows; their number without values."""
        weights = None if of is None else of[rows].astype(np.float64)
        found: np.ndarray = np.bincount(self.agent[rows], weights, minlength=len(self.places))
        return found


@dataclass(frozen=True)
class _Stage:
    new: pa.Table
    entered: pa.Table


def _stage(log: _Log, rollout: Rollout, period: StagePeriod, known: pa.Table, as_of: datetime) -> _Stage:
    """Find the units of one stage; rows of the log are by agent and moment."""
    window = np.timedelta64(timedelta(days=rollout.policy.window_days))
    whole_after = window + np.timedelta64(_maturity(rollout.policy))
    n_agents = len(log.places)
    fresh = log.places >= period.low
    within = (log.at >= _moment(period.since)) & fresh[log.agent]
    if period.until is not None:
        within &= log.at < _moment(period.until)

    rows = np.flatnonzero(within)
    entered_agents, firsts = np.unique(log.agent[rows], return_index=True)
    first = np.zeros(n_agents, np.int64)
    first[entered_agents] = rows[firsts]
    entered = np.full(n_agents, np.datetime64("NaT"), "M8[us]")
    entered[entered_agents] = log.at[rows[firsts]]
    last_entry = _moment(as_of) - whole_after
    if period.until is not None:
        last_entry = min(last_entry, _moment(period.until) - window)
    # NaT is before nothing.
    is_whole = entered <= last_entry

    rows = rows[is_whole[log.agent[rows]]]
    rows = rows[log.at[rows] < entered[log.agent[rows]] + window]
    is_known = _are_known(log.agents, known, period.stage)
    new = np.flatnonzero(is_whole & ~is_known)
    return _Stage(
        new=_units(log, rollout, period, new, rows, first=first, entered=entered, whole_after=whole_after),
        entered=_entered(log, period, entered_agents, entered),
    )


def _entered(log: _Log, period: StagePeriod, agents: np.ndarray, entered: np.ndarray) -> pa.Table:
    columns = {
        "stage": np.full(len(agents), period.stage, np.int16),
        "agent_id": log.agents.take(pa.array(agents)),
        "treated": log.places[agents] < period.share,
        "entered_at": entered[agents],
    }
    return _table(columns, ENTERED)


def _units(
    log: _Log,
    rollout: Rollout,
    period: StagePeriod,
    new: np.ndarray,
    rows: np.ndarray,
    *,
    first: np.ndarray,
    entered: np.ndarray,
    whole_after: np.timedelta64,
) -> pa.Table:
    treated = log.places < period.share
    since = _moment(period.since)
    earlier = np.flatnonzero(
        (log.at >= since - np.timedelta64(EARLIER)) & (log.at + np.timedelta64(_maturity(rollout.policy)) <= since)
    )
    n_earlier, n_decisions = log.sums(earlier)[new], log.sums(rows)[new]
    otherwise = log.told.otherwise(treated[log.agent], period.stage)
    formula_score = log.formula_score[first[new]]
    columns = {
        "stage": np.full(len(new), period.stage, np.int16),
        "agent_id": log.agents.take(pa.array(new)),
        "place": log.places[new],
        "treated": treated[new],
        "entered_at": entered[new],
        "matured_at": (entered + whole_after)[new],
        "n_decisions": n_decisions,
        "n_phone": log.sums(rows, log.by_phone)[new],
        "n_otherwise": log.sums(rows, otherwise)[new],
        "value": log.sums(rows, log.value)[new] / n_decisions,
        "daily_values": _daily_values(log, rollout.policy, new, rows, entered),
        **{name: log.sums(rows, flag)[new] / n_decisions for name, flag in log.flags.items()},
        "n_earlier": n_earlier,
        "earlier_value": pa.array(log.sums(earlier, log.value)[new] / np.maximum(n_earlier, 1), mask=n_earlier == 0),
        "first_formula_score": pa.array(formula_score, mask=np.isnan(formula_score)),
    }
    return _table(columns, NEW_UNITS)


def _table(columns: Mapping[str, np.ndarray | pa.Array], schema: pa.Schema) -> pa.Table:
    return pa.table([_column(columns[field.name], field.type) for field in schema], schema=schema)


def _column(values: np.ndarray | pa.Array, type_: pa.DataType) -> pa.Array:
    column = values if isinstance(values, pa.Array) else pa.array(values)
    if pa.types.is_timestamp(type_):
        return column.cast(pa.timestamp("us")).cast(type_)
    return column.cast(type_)


def _daily_values(
    log: _Log, policy: RolloutPolicy, agents: np.ndarray, rows: np.ndarray, entered: np.ndarray
) -> pa.Array:
    """Mean values by days since an agent's first decision: of each agent as many as the window has days."""
    n_days = math.ceil(policy.window_days)
    agent = log.agent[rows]
    cell = agent * n_days + (log.at[rows] - entered[agent]) // _A_DAY
    size = len(log.places) * n_days
    n_decisions = np.bincount(cell, minlength=size).reshape(-1, n_days)[agents].ravel()
    value = np.bincount(cell, log.value[rows], size).reshape(-1, n_days)[agents].ravel()
    means = pa.array(value / np.maximum(n_decisions, 1), mask=n_decisions == 0)
    return pa.ListArray.from_arrays(pa.array(np.arange(len(agents) + 1) * n_days, pa.int32()), means)


def _are_known(agents: pa.Array, known: pa.Table, stage: int) -> np.ndarray:
    kept = known.filter(pc.equal(known["stage"], stage))["agent_id"].combine_chunks()
    found: np.ndarray = pc.is_in(agents, kept).to_numpy(zero_copy_only=False)
    return found


def _maturity(policy: RolloutPolicy) -> timedelta:
    return timedelta(hours=policy.maturity_hours)


def _moment(at: datetime) -> np.datetime64:
    return np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us")
