"""What every store promises about what phones report; that of a Supabase project has more to tell."""

from datetime import timedelta

import pyarrow as pa
import pytest

from spots_ml.errors import InputError
from spots_ml.scoring.decision_log.phone_decisions import PHONE_DECISIONS
from spots_ml.scoring.decision_log.told_reports import TOLD_REPORTS
from spots_ml_tests.stores.keeping_decisions import EVER, decided, log
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, take_in

SINCE, UNTIL = EVER
MILLISECOND = timedelta(milliseconds=1)
OUTCOME_ID, ANOTHER_ID = "7f6b0a52-3f0e-4c55-9a54-0d1f6f1d2c11", "7f6b0a52-3f0e-4c55-9a54-0d1f6f1d2c12"
SAID = {
    "group": "hybrid",
    "version": "v1.0-real",
    "outcome_version": "v1.1-real",
    "weight": 0.1,
    "neural_score": 0.1 + 0.2,
    "score": 0.6,
    "called": False,
    "propensity": 0.95,
    "fallback": "outcome: slow",
    "experiment": "rollout-1+rollout-2",
    "stage": 12,
}


def told(number, **changes):
    """What a phone says of an interaction beside its features."""
    row = interaction(number)
    about = {
        "agent_id": row["agent_id"],
        "opportunity_id": row["opportunity_id"],
        "decided_at": row["scored_at"],
        "formula_score": row["formula_score"],
        "reported_at": row["scored_at"] + timedelta(hours=2),
    }
    return dict.fromkeys(TOLD_REPORTS.names) | about | SAID | changes


def unsaid(number, **changes):
    return told(number, **(dict.fromkeys(SAID) | changes))


def keep(store, *rows):
    schema = pa.schema([field.with_nullable(True) for field in TOLD_REPORTS])
    return store.phones.keep_reports([pa.Table.from_pylist([row], schema) for row in rows], now=NOW)


def given(store, *names):
    return [tuple(row[name] for name in names) for row in store.phones.read_phone_decisions(*EVER).to_pylist()]


def test_a_store_without_reports_gives_none(store):
    assert store.phones.read_phone_decisions(*EVER).equals(PHONE_DECISIONS.empty_table())
    assert keep(store) == 0


@pytest.mark.parametrize(
    ("since", "until"), [(UNTIL, SINCE), (SINCE.replace(tzinfo=None), UNTIL), (SINCE, UNTIL.replace(tzinfo=None))]
)
def test_a_period_without_a_zone_or_backwards_is_refused(store, since, until):
    with pytest.raises(InputError):
        store.phones.read_phone_decisions(since, until)


def test_what_an_export_tells_of_a_decision_is_kept_and_given_back_with_its_outcome(store):
    take_in(store, [interaction(1), interaction(2, labelled=False)])
    assert keep(store, told(1), told(2)) == 2
    row, other = store.phones.read_phone_decisions(*EVER).to_pylist()
    known = interaction(1)
    assert row.pop("decision_id") != other["decision_id"]
    assert row == SAID | {
        "agent_id": known["agent_id"],
        "opportunity_id": known["opportunity_id"],
        "decided_at": known["scored_at"],
        "formula_score": 0.5,
        "outcome_type": "positive",
        "outcome_score": 0.9,
        "outcome_at": known["outcome_at"],
        "first_outcome_at": None,
        "reported_at": known["scored_at"] + timedelta(hours=2),
        "reported_in": "training_data",
        "outcome_by": "row",
    }
    assert (other["outcome_type"], other["outcome_by"]) == (None, None)


def test_what_was_told_first_stays_and_what_was_not_is_added(store):
    take_in(store, [interaction(1)])
    keep(store, told(1, version=None, reported_at=NOW))
    keep(store, told(1, version="v2.0-real", score=0.9, group="formulaBased", fallback=None))
    keep(store, unsaid(1))
    assert given(store, "version", "score", "group", "fallback", "reported_at") == [
        ("v2.0-real", 0.6, "hybrid", "outcome: slow", NOW)
    ]


def test_a_period_begins_with_its_first_moment_and_ends_before_its_last(store):
    take_in(store, [interaction(number) for number in range(4)])
    keep(store, *(told(number) for number in (3, 0, 2, 1)))
    moments = [interaction(number)["scored_at"] for number in range(4)]
    found = store.phones.read_phone_decisions(moments[1], moments[3])
    assert found["decided_at"].to_pylist() == moments[1:3]


@pytest.mark.parametrize(
    "broken",
    [
        *({name: 1.5} for name in ("weight", "neural_score", "score", "propensity")),
        *({name: -0.5} for name in ("weight", "neural_score", "score", "propensity")),
        *({"propensity": 0.0}, {"group": "control"}, {"fallback": "slow"}, {"stage": 0}, {"stage": 1001}),
        *({"experiment": ""}, {"experiment": " "}, {"version": "v" * 257}, {"outcome_id": "17"}),
        *({"agent_id": None}, {"opportunity_id": None}, {"decided_at": None}),
    ],
    ids=str,
)
def test_what_no_store_may_keep_is_passed_over(store, broken):
    take_in(store, [interaction(1), interaction(2)])
    assert keep(store, told(1, **broken), told(2)) == 1
    assert given(store, "opportunity_id") == [("spot 2",)]


def test_a_report_of_no_interaction_that_is_known_or_of_one_that_was_generated_is_none(store):
    take_in(store, [interaction(1)], kind="synthetic")
    keep(store, told(1), told(2))
    assert given(store) == []


def test_an_outcome_is_found_by_its_id_where_its_moment_is_another(store):
    late = interaction(1, scored_at=interaction(1)["scored_at"] + MILLISECOND)
    take_in(store, [interaction(1, labelled=False), late, interaction(2, labelled=False)])
    keep(
        store,
        told(1, outcome_id=OUTCOME_ID),
        unsaid(1, outcome_id=OUTCOME_ID, decided_at=late["scored_at"]),
        told(2, outcome_id=ANOTHER_ID),
    )
    assert given(store, "outcome_type", "outcome_at", "outcome_by") == [
        ("positive", late["outcome_at"], "id"),
        (None, None, None),
    ]


def test_an_outcome_is_that_of_one_decision_the_first_that_was_told_under_its_id(store):
    first = interaction(1, labelled=False)
    second = first | {"scored_at": first["scored_at"] + MILLISECOND}
    outcome = interaction(1, scored_at=first["scored_at"] + 2 * MILLISECOND)
    take_in(store, [first, second, outcome])
    keep(
        store,
        told(1, outcome_id=OUTCOME_ID),
        told(1, outcome_id=OUTCOME_ID, decided_at=second["scored_at"]),
        unsaid(1, outcome_id=OUTCOME_ID, decided_at=outcome["scored_at"]),
    )
    assert given(store, "outcome_by") == [("id",), (None,)]


def test_an_outcome_whose_moment_is_that_of_a_served_decision_belongs_to_that_one(store):
    row = interaction(3)
    before = row | {"scored_at": row["scored_at"] - MILLISECOND, "outcome_type": None, "outcome_score": None}
    take_in(store, [row, before | {"outcome_at": None}])
    keep(
        store,
        told(3, outcome_id=OUTCOME_ID, decided_at=before["scored_at"]),
        unsaid(3, outcome_id=OUTCOME_ID),
    )
    assert given(store, "outcome_by") == [("id",)]
    log(store, decided(3))
    assert given(store, "outcome_by") == [(None,)]
