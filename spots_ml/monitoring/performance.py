"""How each arm did: metrics per version, by day, over the last seven days, with intervals over agents.

An arm is what decided (see `scoring.arms`): the formula for agents of the group `formulaBased`, for those of the group
`hybrid` the champion, or the rollouts that treat them. Decisions count that were served (see
`scoring.decision_log.claims`) and, apart from these, those that phones report and nothing speaks against
(`phone_claims` there). A replay decided nothing, and what came of its moment is another arm's. Two arms are compared at
equal maturity (see `interactions.learning.maturity`); whether a difference means anything is not decided here.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.errors import ConfigError
from spots_ml.estimates.agents import N_RESAMPLES, Resampling
from spots_ml.estimates.estimate import Estimate
from spots_ml.estimates.statistic import estimate_all, ratio
from spots_ml.interactions.columns import agents_by_name, first_arrivals
from spots_ml.interactions.learning.maturity import DEFAULT_WINDOW, Maturity, mature
from spots_ml.scoring.decision_log.deciding_arms import deciding_arms
from spots_ml.scoring.decision_log.fields import Origin
from spots_ml.scoring.decision_log.phone_decisions import PHONE, PhoneOrigin

MeasuredOrigin = Origin | PhoneOrigin
"""Who decided what is measured: the service, or a phone; rows of before may be of replays."""
SERVED: Final[MeasuredOrigin] = "served"
EVIDENCE: Final[tuple[MeasuredOrigin, ...]] = (SERVED, PHONE)
"""What tells how an arm does. The two are never added up: one decision may be in both."""

WINDOW_DAYS: Final = 7
METRICS: Final = ("called_rate", "positive_outcome_rate", "mean_calling_score", "mean_outcome_score", "fallback_rate")
"""Names of the metrics of a `PerformanceRow`."""

_COLUMNS: Final = [
    *("decision_id", "agent_id", "decided_at", "group", "version", "arm", "score", "called", "fallback"),
    *("outcome_type", "outcome_score", "outcome_at", "first_outcome_at"),
]


class PerformanceRow(BaseModel):
    """One arm's performance over the days up to and including one day; unit of the intervals: the agent."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    day: date = Field(description="Last day (UTC) of the window.")
    arm: str = Field(
        description="'formula', 'calling_score <version>' ('none': no version was there), or the rollouts that treated."
    )
    origin: MeasuredOrigin = Field(description="What is measured is served, or phone's; rows of before may be replays.")
    window_days: int = Field(ge=1, description="Days in the window.")
    maturity_hours: float = Field(ge=0, description="How long an outcome may take, in hours.")
    n_decisions: int = Field(ge=0, description="Decisions in the window.")
    n_agents: int = Field(ge=0, description="Agents among them.")
    n_matured: int = Field(ge=0, description="Decisions whose maturity window is over: labelled + expired.")
    n_labelled: int = Field(ge=0, description="Matured decisions whose outcome arrived in time.")
    n_expired: int = Field(ge=0, description="Matured decisions whose outcome did not.")
    fallbacks: dict[str, int] = Field(description="Reason such as 'calling_score: damaged' -> decisions.")
    called_rate: Estimate = Field(description="Share of the decisions that called.")
    positive_outcome_rate: Estimate = Field(description="Share of positive outcomes among labelled decisions.")
    mean_calling_score: Estimate = Field(description="Mean score over the decisions.")
    mean_outcome_score: Estimate = Field(description="Mean outcome score over labelled decisions.")
    fallback_rate: Estimate = Field(description="Share of the decisions in which a model did not answer.")

    def metric(self, name: str) -> Estimate:
        """Look a metric up.

        Args:
            name: One of `METRICS`.

        Returns:
            Its estimate.
        """
        found: Estimate = getattr(self, name)
        return found


class PerformanceStore(Protocol):
    """What a store must keep so that performance can be followed over time."""

    def save_performance(self, rows: Sequence[PerformanceRow], *, now: datetime) -> None:
        """Keep rows, in place of those of the same day, arm and origin; all or nothing."""
        ...

    def read_performance(self, since: date, until: date) -> tuple[PerformanceRow, ...]:
        """Give the rows with since <= day < until, by day, origin and arm."""
        ...


def decision_window(day: date, *, window_days: int = WINDOW_DAYS) -> tuple[datetime, datetime]:
    """Tell which decisions belong to a day's performance.

    Args:
        day: The last day (UTC).
        window_days: Days, at least 1.

    Returns:
        Start, inclusive, and end, exclusive (UTC).

    Raises:
        ConfigError: When the window has no day.

    >>> [f"{moment:%m-%d %H:%M}" for moment in decision_window(date(2026, 11, 21))]
    ['11-15 00:00', '11-22 00:00']
    """
    if window_days < 1:
        raise ConfigError(f"the performance window has {window_days} days; expected at least 1")
    end = datetime.combine(day, time(), tzinfo=UTC) + timedelta(days=1)
    return end - timedelta(days=window_days), end


def measure_performance(
    decisions: pa.Table,
    *,
    day: date,
    now: datetime,
    window_days: int = WINDOW_DAYS,
    maturity: timedelta = DEFAULT_WINDOW,
    origin: MeasuredOrigin = SERVED,
    seed: int,
    n_resamples: int = N_RESAMPLES,
) -> tuple[PerformanceRow, ...]:
    """Measure every arm over the decisions of the days up to and including one day.

    Outcomes count for matured decisions only and as they are known now: measured again later, a past day counts more of
    them. The called rate, the mean calling score and the fallback rate count every decision, matured or not.

    Args:
        decisions: Rows with the columns of `DECISIONS_WITH_OUTCOMES`, in any order; those outside of the window
            are left out.
        day: The last day (UTC); not later than today. Today counts as far as it has come.
        now: The present, with a time zone.
        window_days: Days, at least 1.
        maturity: How long an outcome may take.
        origin: Whose decisions are measured; those of others are left out.
        seed: Of the resampling, which begins anew for each arm: what else was decided does not change its intervals.
        n_resamples: How many times agents are drawn.

    Returns:
        One row per arm, ordered by its id; empty without decisions of that origin.

    Raises:
        ConfigError: When the day lies ahead, or a number is out of its range.
    """
    if day > now.astimezone(UTC).date():
        raise ConfigError(f"day is {day}, which lies ahead of today, {now.astimezone(UTC).date()}; choose a past day")
    start, end = decision_window(day, window_days=window_days)
    within = pc.and_(
        pc.greater_equal(decisions["decided_at"], pa.scalar(start, decisions.schema.field("decided_at").type)),
        pc.less(decisions["decided_at"], pa.scalar(end, decisions.schema.field("decided_at").type)),
    )
    # In one order whatever the order of the rows: sums of the same numbers in another order differ in the last digit.
    counted = pc.and_(within, pc.equal(decisions["origin"], origin))
    table = decisions.select(_COLUMNS).filter(counted).sort_by("decision_id")
    table = table.set_column(table.column_names.index("arm"), "arm", deciding_arms(table))
    rows = []
    for arm in sorted(pc.unique(table["arm"]).to_pylist()):
        chosen = table.filter(pc.equal(table["arm"], arm))
        rows.append(
            _measure_arm(
                chosen,
                {
                    "day": day,
                    "arm": arm,
                    "origin": origin,
                    "window_days": window_days,
                    "maturity_hours": maturity / timedelta(hours=1),
                },
                mature(
                    chosen["decided_at"].to_numpy(),
                    first_arrivals(chosen),
                    pc.is_valid(chosen["outcome_score"]).to_numpy(),
                    now=now,
                    window=maturity,
                ),
                n_resamples=n_resamples,
                seed=seed,
            )
        )
    return tuple(rows)


def served_among(decisions: pa.Table) -> pa.Table:
    """Keep the decisions that count.

    Args:
        decisions: Rows with `origin`.

    Returns:
        Those that were served.
    """
    return decisions.filter(pc.equal(decisions["origin"], SERVED))


def count_claims(decisions: pa.Table) -> dict[str, int]:
    """Count why decisions count, or do not.

    Args:
        decisions: Rows of schema `DECISIONS`.

    Returns:
        Decisions by their claim (see `scoring.decision_log.claims`), or by their origin where none is told; only what
        occurred.
    """
    told = pc.coalesce(decisions["claim"], decisions["origin"])
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(told).to_pylist()}


def excessive_fallbacks(rows: Sequence[PerformanceRow], max_share: float) -> tuple[str, ...]:
    """Name the arms in which too many decisions were made without a model's answer.

    Args:
        rows: Measured performance.
        max_share: Largest share that is accepted, in [0, 1].

    Returns:
        One sentence per arm above it, with share, count and reasons; empty when there is none. Where the only reason is
        that no version is active, somebody chose that.
    """
    return tuple(
        f"{row.arm} ({row.origin}): {row.fallback_rate.value:.1%} of {row.n_decisions:,} decisions fell back, "
        f"at most {max_share:.1%} may; by reason: "
        + ", ".join(f"{reason} {count:,}" for reason, count in row.fallbacks.items())
        for row in rows
        if row.fallback_rate.value is not None
        and row.fallback_rate.value > max_share
        and not all(reason.endswith(": no_version") for reason in row.fallbacks)
    )


def _measure_arm(
    table: pa.Table, fields: dict[str, object], maturity: Maturity, *, n_resamples: int, seed: int
) -> PerformanceRow:
    agents = agents_by_name(table["agent_id"])
    everything = np.ones(table.num_rows)
    labelled = maturity.labelled.astype(np.float64)
    # A label that is there but does not count must not count as 0 either: both sides of a ratio are masked.
    sides = {
        "called_rate": (_numbers(table["called"]), everything),
        "positive_outcome_rate": (_numbers(pc.equal(table["outcome_type"], "positive")) * labelled, labelled),
        "mean_calling_score": (_numbers(table["score"]), everything),
        "mean_outcome_score": (_numbers(table["outcome_score"]) * labelled, labelled),
        "fallback_rate": (_numbers(pc.is_valid(table["fallback"])), everything),
    }
    estimates = estimate_all(
        {name: ratio(agents, part, whole, bounded=True) for name, (part, whole) in sides.items()},
        Resampling(seed, n_resamples),
    )
    return PerformanceRow.model_validate(
        {
            **fields,
            "n_decisions": table.num_rows,
            "n_agents": agents.n,
            "n_matured": int(maturity.matured.sum()),
            "n_labelled": int(maturity.labelled.sum()),
            "n_expired": int(maturity.expired.sum()),
            "fallbacks": _fallbacks(table["fallback"]),
            **estimates,
        }
    )


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    """Numbers or truth values as float64, 0 where null."""
    numbers: np.ndarray = pc.fill_null(pc.cast(column, pa.float64()), 0.0).to_numpy()
    return numbers


def _fallbacks(texts: pa.ChunkedArray) -> dict[str, int]:
    """Decisions by reason; a decision in which both models failed counts for both."""
    counts: Counter[str] = Counter()
    for entry in pc.value_counts(texts.drop_null()).to_pylist():
        for reason in entry["values"].split(", "):
            counts[reason] += entry["counts"]
    return dict(sorted(counts.items()))
