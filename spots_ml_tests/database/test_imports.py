"""Taking in interactions: which are the same one, what changes a known one, and in which order labels are numbered."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.types.json import Jsonb

from spots_ml.features.contract import RAW_FEATURES
from spots_ml.interactions.reading.record_layout import FEATURE_GROUPS
from spots_ml_tests.database.import_calls import TABLE, counts, item, rows, send, take_in, told
from spots_ml_tests.database.roles import START, call, hours, insert, interaction, outcome


def test_the_raw_features_are_those_of_the_contract_in_its_order(shared):
    numbers = iter(range(len(RAW_FEATURES)))
    groups = [{key: next(numbers) for key in keys} | {"of the app": 7} for keys in FEATURE_GROUPS.values()]
    with shared.owner() as connection:
        found = connection.execute(
            "select private.raw_features(%s, %s, %s, %s) as features", [Jsonb(group) for group in groups]
        ).fetchone()

    assert [column for keys in FEATURE_GROUPS.values() for column in keys.values()] == list(RAW_FEATURES)
    assert found["features"] == list(range(len(RAW_FEATURES)))


@pytest.mark.parametrize("missing", ["agent_id", "opportunity_id", "timestamp"])
def test_an_anonymous_interaction_is_known_when_all_it_says_is_repeated(database, missing):
    known = item(**{missing: None}, user_vibe_dimensions={"novelty_seeking": 1.0, "energy_preference": None})
    same = known | {"user_vibe_dimensions": {"novelty_seeking": 1, "of the app": 2}}
    others = [
        known | {"timing_features": {"opportunity_timing": 0.6}},
        known | {"formula_calling_score": 0.7},
        known | {name: told(value) for name, value in outcome().items()},
    ]
    with database.service() as connection:
        assert counts(take_in(connection, known)) == (1, 1, 0, 0)
        assert counts(take_in(connection, same, *others)) == (4, 3, 0, 1)
        assert counts(take_in(connection, *others, same)) == (4, 0, 0, 0)
        connection.execute(f"update public.{TABLE} set outcome_type = 'positive', outcome_score = 0.9")
        assert counts(take_in(connection, *others, same)) == (4, 0, 0, 0)
        with pytest.raises(psycopg.errors.RestrictViolation, match="never change"):
            connection.execute(f"update public.{TABLE} set spot_vibe_dimensions = '{{}}'")


def test_an_interaction_of_the_app_is_known_and_what_the_app_added_stays(database):
    with database.service() as connection:
        insert(connection, TABLE, **interaction(timing_features={"opportunity_timing": 0.5, "timing_alignment": 0.5}))
        assert counts(take_in(connection, item())) == (1, 0, 0, 0)
        late = {name: told(value) for name, value in outcome().items()}
        assert counts(take_in(connection, item(**late))) == (1, 0, 1, 1)
        kept = rows(connection)
        assert counts(take_in(connection, item(timing_features={"opportunity_timing": 0.75}))) == (1, 0, 1, 0)
        corrected = rows(connection)

    assert [row["timing_features"] for row in kept] == [{"opportunity_timing": 0.5, "timing_alignment": 0.5}]
    assert [row["timing_features"] for row in corrected] == [{"opportunity_timing": 0.75}]
    assert [(row["metadata"], row["outcome_score"]) for row in corrected] == [({"app": "3.1"}, 0.8)]
    assert corrected[0]["updated_at"] > kept[0]["updated_at"]


def test_repeats_are_taken_in_as_what_they_say_together(database):
    late = {name: told(value) for name, value in outcome(0.9).items()}
    with database.service() as connection:
        report = take_in(
            connection,
            item(**late | {"outcome_score": 0.8}),
            item(opportunity="spot-2"),
            item(formula_calling_score=None, user_vibe_dimensions={"novelty_seeking": 0.1}),
            item(**late | {"outcome_timestamp": hours(6).isoformat()}),
        )
        found = rows(connection)

    assert counts(report) == (2, 2, 0, 1)
    assert [row["opportunity_id"] for row in found] == ["spot-1", "spot-2"]
    first = found[0]
    assert (first["formula_calling_score"], first["outcome_type"], first["outcome_score"]) == (0.75, "positive", 0.9)
    assert first["user_vibe_dimensions"] == {"novelty_seeking": 0.1}


def test_labels_are_numbered_in_the_order_they_were_sent_in_known_or_not(database):
    late = {name: told(value) for name, value in outcome().items()}
    names = ["new-1", "known-2", "new-3", "known-1"]
    with database.service() as connection:
        take_in(connection, item("known-1"), item("known-2"))
        report = take_in(connection, *(item(name, **late) for name in names))
        found = sorted(rows(connection), key=lambda row: row["label_sequence"])

    assert counts(report) == (4, 2, 2, 4)
    assert [row["opportunity_id"] for row in found] == names


def test_what_says_nothing_new_is_not_written(database):
    versions = f"select xmin::text, xmax::text, ctid::text from public.{TABLE}"
    with database.service() as connection:
        take_in(connection, item(formula_is_called=None), item("spot-2"))
        before = connection.execute(versions).fetchall()
        take_in(connection, item("spot-2"), item(formula_is_called=None), item())
        assert len({row["ctid"] for row in connection.execute(versions)} - {row["ctid"] for row in before}) == 1
        before = connection.execute(versions).fetchall()
        assert counts(take_in(connection, item(formula_calling_score=None), item("spot-2"))) == (2, 0, 0, 0)
        assert connection.execute(versions).fetchall() == before


def test_a_batch_with_a_page_missing_is_refused_and_taken_in_once_it_is_there(database):
    with database.service() as connection:
        arguments = send(connection, [item(f"spot-{number}") for number in range(3)])
        call_in = {**arguments, "p_n_rows": 4}
        refused = call(connection, "import_interactions", **call_in)
        assert (refused["status"], refused["reason"]) == ("refused", "3 of 4 rows of the batch are there")
        assert rows(connection) == []

        connection.execute(
            "insert into public.incoming_rows (batch, position, item) values (%s, 3, %s)",
            (arguments["p_batch"], Jsonb(item("spot-3"))),
        )
        reports = [call(connection, "import_interactions", **call_in) for _ in range(2)]
        assert counts(reports[0]) == (4, 4, 0, 0)
        assert reports[1] == reports[0]
        assert len(rows(connection)) == 4
        assert connection.execute("select count(*) as n from public.incoming_rows").fetchone()["n"] == 0


def test_a_batch_whose_length_is_not_told_is_refused(database):
    with database.service() as connection:
        answer = call(connection, "import_interactions", **send(connection, [item()]) | {"p_n_rows": None})
        assert (answer["status"], rows(connection)) == ("refused", [])


def test_a_batch_that_waits_for_its_turn_is_not_swept_away_meanwhile(database):
    """It was sent over more than a day; while it waits for another import, a decision log sweeps."""
    items = [item(f"spot-{number}") for number in range(3)]
    with database.service() as connection, database.owner() as owner:
        arguments = send(connection, items)
        abandoned = send(connection, items)
        owner.execute("update public.incoming_rows set sent_at = sent_at - interval '2 days'")

        def take_it_in():
            with database.service() as importer:
                return call(importer, "import_interactions", **arguments)

        with ThreadPoolExecutor(1) as pool:
            with connection.transaction():
                connection.execute("select pg_advisory_xact_lock(20261126, 1)")
                taking = pool.submit(take_it_in)
                wait_until_somebody_waits(owner)
                with database.service() as other:
                    call(other, "log_decisions", p_batch=uuid.uuid4(), p_n_rows=0, p_logged_at=START)
            report = taking.result()
        left = owner.execute("select batch from public.incoming_rows").fetchall()
    assert (report["status"], *counts(report)) == ("ok", 3, 3, 0, 0)
    assert left == [], f"{abandoned['p_batch']} was to be swept away"


def wait_until_somebody_waits(connection):
    deadline = time.monotonic() + 30
    while not connection.execute("select 1 from pg_locks where locktype = 'advisory' and not granted").fetchone():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_row_that_cannot_be_takes_the_whole_batch_back(database):
    with database.service() as connection:
        with pytest.raises(psycopg.errors.CheckViolation):
            take_in(connection, item(), {"reasons": [], "record": "", "position": 1}, item("spot-2", outcome_score=7))
        assert rows(connection) == []
        assert connection.execute("select * from public.quarantined_interactions").fetchall() == []


def test_broken_records_are_kept_once_with_what_was_wrong(database):
    broken = {"position": 7, "reasons": ["empty_id", "out_of_range"], "record": '{"agent_id": ""'}
    other = broken | {"record": "{", "position": 8}
    with database.service() as connection:
        assert counts(take_in(connection, broken, item(), other, broken)) == (1, 1, 0, 0)
        take_in(connection, broken | {"position": 9})
        found = connection.execute("select * from public.quarantined_interactions order by position").fetchall()

    assert [{name: row[name] for name in broken} for row in found] == [broken, other]
    assert {(row["source"], row["imported_at"]) for row in found} == {("a test", START)}


def test_the_same_sent_by_several_at_once_is_taken_in_once(database):
    late = {name: told(value) for name, value in outcome().items()}
    items = [item(f"spot-{number}", **late) for number in range(300)]

    def run(turn):
        with database.service() as connection:
            return counts(take_in(connection, *(reversed(items) if turn % 2 else items)))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(run, range(4)))
    assert sorted(found) == [(300, 0, 0, 0)] * 3 + [(300, 300, 0, 300)]
    with database.service() as connection:
        assert call(connection, "count_labels_after", p_label=0)["count_labels_after"] == 300
