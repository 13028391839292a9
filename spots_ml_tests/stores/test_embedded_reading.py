"""Bounded reads of the embedded store: through its indexes, page by page, and no row missing."""

import sqlite3

import pyarrow as pa
import pytest

from spots_ml.errors import InputError
from spots_ml.stores.embedded import interaction_sql, reading
from spots_ml_tests.stores.behind import file_of
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, read, take_in

LIMITS = {"rows": 1, "since": 0, "until": 1, "labels": 1}


@pytest.mark.parametrize(
    ("statement", "steps"),
    [
        (
            interaction_sql.NUMBERS_OF_PERIOD,
            ["SEARCH interactions USING COVERING INDEX interactions_by_moment (scored_at>? AND scored_at<?)"],
        ),
        (
            interaction_sql.NUMBERS_OF_AGENTS,
            ["SCAN asked", "SEARCH known USING COVERING INDEX interactions_by_agent (agent_id=?)"],
        ),
        (
            interaction_sql.NUMBERS_OF_AGENTS_IN_PERIOD,
            [
                "SCAN asked",
                "SEARCH known USING COVERING INDEX interactions_by_agent (agent_id=? AND scored_at>? AND scored_at<?)",
            ],
        ),
        (
            interaction_sql.READ_WANTED,
            [
                "SCAN wanted",
                "SEARCH known USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH told USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
                "CORRELATED SCALAR SUBQUERY 1",
                "SEARCH outcomes USING COVERING INDEX outcomes_by_interaction (row_sequence=? AND sequence<?)",
            ],
        ),
        (
            interaction_sql.FIRST_OF_KIND,
            ["SEARCH interactions USING COVERING INDEX interactions_by_kind (source_kind=?)"],
        ),
    ],
)
def test_what_is_asked_for_is_found_through_an_index(embedded, statement, steps):
    connection = sqlite3.connect(file_of(embedded))
    connection.execute(interaction_sql.ASKED)
    connection.execute(interaction_sql.WANTED)
    values = ("real",) if "?" in statement else LIMITS
    plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
    connection.close()

    assert [step[3] for step in plan] == steps


@pytest.mark.parametrize("bounds", [{}, {"since": interaction(2)["scored_at"]}, {"agents": ["agent 0", "agent 3"]}])
def test_the_size_of_pages_changes_nothing(embedded, monkeypatch, bounds):
    take_in(embedded, [interaction(number) for number in range(40)])
    whole = read(embedded, **bounds)
    monkeypatch.setattr(reading, "_PAGE_ROWS", 3)

    assert whole.num_rows >= 10
    assert read(embedded, **bounds).equals(whole)


@pytest.mark.parametrize("bounds", [{}, {"since": interaction(2)["scored_at"]}, {"agents": ["agent 3"]}])
def test_rows_that_vanish_between_opening_and_reading_are_missed(embedded, bounds):
    take_in(embedded, [interaction(number) for number in range(10)])
    stream = embedded.interactions.read_interactions(**bounds)
    connection = sqlite3.connect(file_of(embedded))
    connection.execute("DELETE FROM interactions WHERE opportunity_id = 'spot 3'")
    connection.commit()
    connection.close()

    with pytest.raises(InputError, match="rows vanished while they were read"):
        list(stream.batches)


def test_a_correction_between_two_pages_is_not_seen_under_the_watermark_of_before(embedded, monkeypatch):
    monkeypatch.setattr("spots_ml.stores.embedded.reading._PAGE_ROWS", 10)
    take_in(embedded, [interaction(number) for number in range(30)])
    before = read(embedded)
    batches = embedded.interactions.read_interactions().batches
    first = next(batches)
    later = {"outcome_score": 0.8, "outcome_at": NOW}
    take_in(embedded, [interaction(number, **later) for number in range(30)])

    assert pa.Table.from_batches([first, *batches]).equals(before)
    assert set(read(embedded)["outcome_score"].to_pylist()) == {0.8}


@pytest.mark.parametrize("statement", ["UPDATE outcomes SET outcome_score = 0", "DELETE FROM outcomes"])
def test_the_log_of_outcomes_only_grows(embedded, statement):
    take_in(embedded, [interaction(0)])
    with embedded.interactions._database.writing() as connection, pytest.raises(sqlite3.IntegrityError, match="append"):
        connection.execute(statement)
