"""Which decisions that phones report count, and why others do not.

A phone is no part of the service: its clock, its manifest and its code may be old, broken or somebody else's. So a
report counts in its arm only where it is whole, agrees with itself, with the hash that assigns agents, and with the
registry. All else is set aside with a reason, and counted there. `claims` is the same for what the service decides.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.interactions.columns import times
from spots_ml.models.declared import model_in
from spots_ml.models.spec import Role
from spots_ml.requests.request_schema import TREND_BOOST_RANGE
from spots_ml.scoring.assignment import group_names, hybrid_mask
from spots_ml.scoring.decision import FALLBACK_TEXTS
from spots_ml.scoring.decision_log.claims import SERVED_WITHIN, ServiceRecord, were_in_service
from spots_ml.scoring.decision_log.phone_decisions import PHONE
from spots_ml.scoring.decision_log.same_decision import SAME_DECISION, repeated, same_decision
from spots_ml.scoring.formula import CALLED_FROM

PhoneClaim = Literal[
    "as_reported",
    "incomplete",
    "out_of_range",
    "malformed_fallback",
    "reported_late",
    "other_group",
    "not_in_service",
    "untold_fallback",
    "contradicts_itself",
    "already_served",
    "decided_twice",
]
"""Why a report counts (the first) or is set aside; of several reasons the first in this order is told."""
PHONE_CLAIMS: Final[tuple[PhoneClaim, ...]] = get_args(PhoneClaim)

AS_REPORTED: Final[PhoneClaim] = "as_reported"

PHONE_CLAIM_TEXTS: Final[Mapping[str, str]] = {
    "as_reported": "reported whole, and nothing speaks against it",
    "incomplete": "arm, weight, formula's score, score, is_called or propensity was not reported",
    "out_of_range": "a score or the weight is outside of [0, 1], or the propensity outside of (0, 1]",
    "malformed_fallback": "its fallback is not 'model: reason'",
    "reported_late": "by the database's clock it was not written within 24 hours of its moment, or nobody knows when",
    "other_group": "its arm is not that of the agent's hash",
    "not_in_service": "a version that it names was not in service at its moment, nor shortly before",
    "untold_fallback": "the model did not answer, and no fallback says why",
    "contradicts_itself": "its scores, weight, fallback and is_called do not go together",
    "already_served": "the service decided, and logged, the same agent, opportunity and moment",
    "decided_twice": "an earlier report tells the same agent, opportunity and moment",
}

MAY_BE_BEHIND: Final = timedelta(hours=24)
"""How long after a version left service a phone may still decide by it.

A phone asks for the manifest now and then, once a day where it can, and is offline meanwhile; in a day nearly every
phone that is used has asked. A longer lag would let a version that was taken back count for longer than people saw it.
"""

REPORTED_WITHIN: Final = timedelta(hours=24)
"""How long after its moment a decision may be reported, by the clock of the database that takes the report.

Who may report later knows what came of the decision, and can leave out what came out badly. In a day nearly every phone
that is used was online once.
"""

_KNOWN: Final = (
    *("agent_id", "opportunity_id", "decided_at", "group", "weight", "formula_score", "score", "called"),
    "propensity",
)
_NUMBERS: Final = ("weight", "formula_score", "neural_score", "score", "propensity")
_TEXTS: Final = pa.array(sorted({text for text in FALLBACK_TEXTS.values() if text is not None}))
_ROUNDING: Final = 1e-6
"""How far two runtimes may be apart (`docs/contract.md`)."""


def judge_reports(reports: pa.Table, service: ServiceRecord, served: pa.Table) -> pa.Array:
    """Judge what phones report.

    Args:
        reports: `n` rows of schema `PHONE_DECISIONS`; of those that tell the same decision, the one that was written
            first counts, the first row of several.
        service: Which versions were in service when.
        served: What the service served in the same period, with `agent_id`, `opportunity_id` and `decided_at`: who
            decided is the service then, whatever a phone says.

    Returns:
        `(n,)` strings, each a `PhoneClaim`.
    """
    numbers = {name: _numbers(reports[name]) for name in _NUMBERS}
    neural, outcome = model_in(Role.NEURAL_SCORE).name, model_in(Role.OUTCOME_FILTER).name
    moments = times(reports["decided_at"])
    unserved = np.zeros(reports.num_rows, bool)
    for model_type, name in ((neural, "version"), (outcome, "outcome_version")):
        versions = reports[name].combine_chunks()
        unserved |= ~were_in_service(service, model_type, versions, moments, behind=MAY_BE_BEHIND)
    hybrid = hybrid_mask(reports["agent_id"].combine_chunks())
    texts = reports["fallback"]
    fell_back = _is_true(pc.starts_with(texts, f"{neural}: "))
    silent = np.isnan(numbers["neural_score"])
    reasons: dict[PhoneClaim, np.ndarray] = {
        "incomplete": ~np.logical_and.reduce([_is_true(pc.is_valid(reports[name])) for name in _KNOWN]),
        "out_of_range": np.logical_or.reduce([_outside(reports[name], name) for name in _NUMBERS]),
        "malformed_fallback": _is_true(pc.and_(pc.is_valid(texts), pc.invert(pc.is_in(texts, _TEXTS)))),
        "reported_late": ~_in_time(times(reports["reported_at"]), moments),
        "other_group": ~_is_true(pc.equal(reports["group"], group_names(hybrid))),
        "not_in_service": unserved,
        "untold_fallback": hybrid & silent & ~fell_back,
        "contradicts_itself": (
            (fell_back & ~silent)
            | ((numbers["weight"] > 0.0) & (silent | ~hybrid))
            | _score_too_high(numbers)
            | _called_otherwise(reports, numbers)
        ),
    }
    claims = np.full(reports.num_rows, AS_REPORTED, object)
    for reason, rows in reasons.items():
        claims[(claims == AS_REPORTED) & rows] = reason
    _set_aside_known(claims, reports, served)
    return pa.array(claims, pa.string())


def counted_reports(reports: pa.Table, claims: pa.Array) -> pa.Table:
    """Keep the reports that count, as decisions that can be measured.

    Args:
        reports: `n` rows of schema `PHONE_DECISIONS`.
        claims: `(n,)` of `judge_reports`.

    Returns:
        Those rows, with the further columns `origin` and `arm` (null: it follows from group and version, as
        `deciding_arms` has it).
    """
    kept = reports.filter(pc.equal(claims, AS_REPORTED))
    kept = kept.append_column("origin", pa.repeat(pa.scalar(PHONE), kept.num_rows))
    return kept.append_column("arm", pa.nulls(kept.num_rows, pa.string()))


def count_reports(claims: pa.Array) -> dict[str, int]:
    """Count what became of reports.

    Args:
        claims: `(n,)` of `judge_reports`.

    Returns:
        Reports by their claim, in the order of `PHONE_CLAIMS`; only what occurred.
    """
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(claims).to_pylist()}
    return {claim: counts[claim] for claim in PHONE_CLAIMS if claim in counts}


def _score_too_high(numbers: Mapping[str, np.ndarray]) -> np.ndarray:
    """The filter multiplies by a probability and the trend boost has a bound: a score is never above this."""
    weight = np.where(np.isnan(numbers["neural_score"]), 0.0, numbers["weight"])
    # What is no number is told as such before.
    with np.errstate(invalid="ignore"):
        blended = (1.0 - weight) * numbers["formula_score"] + weight * np.nan_to_num(numbers["neural_score"])
        too_high: np.ndarray = numbers["score"] > blended * (1.0 + TREND_BOOST_RANGE[1]) + _ROUNDING
    return too_high


def _called_otherwise(reports: pa.Table, numbers: Mapping[str, np.ndarray]) -> np.ndarray:
    """Called below the threshold, or not called above it by something that could not block; a coin may do both."""
    called, reached = _is_true(reports["called"]), numbers["score"] >= CALLED_FROM
    filtered = _is_true(pc.is_valid(reports["outcome_version"]))
    certain = numbers["propensity"] == 1.0
    otherwise: np.ndarray = certain & ((called & ~reached) | (~called & reached & ~filtered))
    return otherwise


def _in_time(written: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """NaT is in no time."""
    after = written - moments
    in_time: np.ndarray = (after >= -np.timedelta64(SERVED_WITHIN)) & (after <= np.timedelta64(REPORTED_WITHIN))
    return in_time


def _set_aside_known(claims: np.ndarray, reports: pa.Table, served: pa.Table) -> None:
    """Set aside what counts so far and tells a decision that is known already."""
    told = pa.concat_tables([served.select(SAME_DECISION), reports.select(SAME_DECISION)], promote_options="default")
    number = same_decision(told)
    of_service, of_phones = number[: served.num_rows], number[served.num_rows :]
    claims[(claims == AS_REPORTED) & np.isin(of_phones, of_service)] = "already_served"
    by_writing = np.argsort(times(reports["reported_at"]), kind="stable")
    claims[repeated(of_phones, by_writing, claims == AS_REPORTED)] = "decided_twice"


def _outside(column: pa.ChunkedArray, name: str) -> np.ndarray:
    low = pc.greater(column, 0.0) if name == "propensity" else pc.greater_equal(column, 0.0)
    outside: np.ndarray = ~pc.and_(low, pc.less_equal(column, 1.0)).fill_null(True).to_numpy()
    return outside


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    """Numbers as float64, NaN where null."""
    numbers: np.ndarray = column.cast(pa.float64()).fill_null(np.nan).to_numpy()
    return numbers


def _is_true(column: pa.ChunkedArray) -> np.ndarray:
    truths: np.ndarray = column.fill_null(False).to_numpy(zero_copy_only=False)
    return truths
