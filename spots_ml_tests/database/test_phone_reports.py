"""What a phone reports of its decision: the contract's example is a row that the table takes, as one agent's own."""

import json
import re
import uuid
from pathlib import Path

import psycopg
import pytest

from spots_ml.scoring.decision import FALLBACK_TEXTS
from spots_ml_tests.database.clock import set_clock
from spots_ml_tests.database.import_calls import send
from spots_ml_tests.database.roles import AGENT_A, ab_outcome, call, hours, insert, interaction, outcome

TABLE, COMPARISON = "calling_score_training_data", "calling_score_ab_test_outcomes"
CONTRACT = Path(__file__).parents[2] / "docs" / "contract.md"


def example():
    (text,) = re.findall(r"```json phone-report\n(.*?)```", CONTRACT.read_text(), re.DOTALL)
    return json.loads(text)


def test_the_contracts_example_is_taken_from_the_agent_and_read_in_the_words_of_the_log(database):
    with database.acting("authenticated", AGENT_A) as agent:
        insert(agent, TABLE, **example())
        assert agent.execute(f"update public.{TABLE} set outcome_type = 'positive', outcome_score = 0.9").rowcount == 1
    with database.service() as connection:
        connection.execute("select public.label_watermark()")
        (found,) = connection.execute("select * from public.phone_decisions").fetchall()
    assert {name: found[name] for name in ("agent_group", "version", "outcome_version")} == {
        "agent_group": "hybrid",
        "version": "v1.0-real",
        "outcome_version": "v1.0-real",
    }
    assert (found["weight"], found["formula_score"], found["neural_score"], found["score"]) == (0.0, 0.82, None, 0.738)
    assert (found["called"], found["propensity"], found["fallback"]) == (True, 1.0, "calling_score: slow")
    assert (found["outcome_type"], found["outcome_score"]) == ("positive", 0.9)


def test_every_fallback_that_a_decision_tells_is_one_to_the_table(shared):
    with shared.owner() as connection:
        for text in FALLBACK_TEXTS.values():
            told = connection.execute("select private.is_fallback(%s) as told", [text]).fetchone()["told"]
            assert told is (None if text is None else True), text


@pytest.mark.parametrize(
    "text",
    [
        *("", "slow", "calling_score: tired", "calling_score:slow", "outcome: slow, calling_score: slow"),
        *("outcome: slow, outcome: slow", "outcome: slow\n", "calling_score: slow,outcome: slow", "trend: slow"),
    ],
)
def test_no_other_text_is_and_no_writer_gets_one_in(shared, text):
    for table, row in ((TABLE, interaction), (COMPARISON, ab_outcome)):
        for connecting in (shared.acting("authenticated", AGENT_A), shared.service()):
            with connecting as connection, pytest.raises(psycopg.errors.CheckViolation, match="fallback"):
                insert(connection, table, **row(AGENT_A, fallback=text))


@pytest.mark.parametrize(
    "told", [{"experiment": ""}, {"experiment": " "}, {"experiment": "r" * 257}, {"stage": 0}, {"stage": 1001}], ids=str
)
def test_a_rollout_that_no_decision_can_name_gets_into_no_table_whoever_writes(shared, told):
    for table, row in ((TABLE, interaction), (COMPARISON, ab_outcome)):
        for connecting in (shared.acting("authenticated", AGENT_A), shared.service()):
            with connecting as connection, pytest.raises(psycopg.errors.CheckViolation, match=r"experiment|stage"):
                insert(connection, table, **row(AGENT_A, **told))


@pytest.mark.parametrize(("table", "row"), [(TABLE, interaction), (COMPARISON, ab_outcome)], ids=["training", "ab"])
def test_when_a_report_was_written_is_said_by_the_databases_clock_and_never_by_the_agent(database, table, row):
    with database.owner() as owner:
        set_clock(owner, f"timestamptz '{hours(3).isoformat()}'")
    with database.acting("authenticated", AGENT_A) as agent:
        insert(agent, table, **row(AGENT_A, reported_at=hours(0), experiment="rollout-1", stage=1))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            agent.execute(f"update public.{table} set reported_at = now()")
        if table == TABLE:
            agent.execute(f"update public.{table} set outcome_type = 'positive', outcome_score = 0.9")
    with database.owner() as owner:
        assert owner.execute(f"select reported_at from public.{table}").fetchall() == [{"reported_at": hours(3)}]


def test_a_row_that_reports_nothing_was_reported_never_and_what_is_added_later_was_reported_then(database):
    with database.owner() as owner:
        set_clock(owner, f"timestamptz '{hours(3).isoformat()}'")
    with database.service() as service:
        insert(service, TABLE, **interaction(AGENT_A))
        written = f"select reported_at, arm, experiment, stage from public.{TABLE}"
        assert service.execute(written).fetchone()["reported_at"] is None
        service.execute(f"update public.{TABLE} set arm = 'hybrid', experiment = 'rollout-1', stage = 1")
        service.execute(f"update public.{TABLE} set reported_at = now(), experiment = null, stage = null")
        assert tuple(service.execute(written).fetchone().values()) == (hours(3), "hybrid", "rollout-1", 1)


def test_no_writer_waits_for_another_and_the_comparison_is_numbered_behind_all_that_was_numbered(database):
    numbers = "select public.comparison_watermark() as reached"
    with database.service() as one, database.connect() as open_one, database.service() as reader:
        insert(one, COMPARISON, **ab_outcome(at=0))
        insert(open_one, COMPARISON, **ab_outcome(at=1))
        insert(one, COMPARISON, **ab_outcome(at=2))
        assert reader.execute(numbers).fetchone()["reached"] == 2
        open_one.commit()
        assert reader.execute(numbers).fetchone()["reached"] == 3
        assert reader.execute(numbers).fetchone()["reached"] == 3
        found = reader.execute("select decided_at from public.phone_comparisons order by row_sequence").fetchall()
    assert [row["decided_at"] for row in found] == [hours(0), hours(2), hours(1)]


def test_an_agent_reports_when_it_adds_the_row_and_never_again(database):
    with database.acting("authenticated", AGENT_A) as agent:
        insert(agent, TABLE, **interaction(AGENT_A, fallback="outcome: slow", is_called=False))
        for change in ("fallback = null", "fallback = 'outcome: failed'", "is_called = true"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                agent.execute(f"update public.{TABLE} set {change}")


def test_a_row_that_reports_nothing_and_one_whose_outcome_was_generated_are_no_decisions_of_phones(database):
    with database.service() as connection:
        insert(connection, TABLE, **interaction() | outcome())
        insert(connection, TABLE, **interaction(at=1, arm="hybrid", source_kind="hybrid"))
        insert(connection, TABLE, **interaction(at=2, arm="hybrid"))
        connection.execute("select public.label_watermark()")
        found = connection.execute("select decided_at from public.phone_decisions").fetchall()
    assert [row["decided_at"] for row in found] == [hours(2)]


def keep(connection, *told, batch=None):
    sent = send(connection, told, batch)
    return asked(connection, p_batch=sent["p_batch"], p_n_rows=sent["p_n_rows"])


def asked(connection, **values):
    return call(connection, "keep_phone_reports", **values)["keep_phone_reports"]


REPORTED = {"agent_id": AGENT_A, "opportunity_id": "spot-1", "timestamp": hours(0).isoformat()}


def test_what_is_told_twice_in_a_batch_or_was_known_stays_as_it_was_told_first(database):
    with database.service() as service:
        insert(service, TABLE, **interaction(arm="hybrid"))
        told = [{"arm": "formulaBased", "weight": 0.1}, {"weight": 0.2, "stage": 3}, {"stage": 4, "is_called": False}]
        assert keep(service, *(REPORTED | one for one in told)) == {"status": "ok", "n_written": 1}
        written = service.execute(f"select arm, weight, stage, is_called from public.{TABLE}").fetchone()
    assert tuple(written.values()) == ("hybrid", 0.1, 3, False)


def test_a_batch_of_which_rows_are_missing_is_not_kept_and_one_that_was_kept_answers_the_same(database):
    with database.service() as service:
        insert(service, TABLE, **interaction())
        batch = uuid.uuid4()
        kept = keep(service, REPORTED | {"weight": 0.1}, batch=batch)
        again = asked(service, p_batch=batch, p_n_rows=1)
        assert again == kept == {"status": "ok", "n_written": 1}
        assert asked(service, p_batch=uuid.uuid4(), p_n_rows=2) == {"status": "incomplete", "n_rows": 0}


def test_what_was_generated_is_told_nothing_of_by_an_import(database):
    with database.service() as service:
        insert(service, TABLE, **interaction(source_kind="hybrid"))
        assert keep(service, REPORTED | {"weight": 0.1}) == {"status": "ok", "n_written": 0}
