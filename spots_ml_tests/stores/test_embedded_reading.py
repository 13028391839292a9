"""Bounded reads of the embedded store: through its indexes, page by page, and no row missing."""

import sqlite3

import pytest

from spots_ml.errors import InputError
from spots_ml.stores.embedded import interaction_sql, reading
from spots_ml_tests.stores.behind import file_of
from spots_ml_tests.stores.keeping_interactions import interaction, read, take_in

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
        (interaction_sql.READ_WANTED, ["SCAN wanted", "SEARCH known USING INTEGER PRIMARY KEY (rowid=?)"]),
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
