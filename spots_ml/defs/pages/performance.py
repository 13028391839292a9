"""What `version_performance` shows in the UI: fallbacks first, then the arms side by side, then their course."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import dagster as dg

from spots_ml.defs.pages import plots, tables

if TYPE_CHECKING:
    from spots_ml.monitoring.outcome_linking import OutcomeLinking
    from spots_ml.monitoring.performance import PerformanceRow

PLOTTED_DAYS: Final = 30
_PLOTTED: Final = ("positive_outcome_rate", "called_rate")


def nothing_yet(since: datetime, until: datetime) -> dict[str, dg.MetadataValue]:
    """Say that there is nothing to measure, and what to do.

    Args:
        since: Start of the days that were looked at.
        until: Their end, exclusive.

    Returns:
        Metadata by key.
    """
    return {
        "state": tables.sentences(
            [
                f"no served decisions in the store from {since:%Y-%m-%d} until before {until:%Y-%m-%d} (UTC): "
                "served is what `spots-ml score --log` decides at the moment of its requests; what is scored again "
                "later, as scored_opportunities does with the store's interactions, counts in nothing"
            ]
        ),
        "n_decisions": dg.MetadataValue.int(0),
    }


def claims_metadata(claims: Mapping[str, int]) -> dict[str, dg.MetadataValue]:
    """Show which decisions count, and why others do not.

    Args:
        claims: Decisions by their claim.

    Returns:
        Metadata by key.
    """
    from spots_ml.scoring.decision_log.claims import CLAIM_TEXTS

    return {
        "claims": tables.markdown_table(
            ["claim", "decisions", "meaning"],
            [
                [claim, f"{n:,}", CLAIM_TEXTS.get(claim, "logged by a program that knows no claims")]
                for claim, n in sorted(claims.items())
            ],
        )
        if claims
        else dg.MetadataValue.text("no decisions")
    }


def phones_metadata(claims: Mapping[str, int]) -> dict[str, dg.MetadataValue]:
    """Show how much phones report, and why some of it does not count.

    Args:
        claims: Reported decisions by their claim.

    Returns:
        Metadata by key.
    """
    from spots_ml.scoring.decision_log.phone_claims import AS_REPORTED, PHONE_CLAIM_TEXTS

    told = [[claim, f"{n:,}", PHONE_CLAIM_TEXTS[claim]] for claim, n in claims.items()]
    return {
        "phones": tables.markdown_table(["report", "decisions", "meaning"], told)
        if told
        else dg.MetadataValue.text("no phone reported a decision"),
        "n_phone_decisions": dg.MetadataValue.int(claims.get(AS_REPORTED, 0)),
        "n_phone_decisions_set_aside": dg.MetadataValue.int(sum(claims.values()) - claims.get(AS_REPORTED, 0)),
    }


def performance_metadata(
    rows: Sequence["PerformanceRow"], stored: Sequence["PerformanceRow"], linking: "OutcomeLinking"
) -> dict[str, dg.MetadataValue]:
    """Show the performance of a day and its course.

    Args:
        rows: Of that day, at least one.
        stored: Of the days up to it, itself included.
        linking: How many outcomes of these days belong to no decision.

    Returns:
        Metadata by key.
    """
    from spots_ml.monitoring.performance import METRICS

    return {
        "state": tables.sentences([_headline(rows), str(linking)]),
        "fallback_rate": tables.number(_total_fallback_rate(rows)),
        "fallbacks": _fallbacks(rows),
        **{f"{row.arm} ({row.origin})": _arm(row) for row in rows},
        **_pictures(stored),
        "day": dg.MetadataValue.text(rows[0].day.isoformat()),
        "window": tables.sentences(
            [
                f"decisions of the {rows[0].window_days} days up to {rows[0].day}; outcomes within "
                f"{rows[0].maturity_hours:g} hours, of decisions at least as old; intervals are 95%, over agents"
            ]
        ),
        "n_outcomes_without_decision": dg.MetadataValue.int(linking.n_without_decision),
        "n_decisions": dg.MetadataValue.int(sum(row.n_decisions for row in rows)),
        **{
            f"{metric}/{row.arm} ({row.origin})": tables.number(found.value)
            for metric in METRICS
            for row in rows
            if (found := row.metric(metric)).stands_alone and found.value is not None
        },
    }


def _arm(row: "PerformanceRow") -> dg.MetadataValue:
    """One table per arm: the value column is too narrow for arms side by side with their intervals."""
    return tables.markdown_table(
        ["metric", "value (95% interval)"],
        [
            ["decisions", f"{row.n_decisions:,}"],
            ["agents", f"{row.n_agents:,}"],
            ["called", tables.interval(row.called_rate, percent=True)],
            ["score", tables.interval(row.mean_calling_score)],
            ["fallback", tables.interval(row.fallback_rate, percent=True)],
            ["matured", f"{row.n_matured:,}"],
            ["labelled", f"{row.n_labelled:,}"],
            ["expired", f"{row.n_expired:,}"],
            ["positive", tables.interval(row.positive_outcome_rate, percent=True)],
            ["outcome", tables.interval(row.mean_outcome_score)],
        ],
    )


def _pictures(stored: Sequence["PerformanceRow"]) -> dict[str, dg.MetadataValue]:
    """One picture per metric and origin: what was served and what was replayed are not comparable."""
    return {
        f"{metric}_plot ({origin})": plots.performance_over_time(
            [row for row in stored if row.origin == origin], metric
        )
        for origin in sorted({row.origin for row in stored})
        for metric in _PLOTTED
    }


def _total_fallback_rate(rows: Sequence["PerformanceRow"]) -> float:
    n_decisions = sum(row.n_decisions for row in rows)
    return sum((row.fallback_rate.value or 0.0) * row.n_decisions for row in rows) / n_decisions


def _headline(rows: Sequence["PerformanceRow"]) -> str:
    worst = max(rows, key=lambda row: row.fallback_rate.value or 0.0)
    if not worst.fallback_rate.value:
        return "every decision was made with the answers of its models: no fallback"
    chosen = all(reason.endswith(": no_version") for row in rows for reason in row.fallbacks)
    told = "nothing broke, but a model had no active version" if chosen else "FALLBACK"
    return (
        f"{told}: {_total_fallback_rate(rows):.1%} of the decisions were made without a model's answer, "
        f"{worst.fallback_rate.value:.1%} in {worst.arm} ({worst.origin})"
    )


def _fallbacks(rows: Sequence["PerformanceRow"]) -> dg.MetadataValue:
    found: Iterable[list[str]] = [
        [row.arm, row.origin, reason, f"{count:,}", f"{count / row.n_decisions:.1%}"]
        for row in rows
        for reason, count in row.fallbacks.items()
    ]
    if not found:
        return dg.MetadataValue.text("none")
    return tables.markdown_table(["arm", "origin", "reason", "decisions", "share"], found)
