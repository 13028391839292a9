"""What follows from a look: widen, promote, roll back, end, freeze, or hold and say when more will be known.

Pure: rollout, what happened to it, evidence and time are arguments, and whoever asks twice is told the same. The rules
in their order, the first that applies:

1. Harm, of the value or of a guardrail, rolls back, in every stage, and also while somebody has paused the rollout.
2. Agents that do not come as they were assigned freeze it; frozen by that for longer than the grace, it is rolled back.
3. Better, with units of the last stage: promoted. After the longest duration it ends otherwise.
4. Paused, decided otherwise than assigned too often, or without the blessing that more traffic needs: it holds.
5. Not much worse, with enough units of its stage: widened to the next share.
6. A promotion is too unlikely by now: it ends.
7. It holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from spots_ml.errors import ConfigError
from spots_ml.experiments.evidence_record import Evidence
from spots_ml.experiments.rollout import ON_THE_WAY, Cause, Rollout, RolloutChange, RolloutEvent, stage_periods
from spots_ml.experiments.weighing.outlook import outlook
from spots_ml.experiments.weighing.words import came_told, day_told, e_told, effect_told, expected, known_so_far

Step = Literal["hold", "widen", "promote", "roll_back", "end", "freeze"]
_ACTION: Final = {
    "widen": "widened",
    "promote": "promoted",
    "roll_back": "rolled_back",
    "end": "ended",
    "freeze": "paused",
}


@dataclass(frozen=True)
class RolloutDecision:
    """What follows from a look.

    Attributes:
        step: What is to be done.
        cause: Why; None: it holds.
        told: In words, one line.
    """

    step: Step
    cause: Cause | None
    told: str

    @property
    def change(self) -> RolloutChange | None:
        """The change of the rollout; None: it goes on as it is."""
        if self.cause is None:
            return None
        return RolloutChange.model_validate({"action": _ACTION[self.step], "cause": self.cause, "reason": self.told})


def decide_rollout(
    rollout: Rollout,
    events: Sequence[RolloutEvent],
    evidence: Evidence,
    *,
    now: datetime,
    withheld: str | None = None,
) -> RolloutDecision:
    """Decide about a rollout.

    Args:
        rollout: As it stands; its own policy rules.
        events: What happened to it, by number.
        evidence: What is known now.
        now: The present, with a time zone.
        withheld: Why the version may not have more traffic, whatever the evidence is; None: it may.

    Returns:
        What follows.

    Raises:
        ConfigError: When the rollout is over.
    """
    if rollout.status not in ON_THE_WAY:
        raise ConfigError(f"{rollout.name} is {rollout.status}; expected one that is running or paused")
    harmful = _harm(evidence)
    if harmful is not None:
        return harmful
    policy, running = rollout.policy, rollout.status == "running"
    mistrusted = _mistrust(rollout, events, evidence, now)
    if mistrusted is not None:
        return mistrusted
    otherwise = evidence.otherwise_share > policy.most_otherwise
    may_step = running and not otherwise and withheld is None
    if may_step and _is_last(rollout) and evidence.benefit.rejects and _enough(rollout, evidence):
        return RolloutDecision("promote", "evidence", f"better: {effect_told(evidence)}, e {e_told(evidence.benefit)}")
    lasts = now - rollout.started_at
    if lasts >= timedelta(days=policy.longest_days):
        return RolloutDecision(
            "end",
            "too_long",
            f"not shown to be better in {policy.longest_days:g} days: {effect_told(evidence)}, "
            f"e {e_told(evidence.benefit)}",
        )
    if not running:
        return RolloutDecision("hold", None, f"hold: paused; {known_so_far(evidence)}")
    if otherwise:
        return RolloutDecision(
            "hold",
            None,
            f"hold: {evidence.otherwise_share:.1%} of decisions were not made as assigned, more than "
            f"{policy.most_otherwise:.1%}; see which versions phones and servers have",
        )
    if withheld is not None:
        again = f"`spots-ml bless {rollout.model_type} {rollout.version} --anew` compares it again"
        told = f"hold: of {rollout.version}, {withheld}; {again}; {known_so_far(evidence)}"
        return RolloutDecision("hold", None, told)
    if not _is_last(rollout) and evidence.not_much_worse.rejects and _enough(rollout, evidence):
        following = policy.shares[rollout.stage]
        return RolloutDecision(
            "widen",
            "evidence",
            f"not {policy.much_worse:g} worse: {effect_told(evidence)}, e {e_told(evidence.not_much_worse)}; from "
            f"{rollout.share:.0%} to {following:.0%} of the hybrid group",
        )
    ahead = outlook(rollout, stage_periods(events)[-1], evidence, now=now)
    if ahead.chance < policy.futile_below:
        return RolloutDecision(
            "end",
            "futile",
            f"a promotion within {policy.longest_days:g} days has a chance of {ahead.chance:.1%} by now, below "
            f"{policy.futile_below:.1%}: {effect_told(evidence)}, e {e_told(evidence.benefit)}",
        )
    return RolloutDecision("hold", None, f"hold: {known_so_far(evidence)}; {expected(rollout, ahead)}")


def _harm(evidence: Evidence) -> RolloutDecision | None:
    if evidence.harm.rejects:
        return RolloutDecision("roll_back", "harm", f"harm: {effect_told(evidence)}, e {e_told(evidence.harm)}")
    for guardrail in evidence.guardrails:
        if guardrail.worse.rejects:
            treated, control = guardrail.treated.value, guardrail.control.value
            apart = "" if treated is None or control is None else f"{treated:.1%} against {control:.1%}, "
            return RolloutDecision(
                "roll_back",
                "guardrail",
                f"{guardrail.name} is worse by more than {guardrail.margin:.1%} of decisions: {apart}"
                f"e {e_told(guardrail.worse)}",
            )
    return None


def _mistrust(
    rollout: Rollout, events: Sequence[RolloutEvent], evidence: Evidence, now: datetime
) -> RolloutDecision | None:
    """An alarm that a person has seen and resumed after counts again when as much evidence has come once more."""
    frozen = [event for event in events if event.action == "paused" and event.cause == "sample_ratio"]
    resumed = [event for event in events if event.action == "resumed"]
    seen = sum(any(event.number < later.number for later in resumed) for event in frozen)
    alarm = evidence.sample_ratio.peak >= evidence.sample_ratio.needed * (1 + seen)
    told = f"agents did not come as they were assigned: {came_told(evidence)}, e {e_told(evidence.sample_ratio)}"
    if rollout.status == "running":
        return RolloutDecision("freeze", "sample_ratio", told) if alarm else None
    since = frozen[-1].at if frozen and len(frozen) > seen else None
    if since is None:
        return None
    grace = timedelta(days=rollout.policy.grace_days)
    if now - since >= grace:
        return RolloutDecision(
            "roll_back", "sample_ratio", f"frozen for {rollout.policy.grace_days:g} days and nobody resumed it; {told}"
        )
    return RolloutDecision(
        "hold", None, f"hold: frozen, {told}; rolled back at {day_told(since + grace)} unless somebody resumes it"
    )


def _is_last(rollout: Rollout) -> bool:
    return rollout.stage == len(rollout.policy.shares)


def _enough(rollout: Rollout, evidence: Evidence) -> bool:
    """Whether both arms of the stage have the least number of units."""
    return any(
        counts.stage == rollout.stage
        and min(counts.n_units_treated, counts.n_units_control) >= rollout.policy.least_units
        for counts in evidence.stages
    )
