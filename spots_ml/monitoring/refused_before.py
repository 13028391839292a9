"""What a refusal means for the next training: not repeated while data, code and configuration are the same.

The refusals themselves are in `refusals`; the decision that asks here is `retraining`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from spots_ml.monitoring.refusals import STEPS_OF_THE_MACHINE, KeptRefusal

_MOST_DOUBLINGS: Final = 60
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SENTENCE: Final = 300
"""Characters of a gate's sentence that are repeated tick after tick."""


@dataclass(frozen=True)
class RefusedBefore:
    """The last refusal of what would be learned from now, and what has changed since.

    Attributes:
        refusal: What was refused.
        new_labels: Labels that arrived in the store since the refused data; 0 for data of no store.
        new_corrections: Labels that were corrected in the store since; 0 for data of no store.
        changed: What else is not the same now: `code`, `configuration`, or `content` of a source that is no store.
        times: How often in a row this very thing was refused, at least 1.
    """

    refusal: KeptRefusal
    new_labels: int = 0
    new_corrections: int = 0
    changed: tuple[str, ...] = ()
    times: int = 1


@dataclass(frozen=True)
class Thresholds:
    """What makes data new after a refusal.

    Attributes:
        new_labels: Labels that must have arrived.
        corrected_labels: Or labels that must have been corrected.
        max_age_days: Or days after which any of them is enough.
        first_wait: Before a gate of the machine is asked again; doubled after each refusal more.
        longest_wait: But no longer than this.
    """

    new_labels: int
    corrected_labels: int
    max_age_days: float
    first_wait: timedelta
    longest_wait: timedelta


@dataclass(frozen=True)
class Held:
    """The refusal still answers.

    Attributes:
        told: The refusal, and what would make it be tried again; one line.
        until: When time alone will; None: never.
    """

    told: str
    until: datetime | None


def still_refused(before: RefusedBefore, thresholds: Thresholds, now: datetime) -> Held | str:
    """Decide whether a refusal still answers.

    Args:
        before: The refusal and what has changed.
        thresholds: What makes data new.
        now: The present (UTC).

    Returns:
        That it does, or why it is tried again, in words.
    """
    refusal = before.refusal
    subject = f"the gate {refusal.gate!r} refused on {_clock(refusal.refused_at)}"
    if before.changed:
        are = "is" if len(before.changed) == 1 else "are"
        return f"{' and '.join(before.changed)} {are} not what {subject}"
    if before.new_labels >= thresholds.new_labels:
        return f"{before.new_labels:,} labels have arrived since what {subject}"
    if before.new_corrections >= thresholds.corrected_labels:
        return f"{before.new_corrections:,} labels were corrected since what {subject}"
    # A moment that a clock ahead told holds nothing up: it counts as long ago.
    refused_at = refusal.refused_at if refusal.refused_at <= now else _LONG_AGO
    aged = refused_at + timedelta(days=thresholds.max_age_days)
    any_new = before.new_labels + before.new_corrections > 0
    if any_new and now >= aged:
        return f"{thresholds.max_age_days:g} days and {_new(before)} have passed since what {subject}"
    until = aged if any_new else None
    if refusal.step in STEPS_OF_THE_MACHINE:
        asked_again = refused_at + _wait(before.times, thresholds)
        if now >= asked_again:
            return f"{subject}, which judges this machine as well"
        until = min(asked_again, until or asked_again)
    return Held(
        f"{subject} this very data, code and configuration: {_shortened(refusal.sentence)}; {_again(before, until)}",
        until,
    )


def _again(before: RefusedBefore, until: datetime | None) -> str:
    by_time = f" or on {_clock(until)}" if until else ""
    if before.refusal.watermark is None:
        return f"tried again when the source, code or configuration change{by_time}"
    return f"{_new(before)} since; tried again when more arrive, when code or configuration change{by_time}"


def _new(before: RefusedBefore) -> str:
    corrected = f" and {before.new_corrections:,} corrections" if before.new_corrections else ""
    return f"{before.new_labels:,} new labels{corrected}"


def _wait(times: int, thresholds: Thresholds) -> timedelta:
    hours = thresholds.first_wait / timedelta(hours=1) * 2 ** min(times - 1, _MOST_DOUBLINGS)
    return timedelta(hours=min(hours, thresholds.longest_wait / timedelta(hours=1)))


def _shortened(sentence: str) -> str:
    line = " ".join(sentence.split())
    return line if len(line) <= _SENTENCE else f"{line[: _SENTENCE - 1]}…"


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
