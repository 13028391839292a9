"""What is missing for proof in what phones report: column by column, claim by claim, outcome by outcome.

Each part is one finding with its verdict. What a report must be like to count is said in
`scoring.decision_log.phone_claims`; how a rollout's agents are assigned in `experiments`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.experiments.as_assigned import told_assignment, truths
from spots_ml.experiments.decided import DECIDED, decided_once
from spots_ml.experiments.rollout import Rollout, StagePeriod
from spots_ml.interactions.columns import floats, times
from spots_ml.interactions.judging.merging import coded
from spots_ml.interactions.kinds import SourceKind
from spots_ml.monitoring.outcome_linking import OutcomeLinking
from spots_ml.monitoring.proof.finding import Finding, Verdict, exceeds, percent
from spots_ml.scoring.assignment import group_names, hybrid_mask, places_of
from spots_ml.scoring.decision_log.phone_claims import (
    AS_REPORTED,
    PHONE_CLAIM_TEXTS,
    REPORTED_WITHIN,
    count_reports,
    counted_reports,
)

KEYS: Final = {
    "group": "arm",
    "score": "calling_score",
    "called": "is_called",
    "weight": "weight",
    "formula_score": "formula_calling_score",
    "propensity": "propensity",
}
"""Fields that every report has, and what an app calls them."""

SOMETIMES: Final = {
    "version": "model_version",
    "outcome_version": "outcome_model_version",
    "neural_score": "neural_score",
    "experiment": "experiment",
    "stage": "stage",
}
"""Fields that are null where there is nothing to say."""

_HOUR: Final = np.timedelta64(1, "h")


@dataclass(frozen=True)
class LogFacts:
    """What an app has sent, and what is known beside it.

    Attributes:
        reports: What phones report, schema `PHONE_DECISIONS`.
        claims: What became of each (`judge_reports`).
        linking: How many outcomes of the period belong to no decision; None: no decision is known.
        rollouts: Rollouts with their stages.
        now: The present, with a time zone.
        maturity: How long an outcome may take.
        kind: Of which kind the data is; only what people did (`real`) tells of phones' decisions.
        n_silent: Records that tell nothing of a decision; None: nobody counted.
        n_unkept: Records whose report has values that no table takes.
        n_untimed: Reports that do not say when they were written: it is taken for granted that they were in time.
    """

    reports: pa.Table
    claims: pa.Array
    linking: OutcomeLinking | None
    rollouts: Sequence[tuple[Rollout, Sequence[StagePeriod]]]
    now: datetime
    maturity: timedelta
    kind: SourceKind = "real"
    n_silent: int | None = None
    n_unkept: int = 0
    n_untimed: int = 0


def check_log(facts: LogFacts) -> tuple[Finding, ...]:
    """Say what is missing for proof.

    Args:
        facts: What was sent.

    Returns:
        One finding per part, in the order in which they are to be mended; where nothing is reported, one.
    """
    if facts.reports.num_rows == 0:
        return (_reported(facts),)
    parts: tuple[Callable[[LogFacts], Finding], ...] = (
        *(_reported, _complete, _named, _counted, _assigned, _chances, _fallbacks, _in_time, _repeated),
        *(_outcomes, _linked),
    )
    rollouts = [_of_rollout(facts, rollout, periods) for rollout, periods in facts.rollouts]
    return (*(part(facts) for part in parts), *(found for found in rollouts if found is not None))


def _reported(facts: LogFacts) -> Finding:
    if facts.kind != "real":
        told = (
            f"the file says that its data is {facts.kind}, where no phone decided anything: check an export of the "
            'app, whose `metadata` has the `source` "app" or "real"'
        )
        return Finding("reports", "missing", told, {"reports": 0, "silent": None, "unkept": 0})
    n, n_silent = facts.reports.num_rows, facts.n_silent or 0
    told = f"{n:,} decisions of phones are reported"
    if facts.n_silent is not None:
        told += f"; {n_silent:,} records tell nothing of a decision"
    if facts.n_unkept:
        told += f"; {facts.n_unkept:,} have a value that no table takes (docs/contract.md says which there are)"
    if n == 0:
        told += ": let the app send what the contract says under 'What a phone reports of its decision'"
    verdict = _verdict(n == 0 or exceeds(facts.n_unkept, n + facts.n_unkept), look=n_silent > 0 or facts.n_unkept > 0)
    numbers = {"reports": n, "silent": facts.n_silent, "unkept": facts.n_unkept}
    return Finding("reports", verdict, told, numbers)


def _complete(facts: LogFacts) -> Finding:
    n = facts.reports.num_rows
    lacking = {key: facts.reports[name].null_count for name, key in KEYS.items()}
    worst = {key: count for key, count in lacking.items() if count}
    if not worst:
        return Finding("columns", "ok", f"every report tells {', '.join(KEYS.values())}", lacking)
    told = ", ".join(f"{key} in {percent(count, n)}" for key, count in worst.items())
    missing = any(exceeds(count, n) for count in worst.values())
    return Finding("columns", _verdict(missing, look=True), f"not told: {told}; such a report counts nowhere", lacking)


def _named(facts: LogFacts) -> Finding:
    n = facts.reports.num_rows
    told = {key: n - facts.reports[name].null_count for name, key in SOMETIMES.items()}
    sentence = "told where there is something to say: " + ", ".join(f"{key} {percent(k, n)}" for key, k in told.items())
    if told["model_version"]:
        return Finding("names", "ok", sentence, told)
    return Finding(
        "names", "look", f"{sentence}; no report names a version: is any active, and does the app ask it?", told
    )


def _counted(facts: LogFacts) -> Finding:
    counts, n = count_reports(facts.claims), facts.reports.num_rows
    n_counted = counts.get(AS_REPORTED, 0)
    told = f"{percent(n_counted, n)} count"
    aside = [f"{claim} {k:,} ({PHONE_CLAIM_TEXTS[claim]})" for claim, k in counts.items() if claim != AS_REPORTED]
    if aside:
        told += "; set aside: " + "; ".join(aside)
    verdict = _verdict(exceeds(n - n_counted, n), look=bool(aside))
    return Finding("claims", verdict, told, dict(counts))


def _assigned(facts: LogFacts) -> Finding:
    arms = facts.reports["group"]
    by_hash = group_names(hybrid_mask(facts.reports["agent_id"]))
    n = len(arms) - arms.null_count
    agreeing = int(truths(pc.equal(arms, by_hash)).sum())
    told = f"the arm is that of the agent's hash in {percent(agreeing, n)}"
    if agreeing < n:
        told += "; expected all of them: the first byte of SHA-256 of the id as it is sent, below 128 is hybrid"
    verdict = _verdict(exceeds(n - agreeing, n), look=agreeing < n)
    return Finding("assignment", verdict, told, {"told": n, "agreeing": agreeing})


def _chances(facts: LogFacts) -> Finding:
    known = floats(facts.reports["propensity"].drop_null().combine_chunks())
    if len(known) == 0:
        return Finding("propensity", "missing", "no report tells how probable its decision was", {"told": 0})
    left = int(np.count_nonzero(known < 1.0))
    least = float(known.min())
    numbers = {"told": len(known), "left_to_chance": left, "least": least}
    if not left:
        told = (
            "every decision was certain (propensity 1): what another version is worth can be learnt by a rollout alone"
        )
        return Finding("propensity", "look", told, numbers)
    return Finding("propensity", "ok", f"{percent(left, len(known))} were left to chance, at least {least:g}", numbers)


def _fallbacks(facts: LogFacts) -> Finding:
    n, texts = facts.reports.num_rows, facts.reports["fallback"].drop_null()
    reasons = {entry["values"]: entry["counts"] for entry in pc.value_counts(texts).to_pylist()}
    if not reasons:
        return Finding("fallbacks", "ok", "no report tells a fallback: every model answered", reasons)
    told = ", ".join(f"{reason} {percent(k, n)}" for reason, k in sorted(reasons.items(), key=lambda one: -one[1]))
    missing = exceeds(len(texts), n)
    if missing:
        told += "; a phone that falls back tries no version: mend that first"
    return Finding("fallbacks", _verdict(missing, look=True), told, reasons)


def _in_time(facts: LogFacts) -> Finding:
    after = times(facts.reports["reported_at"]) - times(facts.reports["decided_at"])
    known = after[~np.isnat(after)]
    n, limit = facts.reports.num_rows, np.timedelta64(REPORTED_WITHIN)
    late, unknown = int(np.count_nonzero(known > limit)), n - len(known)
    hours = (known / _HOUR).astype(float)
    told = f"{percent(late + unknown, n)} were written later than {limit // _HOUR} hours after, or nobody knows when"
    numbers: dict[str, int | float | str | None] = {"late": late, "unknown": unknown, "untimed": facts.n_untimed}
    if len(hours):
        middle, most = np.quantile(hours, (0.5, 0.99))
        told += f"; half within {middle:.2g} hours, 99 of 100 within {most:.2g}"
        numbers |= {"median_hours": round(float(middle), 4), "p99_hours": round(float(most), 4)}
    if facts.n_untimed:
        told += (
            f"; {facts.n_untimed:,} records do not say when they were written (reported_at), and are taken for written "
            "in time here"
        )
    return Finding(
        "lateness", _verdict(exceeds(late + unknown, n), look=late + unknown + facts.n_untimed > 0), told, numbers
    )


def _repeated(facts: LogFacts) -> Finding:
    counts, n = count_reports(facts.claims), facts.reports.num_rows
    twice, served = counts.get("decided_twice", 0), counts.get("already_served", 0)
    told = f"{twice:,} reports tell a decision again, {served:,} one that the service served"
    if twice:
        told += "; each pair is scored anew at a moment of its own, and reported once"
    verdict = _verdict(exceeds(twice, n), look=twice + served > 0)
    return Finding("duplicates", verdict, told, {"decided_twice": twice, "already_served": served})


def _outcomes(facts: LogFacts) -> Finding:
    due = np.datetime64(round((facts.now - facts.maturity).timestamp() * 1e6), "us")
    counted = pc.equal(facts.claims, AS_REPORTED).to_numpy(zero_copy_only=False) & truths(facts.reports["called"])
    mature = counted & (times(facts.reports["decided_at"]) <= due)
    by = facts.reports["outcome_by"].filter(pa.array(mature))
    found = {entry["values"] or "none": entry["counts"] for entry in pc.value_counts(by).to_pylist()}
    n, n_none = int(mature.sum()), found.get("none", 0)
    numbers = {name: found.get(name, 0) for name in ("row", "id", "moment", "none")}
    if n == 0:
        told = f"no call that counts is older than {facts.maturity // timedelta(hours=1)} hours: it is too early to say"
        return Finding("outcomes", "look", told, numbers)
    told = (
        f"of {n:,} calls that count and have matured, {numbers['row']:,} have their outcome in the same row, "
        f"{numbers['id']:,} by outcome_id, {numbers['moment']:,} by the moment, {n_none:,} have none"
    )
    if n_none == n:
        told += ": without outcomes nothing is ever proven"
    return Finding("outcomes", _verdict(n_none == n), told, numbers)


def _linked(facts: LogFacts) -> Finding:
    if facts.linking is None:
        return Finding("linking", "look", "no outcome of the period was looked for", {})
    linking = facts.linking
    numbers = {"outcomes": linking.n_outcomes, "unlinked": linking.n_without_decision, "near": linking.n_near}
    missing = linking.n_near > 0 and exceeds(linking.n_near, linking.n_outcomes)
    return Finding("linking", _verdict(missing, look=linking.n_without_decision > 0), str(linking), numbers)


def _of_rollout(facts: LogFacts, rollout: Rollout, periods: Sequence[StagePeriod]) -> Finding | None:
    decided = decided_once(DECIDED.empty_table(), counted_reports(facts.reports, facts.claims))
    decided = decided.filter(pa.array(hybrid_mask(decided["agent_id"])))
    moments = times(decided["decided_at"])
    agents, agent = coded(decided["agent_id"])
    place = places_of(agents, rollout.salt)[agent]
    told = told_assignment(decided, rollout)
    n, named, otherwise = 0, 0, 0
    for period in periods:
        within = moments >= _us(period.since)
        if period.until is not None:
            within &= moments < _us(period.until)
        n += int(within.sum())
        named += int((within & (told.stage >= 0)).sum())
        otherwise += int((within & told.otherwise(place < period.share, period.stage)).sum())
    if n == 0:
        return None
    sentence = (
        f"of {n:,} decisions in {rollout.name}, {percent(otherwise, n)} were not made as the agent's hash and the salt "
        f"say, and {percent(named, n)} name it as their experiment with its stage"
    )
    missing = otherwise > rollout.policy.most_otherwise * n
    if missing:
        sentence += ": let the app ask for the phone manifest at least once a day, and assign by its salt and traffic"
    elif named < n:
        sentence += ": let the app send experiment and stage"
    numbers = {"decisions": n, "named": named, "otherwise": otherwise}
    return Finding(rollout.name, _verdict(missing, look=named < n or otherwise > 0), sentence, numbers)


def _us(moment: datetime) -> np.datetime64:
    return np.datetime64(round(moment.timestamp() * 1e6), "us")


def _verdict(missing: bool, *, look: bool = False) -> Verdict:
    if missing:
        return "missing"
    return "look" if look else "ok"
