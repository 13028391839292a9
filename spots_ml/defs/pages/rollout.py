"""What `…/rollout` shows: where it stands first, then the evidence, who takes part, what may not become worse."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import dagster as dg

from spots_ml.defs.pages import tables
from spots_ml.defs.pages.charts import ACCENT, INK, QUIET, Chart
from spots_ml.defs.pages.plots import in_place

if TYPE_CHECKING:
    from spots_ml.experiments.evidence_record import DayEffect, EValue, Evidence, Look
    from spots_ml.experiments.rollout import Rollout, RolloutEvent
    from spots_ml.pipeline.rollouts.rollout_view import RolloutView

_DAY_S: Final = 86_400.0


def rollout_metadata(view: "RolloutView") -> dict[str, dg.MetadataValue]:
    """Show the rollouts of a model.

    Args:
        view: What there is to be shown.

    Returns:
        Metadata by key, in the order in which it is read.
    """
    return {
        "state": tables.sentences([view.state]),
        "needs_a_person": tables.sentences(view.needs_person or ["nothing"]),
        **(_known(view.rollout, view.looks) if view.rollout and view.looks else {}),
        **({"forecast": tables.sentences([view.forecast.told()])} if view.forecast else {}),
        **({"forecasts_scored": tables.sentences([one.told() for one in view.forecasts])} if view.forecasts else {}),
        "next": tables.sentences([view.upcoming]),
        "error_budget": tables.sentences([view.budget]),
        **({"events": _events(view.events)} if view.events else {}),
        **({"rules": _rules(view.rollout)} if view.rollout else {}),
        "as_of": dg.MetadataValue.timestamp(view.at),
    }


def evidence_over_time(rollout: "Rollout", looks: Sequence["Look"]) -> dg.MetadataValue:
    """Draw how strong the evidence was at each look: upwards for benefit, downwards for harm, powers of ten.

    Args:
        rollout: Of which they are.
        looks: In their order, at least one.

    Returns:
        Markdown with the picture; looks are thinned out evenly until the page shows it in place.
    """
    days = [(look.at - rollout.started_at).total_seconds() / _DAY_S for look in looks]
    up = [_powers(look.evidence.benefit.log_e) for look in looks]
    down = [-_powers(look.evidence.harm.log_e) for look in looks]
    newest = looks[-1].evidence
    promoted, taken_back = _powers(newest.benefit.needed), -_powers(newest.harm.needed)
    begin, end = 0.0, max(1.0, *days)

    def draw(shown: Sequence[int]) -> dg.MetadataValue:
        chart = Chart((begin, end), (min(taken_back, *down), max(promoted, *up)))
        for colour, values, name in ((ACCENT, up, "benefit"), (INK, down, "harm")):
            points = [(begin, 0.0), *((days[at], values[at]) for at in shown)]
            chart.line(points, colour, name)
        chart.line([(begin, promoted), (end, promoted)], ACCENT, "promoted from here", dashed=True)
        chart.line([(begin, taken_back), (end, taken_back)], INK, "taken back", dashed=True)
        return chart.markdown("evidence", x_label="days", y_label="log10 e")

    return in_place(draw, len(looks))


def effect_by_day(days: Sequence["DayEffect"]) -> dg.MetadataValue:
    """Draw the effect by days since an agent's first decision, so that the charm of the new shows as a slope.

    Args:
        days: By day; those without a value are left out.

    Returns:
        Markdown with the picture, or a sentence where there is nothing to draw.
    """
    known = [(one.day, one.effect) for one in days if one.effect.value is not None]
    if not known:
        return dg.MetadataValue.text("no whole unit yet")
    spans = [(float(day), one.low, one.high) for day, one in known if one.low is not None and one.high is not None]
    dots = [(float(day), one.value) for day, one in known if one.value is not None]
    ends = [0.0, *(y for _, y in dots), *(y for _, low, high in spans for y in (low, high))]
    chart = Chart((0.0, max(1.0, float(known[-1][0]))), (min(ends), max(ends)))
    chart.line([(0.0, 0.0), (max(1.0, float(known[-1][0])), 0.0)], QUIET, "no effect", dashed=True)
    chart.spans(spans, QUIET, "95%")
    chart.dots(dots, ACCENT, "effect")
    return chart.markdown("effect by day", x_label="days since the first decision", y_label="value")


def _known(rollout: "Rollout", looks: Sequence["Look"]) -> dict[str, dg.MetadataValue]:
    newest = looks[-1]
    evidence = newest.evidence
    return {
        "evidence": evidence_over_time(rollout, looks),
        "evidence_now": tables.markdown_table(["against", "e now", "highest", "needed"], _e_values(evidence)),
        "effect": tables.sentences([f"{tables.interval(evidence.effect)}: value per decision, treated minus others"]),
        "effect_by_day": effect_by_day(evidence.by_day),
        "who_takes_part": tables.markdown_table(
            ["stage", "share of the fresh", "agents: treated", "others", "whole units: treated", "others"],
            [
                [
                    f"{one.stage}",
                    f"{one.conditional_share:.1%}",
                    f"{one.n_entered_treated:,}",
                    f"{one.n_entered_control:,}",
                    f"{one.n_units_treated:,}",
                    f"{one.n_units_control:,}",
                ]
                for one in evidence.stages
            ],
        ),
        "guardrails": tables.markdown_table(
            ["may not be worse", "by", "treated", "others", "e now", "needed"],
            [
                [
                    one.name,
                    f"{one.margin:.1%}",
                    tables.interval(one.treated, percent=True),
                    tables.interval(one.control, percent=True),
                    _e(one.worse.log_e),
                    _e(one.worse.needed),
                ]
                for one in evidence.guardrails
            ],
        ),
        "not_made_as_assigned": tables.number(evidence.otherwise_share),
        "last_look": dg.MetadataValue.timestamp(newest.at),
        "n_units": dg.MetadataValue.int(newest.n_units),
        "log10_e_benefit": tables.number(_powers(evidence.benefit.log_e)),
        "log10_e_harm": tables.number(_powers(evidence.harm.log_e)),
    }


def _e_values(evidence: "Evidence") -> list[list[str]]:
    return [
        _e_value("it is no better", evidence.benefit),
        _e_value("it does no harm", evidence.harm),
        _e_value("it is much worse", evidence.not_much_worse),
        _e_value("agents came as assigned", evidence.sample_ratio),
    ]


def _e_value(name: str, found: "EValue") -> list[str]:
    return [name, _e(found.log_e), _e(found.peak), _e(found.needed)]


def _e(log_e: float) -> str:
    """An e-value from its logarithm, in the words of the page: powers of ten where it is long."""
    powers = _powers(log_e)
    if abs(powers) >= 4:
        return f"10^{powers:.1f}"
    value = math.exp(log_e)
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _powers(log_e: float) -> float:
    return log_e / math.log(10.0)


def _events(events: Sequence["RolloutEvent"]) -> dg.MetadataValue:
    return tables.markdown_table(
        ["at (UTC)", "what", "share", "cause", "by", "why"],
        [
            [
                f"{one.at:%Y-%m-%d %H:%M}",
                one.action.replace("_", " "),
                f"{one.reach:.0%}",
                one.told_cause,
                one.actor,
                one.reason,
            ]
            for one in events
        ],
    )


def _rules(rollout: "Rollout") -> dg.MetadataValue:
    policy = rollout.policy
    shares = " -> ".join(f"{share:.0%}" for share in (*policy.shares, 1.0))
    return tables.sentences(
        [
            f"{shares} of the hybrid group; units of {policy.window_days:g} days, outcomes within "
            f"{policy.maturity_hours:g} hours; at most {policy.longest_days:g} days; promoted when "
            f"e >= {1.0 / rollout.level:,.0f}"
        ]
    )
