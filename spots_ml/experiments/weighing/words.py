"""A look in words, for a person who knows what an e-value is for: how much evidence there is, of how much is needed."""

import math
from datetime import datetime
from typing import Final

from spots_ml.experiments.evidence_record import EValue, Evidence
from spots_ml.experiments.rollout import Rollout
from spots_ml.experiments.weighing.outlook import Outlook

_MOST_TOLD: Final = 1e6


def known_so_far(evidence: Evidence) -> str:
    """Tell the state of the evidence, or that there is none."""
    n_units = sum(counts.n_units_treated + counts.n_units_control for counts in evidence.stages)
    if not n_units:
        return "no unit is whole yet"
    return (
        f"{n_units:,} units, {effect_told(evidence)}; e for better {e_told(evidence.benefit)}, "
        f"for harm {e_told(evidence.harm)}, for not much worse {e_told(evidence.not_much_worse)}"
    )


def expected(rollout: Rollout, ahead: Outlook) -> str:
    """Tell when more will be known."""
    if ahead.first_whole_at is not None and ahead.promoted_at is None:
        return f"the first units of this stage are whole at about {day_told(ahead.first_whole_at)}"
    longest = rollout.policy.longest_days
    if ahead.promoted_at is not None:
        widened = f"widened at about {day_told(ahead.widened_at)}, " if ahead.widened_at else ""
        return f"known at about {day_told(ahead.promoted_at)} if the effect is this ({widened}then promoted)"
    if ahead.widened_at is not None:
        return f"widened at about {day_told(ahead.widened_at)}; not promoted within {longest:g} days at this effect"
    return f"known within {longest:g} days only if the effect is larger than it seems"


def effect_told(evidence: Evidence) -> str:
    """Tell the effect, with its interval where it was asked for."""
    effect = evidence.effect
    if effect.value is None:
        return "effect unknown"
    between = "" if effect.low is None or effect.high is None else f" ({effect.low:+.3f} to {effect.high:+.3f})"
    return f"effect {effect.value:+.3f}{between} a decision"


def e_told(asked: EValue) -> str:
    """Tell the highest evidence so far and how much is needed."""
    return f"{_number(asked.peak)} of {_number(asked.needed)}"


def _number(log_e: float) -> str:
    value = math.exp(min(log_e, math.log(_MOST_TOLD)))
    return f"over {value:,.0f}" if log_e > math.log(_MOST_TOLD) else f"{value:,.3g}" if value < 10 else f"{value:,.0f}"


def came_told(evidence: Evidence) -> str:
    """Tell how agents came and how they should have come."""
    return "; ".join(
        f"stage {counts.stage}: {counts.n_entered_treated:,} of "
        f"{counts.n_entered_treated + counts.n_entered_control:,} treated, {counts.conditional_share:.1%} expected"
        for counts in evidence.stages
    )


def day_told(moment: datetime) -> str:
    """Tell a day (UTC)."""
    return moment.strftime("%Y-%m-%d")
