"""What phones report counts only where it is whole and agrees with itself, the agent's hash and the registry."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.registry.service import ServicePeriods
from spots_ml.scoring.decision_log.claims import SERVED_WITHIN
from spots_ml.scoring.decision_log.deciding_arms import deciding_arms
from spots_ml.scoring.decision_log.phone_claims import (
    MAY_BE_BEHIND,
    PHONE_CLAIM_TEXTS,
    PHONE_CLAIMS,
    REPORTED_WITHIN,
    counted_reports,
    judge_reports,
)
from spots_ml_tests.scoring.phone_reports import FORMULA_AGENT, HYBRID_AGENT, MOMENT, OF_THE_FORMULA, reports

HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)


def at(moment):
    return np.datetime64(moment.replace(tzinfo=None), "us")


SERVICE = ServicePeriods(
    {
        ("calling_score", "a"): ((at(MOMENT - HOUR), at(MOMENT + HOUR)),),
        ("outcome", "b"): ((at(MOMENT - HOUR), at(MOMENT + 99 * HOUR)),),
    }
)
SILENT = {"neural_score": None, "weight": 0.0}


NOBODY = reports()


def judge(*changes, served=NOBODY):
    return judge_reports(reports(*changes), SERVICE, served).to_pylist()


@pytest.mark.parametrize(
    "change",
    [
        {},
        OF_THE_FORMULA,
        OF_THE_FORMULA | {"neural_score": 0.9, "version": None},
        SILENT | {"fallback": "calling_score: slow"},
        SILENT | {"fallback": "calling_score: no_version, outcome: damaged", "version": None, "outcome_version": None},
        {"fallback": "outcome: slow"},
        {"called": False, "score": 0.9},
        {"called": False, "score": 0.1},
        {"called": True, "score": 0.1, "propensity": 0.05},
        {"propensity": 1e-9},
        {"score": (0.75 * 0.8 + 0.25 * 0.9) * 1.2},
    ],
    ids=str,
)
def test_what_a_phone_can_have_decided_counts(change):
    assert judge(change) == ["as_reported"]


@pytest.mark.parametrize(
    ("claim", "change"),
    [
        *(
            ("incomplete", {name: None})
            for name in ("group", "weight", "formula_score", "score", "called", "propensity", "agent_id", "decided_at")
        ),
        *(
            ("out_of_range", {name: value})
            for name in ("weight", "formula_score", "neural_score", "score", "propensity")
            for value in (-1e-9, 1.000001, float("nan"), float("inf"))
        ),
        ("out_of_range", {"propensity": 0.0}),
        *(
            ("malformed_fallback", {"fallback": text})
            for text in ("", "slow", "outcome: tired", "outcome: slow, calling_score: slow", "outcome: slow ")
        ),
        ("reported_late", {"reported_at": MOMENT + REPORTED_WITHIN + TICK}),
        ("reported_late", {"reported_at": MOMENT - SERVED_WITHIN - TICK}),
        ("other_group", {"group": "formulaBased"}),
        ("other_group", {"agent_id": FORMULA_AGENT}),
        ("other_group", {"group": "control"}),
        ("not_in_service", {"version": "never registered"}),
        ("not_in_service", {"outcome_version": "never registered"}),
        ("not_in_service", {"version": "b"}),
        ("not_in_service", OF_THE_FORMULA | {"version": "never registered"}),
        ("untold_fallback", SILENT),
        ("untold_fallback", SILENT | {"fallback": "outcome: slow"}),
        ("contradicts_itself", {"fallback": "calling_score: slow"}),
        ("contradicts_itself", {"neural_score": None, "fallback": "calling_score: slow"}),
        ("contradicts_itself", OF_THE_FORMULA | {"weight": 0.1}),
        ("contradicts_itself", {"score": 0.6999999}),
        ("contradicts_itself", {"score": 0.9, "called": False, "outcome_version": None}),
        ("contradicts_itself", {"score": 0.9901}),
    ],
    ids=str,
)
def test_all_else_is_set_aside_with_its_reason(claim, change):
    assert judge({}, change, {"opportunity_id": "another"}) == ["as_reported", claim, "as_reported"]


@pytest.mark.parametrize(
    ("moment", "claim"),
    [
        (MOMENT - HOUR, "as_reported"),
        (MOMENT - HOUR - TICK, "not_in_service"),
        (MOMENT + HOUR, "as_reported"),
        (MOMENT + HOUR + MAY_BE_BEHIND - TICK, "as_reported"),
        (MOMENT + HOUR + MAY_BE_BEHIND, "not_in_service"),
    ],
)
def test_a_phone_may_be_behind_by_a_day_and_never_ahead(moment, claim):
    assert judge({"decided_at": moment}) == [claim]


@pytest.mark.parametrize("after", [REPORTED_WITHIN, -SERVED_WITHIN])
def test_a_report_is_in_time_for_a_day_and_clocks_may_differ_a_little(after):
    assert judge({"reported_at": MOMENT + after}) == ["as_reported"]


def test_a_report_of_which_nobody_knows_when_it_was_written_is_late():
    table = reports({})
    unknown = pa.nulls(1, table.schema.field("reported_at").type)
    table = table.set_column(table.schema.get_field_index("reported_at"), "reported_at", unknown)
    assert judge_reports(table, SERVICE, NOBODY).to_pylist() == ["reported_late"]


def test_what_the_service_served_is_no_decision_of_a_phone():
    served = reports({"decided_at": MOMENT + 999 * TICK, "agent_id": HYBRID_AGENT}, OF_THE_FORMULA)
    assert judge({}, OF_THE_FORMULA, {"opportunity_id": "another"}, {"called": None}, served=served) == [
        *("already_served", "already_served", "as_reported", "incomplete")
    ]


def test_of_several_reports_of_one_decision_the_one_that_was_written_first_counts():
    assert judge(
        {"reported_at": MOMENT + HOUR}, {"reported_at": MOMENT, "called": None}, {"reported_at": MOMENT + TICK}
    ) == ["decided_twice", "incomplete", "as_reported"]


def test_one_decision_is_counted_once_by_the_millisecond_whatever_was_set_aside_before_it():
    finer = {"decided_at": MOMENT + 999 * TICK}
    assert judge({"called": None}, {}, {"score": 0.9}, finer, {"decided_at": MOMENT + 1_000 * TICK}) == [
        *("incomplete", "as_reported", "decided_twice", "decided_twice", "as_reported")
    ]


def test_what_counts_is_in_the_arm_of_its_version_or_of_the_formula_and_what_is_set_aside_in_none():
    table = reports({}, OF_THE_FORMULA, {"version": "z"}, {"score": 0.1})
    claims = judge_reports(table, SERVICE, NOBODY)
    counted = counted_reports(table, claims)
    assert deciding_arms(counted).to_pylist() == ["calling_score a", "formula"]
    assert set(counted["origin"].to_pylist()) == {"phone"}
    assert len(claims) == table.num_rows


def test_nothing_reported_is_nothing_judged():
    assert judge() == []
    assert counted_reports(reports(), judge_reports(reports(), SERVICE, NOBODY)).num_rows == 0


def test_every_claim_has_its_words():
    assert set(PHONE_CLAIM_TEXTS) == set(PHONE_CLAIMS)
