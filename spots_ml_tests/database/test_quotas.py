"""How much one agent may write in a day, and that no agent waits for another's count."""

import psycopg
import pytest

from spots_ml_tests.database.roles import AGENT_A, AGENT_B, ab_outcome, insert, interaction

TABLE = "calling_score_training_data"
AB_TEST = "calling_score_ab_test_outcomes"
MANY = (
    f"insert into public.{TABLE} (agent_id, opportunity_id, user_vibe_dimensions, spot_vibe_dimensions,"
    ' formula_calling_score, formula_is_called, "timestamp")'
    " select %s, 'spot-' || n, '{}', '{}', 0.5, false, '2026-11-21 10:00+00' from"
    " generate_series(%s::int, %s::int) as n"
)


@pytest.fixture
def limited(database):
    with database.service() as connection:
        connection.execute("update public.quotas set rows_added_per_day = 3, rows_changed_per_day = 2")
    return database


def refused():
    return pytest.raises(psycopg.Error, match="at most")


@pytest.mark.parametrize(
    ("table", "row"), [(TABLE, interaction), (AB_TEST, ab_outcome)], ids=["training", "comparison"]
)
def test_an_agent_adds_no_more_rows_in_a_day_and_is_told_so(limited, table, row):
    with limited.acting("authenticated", AGENT_A) as connection:
        for number in range(3):
            insert(connection, table, **row(AGENT_A, at=number))
        with refused() as caught:
            insert(connection, table, **row(AGENT_A, at=3))
        assert caught.value.sqlstate == "PT429"
        assert "added 4 rows of" in str(caught.value) and "00:00 UTC" in caught.value.diag.message_hint
        assert connection.execute(f"select from public.{table}").rowcount == 3
    with limited.acting("authenticated", AGENT_B) as connection:
        insert(connection, table, **row(AGENT_B, at=3))


def test_a_statement_of_many_rows_counts_them_all(limited):
    with limited.acting("authenticated", AGENT_A) as connection:
        with refused():
            connection.execute(MANY, (AGENT_A, 1, 4))
        connection.execute(MANY, (AGENT_A, 1, 3))
        assert connection.execute(f"{MANY} on conflict do nothing", (AGENT_A, 1, 3)).rowcount == 0


def test_changes_are_counted_too(limited):
    change = f"update public.{TABLE} set outcome_type = 'positive', outcome_score = 0.9 where opportunity_id = %s"
    with limited.acting("authenticated", AGENT_A) as connection:
        connection.execute(MANY, (AGENT_A, 1, 3))
        for number in (1, 2):
            connection.execute(change, (f"spot-{number}",))
        with refused() as caught:
            connection.execute(change, ("spot-3",))
    assert "changed 3 rows" in str(caught.value)


def test_the_next_day_is_another_one_and_one_row_of_counts_stays(limited):
    with limited.acting("authenticated", AGENT_A) as connection:
        connection.execute(MANY, (AGENT_A, 1, 3))
        with limited.owner() as owner:
            owner.execute("update private.written_rows set day = day - 1, n_changed = 2")
        connection.execute(MANY, (AGENT_A, 4, 6))
        with refused():
            connection.execute(MANY, (AGENT_A, 7, 7))
    with limited.owner() as owner:
        counts = owner.execute("select n_added, n_changed from private.written_rows").fetchall()
    assert counts == [{"n_added": 3, "n_changed": 0}]


def test_imports_are_not_counted(limited):
    with limited.service() as connection:
        connection.execute(MANY, (AGENT_A, 1, 9))
    with limited.owner() as owner:
        assert owner.execute("select from private.written_rows").rowcount == 0


@pytest.mark.parametrize(
    "statement",
    [
        "select * from public.quotas",
        "update public.quotas set rows_added_per_day = 1000000",
        "update private.written_rows set n_added = 0",
    ],
)
def test_an_agent_cannot_change_its_quota(shared, statement):
    with shared.acting("authenticated", AGENT_A) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_there_is_one_row_of_quotas_and_it_bounds_something(shared):
    with shared.service() as connection:
        (row,) = connection.execute("select * from public.quotas").fetchall()
        assert 0 < row["rows_added_per_day"] <= row["rows_changed_per_day"] < 10_000
        for statement in (
            "update public.quotas set rows_added_per_day = null",
            "update public.quotas set rows_added_per_day = 0",
        ):
            with pytest.raises((psycopg.errors.NotNullViolation, psycopg.errors.CheckViolation)):
                connection.execute(statement)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from public.quotas")


def test_no_agent_waits_for_the_count_of_another(database):
    """Each count is a row of its own: it holds up other requests of the same agent, and of nobody else."""
    with database.owner() as owner:
        owner.execute(f"drop trigger if exists a_take_turns on public.{TABLE}")
    agents = [database.acting("authenticated", agent) for agent in (AGENT_A, AGENT_A, AGENT_B)]
    with agents[0] as slow, agents[1] as same, agents[2] as other:
        for connection in (same, other):
            connection.execute("set lock_timeout = '300ms'")
        with slow.transaction():
            insert(slow, TABLE, **interaction(AGENT_A))
            insert(other, TABLE, **interaction(AGENT_B))
            with pytest.raises(psycopg.errors.LockNotAvailable):
                insert(same, TABLE, **interaction(AGENT_A, at=1))
