"""Interactions and labels: what is refused, what is kept, and the count of labels that arrived after a point."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from spots_ml_tests.database.roles import AGENT_A, AGENT_B, ab_outcome, call, hours, insert, interaction, outcome

TABLE = "calling_score_training_data"
CALLING = "where agent_id = %s and opportunity_id = %s"


def label(connection, opportunity, agent=AGENT_A, **values):
    changes = values or outcome()
    settings = ", ".join(f"{name} = %s" for name in changes)
    return connection.execute(
        f"update public.{TABLE} set {settings} {CALLING}", [*changes.values(), agent, opportunity]
    ).rowcount


def watermark(connection):
    row = call(connection, "label_watermark")
    return row["labels"], row["rows"]


def count_after(connection, number):
    return call(connection, "count_labels_after", p_label=number)["count_labels_after"]


def row_of(connection, opportunity="spot-1", agent=AGENT_A):
    return connection.execute(f"select * from public.{TABLE} {CALLING}", (agent, opportunity)).fetchone()


def numbers_of(connection, opportunity="spot-1"):
    """The numbers of a row and of its first outcome, given to all that has arrived."""
    watermark(connection)
    row = connection.execute(
        "select row_sequence, label_sequence from public.interactions where opportunity_id = %s", (opportunity,)
    ).fetchone()
    return tuple(row.values())


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"formula_calling_score": 1.01}, "training_scores_in_range"),
        ({"formula_calling_score": float("nan")}, "training_scores_in_range"),
        ({"outcome_score": -0.1}, "training_scores_in_range"),
        ({"weight": 2}, "training_scores_in_range"),
        ({"neural_score": float("inf")}, "training_scores_in_range"),
        ({"propensity": 0}, "training_propensity_in_range"),
        ({"outcome_type": "splendid"}, "training_outcome_type"),
        ({"arm": "formula"}, "training_arm"),
        ({"agent_id": ""}, "training_agent_is_known"),
        ({"context_features": [1, 2]}, "training_features_are_objects"),
        ({"timestamp": "infinity"}, "training_times_have_four_digit_years"),
        ({"outcome_timestamp": "10000-01-01 00:00:00+00"}, "training_times_have_four_digit_years"),
        ({"source_kind": "invented"}, "training_source_kind"),
    ],
)
def test_an_interaction_that_cannot_be_is_refused(shared, changes, constraint):
    with shared.service() as connection, pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        insert(connection, TABLE, **interaction(**changes))


@pytest.mark.parametrize("name", ["user_vibe_dimensions", "spot_vibe_dimensions", "source_kind"])
def test_what_must_be_known_is(shared, name):
    with shared.service() as connection, pytest.raises(psycopg.errors.NotNullViolation):
        insert(connection, TABLE, **interaction(**{name: None}))


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in ("agent_id", "opportunity_id", "timestamp", "formula_calling_score")),
        {"formula_is_called": None},
        {"source_kind": "synthetic"},
    ],
    ids=str,
)
def test_only_an_import_may_leave_that_open(database, changes):
    with database.acting("authenticated", AGENT_A) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            insert(connection, TABLE, **interaction(AGENT_A, **changes))
        insert(connection, TABLE, **interaction(AGENT_A, identity=AGENT_B))
    with database.service() as connection:
        insert(connection, TABLE, **interaction(AGENT_A, "another", **changes))
        with pytest.raises(psycopg.errors.UniqueViolation):
            insert(connection, TABLE, **interaction(AGENT_A, identity=AGENT_A))


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"test_group": "formula"}, "ab_test_group"),
        ({"calling_score": 1.5}, "ab_scores_in_range"),
        ({"outcome_type": "good"}, "ab_outcome_type"),
        ({"propensity": 1.5}, "ab_propensity_in_range"),
    ],
)
def test_a_comparison_that_cannot_be_is_refused(shared, changes, constraint):
    with shared.service() as connection, pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        insert(connection, "calling_score_ab_test_outcomes", **ab_outcome(**changes))


@pytest.mark.parametrize(
    ("table", "row"), [(TABLE, interaction), ("calling_score_ab_test_outcomes", ab_outcome)], ids=["training", "ab"]
)
def test_a_row_that_is_sent_again_is_kept_once(database, table, row):
    with database.service() as connection:
        insert(connection, table, **row())
        with pytest.raises(psycopg.errors.UniqueViolation):
            insert(connection, table, **row())
        insert(connection, table, **row(at=1))


def test_what_proof_needs_later_is_kept(database):
    proof = {
        "model_version": "v1.3-real",
        "outcome_model_version": "v1.1-real",
        "arm": "hybrid",
        "propensity": 0.95,
        "weight": 0.1,
        "neural_score": 0.1 + 0.2,
        "calling_score": 0.6,
        "is_called": False,
        "fallback": "outcome: slow",
    }
    with database.service() as connection:
        insert(connection, TABLE, **interaction(**proof))
        row = row_of(connection)
    assert {name: row[name] for name in proof} == proof


def test_a_label_gets_its_number_once_and_no_writer_gives_one(database):
    with database.service() as connection:
        insert(connection, TABLE, **interaction())
        assert numbers_of(connection) == (1, None)

        label(connection, "spot-1", outcome_type="neutral")
        assert numbers_of(connection) == (1, None)
        label(connection, "spot-1", outcome_score=0.5)
        assert numbers_of(connection) == (1, 1)

        label(connection, "spot-1", **outcome(0.2, "negative"))
        assert (numbers_of(connection), watermark(connection)) == ((1, 1), (2, 1))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("update public.training_arrivals set label_sequence = 5")


def test_what_is_known_is_not_forgotten(database):
    with database.service() as connection:
        insert(connection, TABLE, **interaction() | outcome(0.8))
        label(connection, "spot-1", outcome_type=None, outcome_score=None, outcome_timestamp=None)
        row = row_of(connection)
    assert {name: row[name] for name in outcome()} == outcome(0.8)


def test_an_interaction_stays_the_one_it_is(database):
    with database.service() as connection:
        insert(connection, TABLE, **interaction())
        for change in ({"agent_id": AGENT_B}, {"opportunity_id": "spot-2"}, {"timestamp": hours(3)}):
            with pytest.raises(psycopg.errors.RestrictViolation, match="never change"):
                connection.execute(f'update public.{TABLE} set "{next(iter(change))}" = %s', list(change.values()))


def test_labels_are_counted_after_a_point_by_arrival_not_by_their_clocks(database):
    with database.service() as connection:
        assert watermark(connection) == (0, 0)
        for number in range(5):
            insert(connection, TABLE, **interaction(opportunity=f"spot-{number}", at=number))
        label(connection, "spot-3")
        label(connection, "spot-0")
        labels, rows = watermark(connection)
        assert (labels, rows) == (2, 5)

        label(connection, "spot-4", **outcome(at=-1000))
        label(connection, "spot-0", **outcome(0.1, "negative"))
        insert(connection, TABLE, **interaction(opportunity="spot-9") | outcome())

        assert count_after(connection, labels) == 2
        assert count_after(connection, 0) == 4
        assert watermark(connection) == (5, 6)


def test_labels_and_rows_that_were_taken_back_are_not_counted(database):
    with database.service() as connection:
        with pytest.raises(ZeroDivisionError), connection.transaction():
            insert(connection, TABLE, **interaction() | outcome())
            raise ZeroDivisionError
        assert watermark(connection) == (0, 0)
        insert(connection, TABLE, **interaction() | outcome())
        assert count_after(connection, 0) == 1


def test_a_point_of_arrival_is_not_taken_back_when_rows_are_deleted(database):
    with database.service() as connection:
        for number in range(4):
            insert(connection, TABLE, **interaction(opportunity=f"spot-{number}") | (outcome() if number else {}))
        reached = watermark(connection)
        for names in (["spot-2", "spot-3"], ["spot-0"], []):
            connection.execute(f"delete from public.{TABLE} where opportunity_id = any(%s)", (names,))
            assert watermark(connection) == reached == (3, 4)
        insert(connection, TABLE, **interaction(at=1) | outcome())
        assert watermark(connection) == (4, 5)
        assert count_after(connection, 0) == 2


def test_nobody_who_reads_up_to_a_watermark_misses_what_is_below_it(database):
    """Writers, some of whom give up, and readers that follow the watermarks: each sees every number once, in order."""
    writers, each = 8, 40
    done = threading.Event()

    def write(writer):
        with database.service() as connection:
            for number in range(each):
                name = f"spot-{writer}-{number}"
                with contextlib.suppress(GivenUpError), connection.transaction():
                    insert(connection, TABLE, **interaction(opportunity=name) | (outcome() if number % 2 else {}))
                    connection.execute("select pg_sleep(%s)", (0.002 * (writer % 3),))
                    if number % 10 == 9:
                        raise GivenUpError
                if number % 2 == 0:
                    label(connection, name)

    def follow(column):
        """Take what lies behind the last watermark and up to the present one."""
        seen, known = [], 0
        with database.service() as connection:
            while True:
                last_round = done.is_set()
                reached = watermark(connection)[column == "row_sequence"]
                rows = connection.execute(
                    f"select {column} as number from public.training_arrivals"
                    f" where {column} > %s and {column} <= %s order by {column}",
                    (known, reached),
                ).fetchall()
                seen, known = [*seen, *(row["number"] for row in rows)], reached
                if last_round:
                    return seen

    with ThreadPoolExecutor(writers + 2) as pool:
        readers = [pool.submit(follow, column) for column in ("label_sequence", "row_sequence")]
        futures = [pool.submit(write, writer) for writer in range(writers)]
        try:
            for future in futures:
                future.result()
        finally:
            done.set()
        followed = [reader.result() for reader in readers]

    n_kept = writers * (each - each // 10)
    assert [seen == sorted(set(seen)) for seen in followed] == [True, True]
    assert [len(seen) for seen in followed] == [n_kept, n_kept]
    with database.service() as connection:
        assert (count_after(connection, 0), watermark(connection)) == (n_kept, (n_kept, n_kept))


class GivenUpError(Exception):
    """A writer changes its mind before it commits."""


def test_a_writer_that_does_not_commit_holds_up_nobody_and_is_numbered_when_it_has(database):
    with database.service() as slow, database.service() as other:
        other.execute("set lock_timeout = '5s'")
        insert(other, TABLE, **interaction(opportunity="known"))
        with slow.transaction():
            insert(slow, TABLE, **interaction(opportunity="early") | outcome())
            label(slow, "known")
            insert(other, TABLE, **interaction(opportunity="late") | outcome())
            assert watermark(other) == (1, 2)
            assert [numbers_of(other, name) for name in ("known", "late")] == [(1, None), (2, 1)]
            assert count_after(other, 0) == 1
        assert watermark(other) == (3, 3)
        assert [numbers_of(other, name) for name in ("known", "early")] == [(1, 3), (3, 2)]


def test_who_deletes_what_is_being_numbered_leaves_no_number_behind(database):
    with database.service() as deleting, database.service() as other:
        other.execute("set lock_timeout = '5s'")
        for name in ("kept", "gone"):
            insert(other, TABLE, **interaction(opportunity=name) | outcome())
        with deleting.transaction():
            deleting.execute(f"delete from public.{TABLE} where opportunity_id = 'gone'")
            assert watermark(other) == (1, 1)
        assert (watermark(other), count_after(other, 0)) == ((1, 1), 1)


def test_what_waits_is_numbered_in_steps_in_its_order_and_waits_where_an_earlier_part_is_held(database):
    """However small the steps: an interaction whose first entry is held keeps its later ones back, nobody else's."""
    with database.owner() as owner, database.owner() as holding, database.service() as service:
        for name in ("a", "held", "b"):
            insert(service, TABLE, **interaction(opportunity=name) | outcome(at=1))
        for name in ("held", "b", "a"):
            label(service, name, **outcome(0.1, "negative", at=2))
        with holding.transaction():
            holding.execute("select from private.arriving where place = 2 for update")
            while owner.execute("select private.number_oldest(2) as n").fetchone()["n"]:
                pass
            assert [numbers_of(service, name) for name in ("a", "b")] == [(1, 1), (2, 2)]
            assert watermark(service) == (4, 2)
        assert watermark(service) == (6, 3)
        entries = owner.execute(
            "select opportunity_id, entry.outcome_score from public.training_outcomes as entry"
            f" join public.{TABLE} as data on data.id = entry.id order by sequence"
        ).fetchall()
    assert [tuple(entry.values()) for entry in entries[:4]] == [("a", 0.8), ("b", 0.8), ("b", 0.1), ("a", 0.1)]
    assert [tuple(entry.values()) for entry in entries[4:]] == [("held", 0.8), ("held", 0.1)]


def test_no_function_compares_all_with_all(shared):
    """NOT IN a query does as soon as that outgrows work_mem: from some 200,000 rows on it does not end."""
    with shared.owner() as connection:
        found = connection.execute(
            "select proname from pg_proc where pronamespace in ('public'::regnamespace, 'private'::regnamespace)"
            " and prosrc ~* 'not\\s+in\\s*\\(\\s*select'"
        ).fetchall()
    assert not found


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ({}, outcome(0.9, at=1)),
        (outcome(0.9, at=1), outcome(0.1, "negative", at=2)),
        (outcome(0.1, "negative", at=1), outcome(0.9, at=2)),
        (outcome(0.1, "negative", at=2), outcome(0.9, at=1)),
    ],
    ids=["unlabelled then labelled", "positive then negative", "negative then positive", "the later one first"],
)
def test_an_agents_outcomes_are_entries_of_which_the_later_fact_stands(database, first, last):
    later = max((told for told in (first, last) if told), key=lambda told: told["outcome_timestamp"])
    with database.acting("authenticated", AGENT_A) as agent, database.service() as service:
        insert(agent, TABLE, **interaction(AGENT_A) | first)
        then = watermark(service)[0]
        label(agent, "spot-1", **last)
        known = row_of(service)
        corrections = call(service, "count_corrections_after", p_label=then)["count_corrections_after"]

        assert {name: known[name] for name in later} == later
        assert known["first_outcome_timestamp"] == min(told["outcome_timestamp"] for told in (first, last) if told)
        assert count_after(service, then) == (not first)
        assert corrections == (1 if first and later == last else 0)
        assert watermark(service)[0] == then + 1


def test_agents_see_no_number_of_arrival(database):
    with database.acting("authenticated", AGENT_A) as connection:
        insert(connection, TABLE, **interaction(AGENT_A))
        seen = connection.execute(f"select * from public.{TABLE}").fetchone()
        for table in (
            "public.training_arrivals",
            "public.training_outcomes",
            "private.arriving",
            "public.interactions",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select * from {table}")
    assert not [name for name in seen if "sequence" in name]


def test_the_log_of_outcomes_only_grows(database):
    with database.owner() as connection:
        insert(connection, TABLE, **interaction() | outcome())
        call(connection, "label_watermark")
        for statement in (
            "update public.training_outcomes set outcome_score = 0",
            "delete from public.training_outcomes",
        ):
            with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
                connection.execute(statement)


def test_the_count_of_many_labels_comes_from_the_index(database):
    with database.owner() as connection:
        connection.execute(
            f"insert into public.{TABLE} (agent_id, opportunity_id, user_vibe_dimensions, spot_vibe_dimensions,"
            ' formula_calling_score, formula_is_called, "timestamp", outcome_type, outcome_score)'
            " select 'agent-' || n % 100, 'spot-' || n, '{}', '{}', 0.5, false, now(),"
            " case when n % 2 = 0 then 'positive' end, 0.8 from generate_series(1, 50000) as n"
        )
        call(connection, "label_watermark")
        connection.execute("vacuum analyze public.training_arrivals")
    with database.service() as connection:
        plan = connection.execute(
            "explain (format json) select count(*) from public.training_arrivals where label_sequence > 24000"
        ).fetchone()["QUERY PLAN"][0]["Plan"]
        assert count_after(connection, 24_000) == 1000
        assert watermark(connection) == (25_000, 50_000)

    assert plan["Plans"][0]["Node Type"] == "Index Only Scan"
    assert plan["Plans"][0]["Index Name"] == "labels_by_arrival"


def test_an_empty_queue_is_not_looked_through_for_what_was_numbered_before(database):
    with database.owner() as connection:
        connection.execute(
            f"insert into public.{TABLE} (agent_id, opportunity_id, user_vibe_dimensions, spot_vibe_dimensions,"
            ' formula_calling_score, formula_is_called, "timestamp")'
            " select 'agent-' || n, 'spot-' || n, '{}', '{}', 0.5, false, now() from generate_series(1, 2000) as n"
        )
        call(connection, "label_watermark")
    with database.owner() as connection, connection.transaction():
        call(connection, "label_watermark")
        scans = connection.execute(
            "select seq_scan, idx_scan from pg_stat_xact_user_tables where relid = 'private.arriving'::regclass"
        ).fetchone()
    assert scans["seq_scan"] == 0
    assert scans["idx_scan"] > 0


@pytest.mark.parametrize(
    "name", ["label_watermark", "reached_watermark", "count_labels_after", "count_corrections_after"]
)
def test_what_is_asked_at_every_tick_is_not_compiled(shared, name):
    with shared.owner() as connection:
        told = connection.execute(
            "select proconfig from pg_proc where pronamespace = 'public'::regnamespace and proname = %s", (name,)
        ).fetchone()
    assert "jit=off" in told["proconfig"]


@pytest.mark.parametrize(
    "call_of",
    ["count_labels_after(9900)", "count_labels_after(0)", "count_corrections_after(9900)", "interaction_kinds(10)"],
)
def test_counting_goes_through_the_index_also_where_labels_came_in_another_order_than_rows(database, call_of):
    with database.owner() as connection:
        connection.execute(
            "insert into public.training_arrivals (row_sequence, id, source_kind, label_sequence, outcome_sequence,"
            " corrected_sequence) select n, gen_random_uuid(), 'real', n * 7919 % 10007, n * 7919 % 10007 + n % 2,"
            " case when n % 2 = 1 then n * 7919 % 10007 + 1 end from generate_series(1, 10000) as n"
        )
        connection.execute("analyze public.training_arrivals")
    with database.service() as connection, connection.transaction():
        connection.execute(f"select public.{call_of}")
        scans = connection.execute(
            "select seq_scan, idx_scan from pg_stat_xact_user_tables where relname = 'training_arrivals'"
        ).fetchone()
    assert scans["seq_scan"] == 0
    assert scans["idx_scan"] > 0
