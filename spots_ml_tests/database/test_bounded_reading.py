"""A day and some agents are found through an index, in a table of many rows."""

import pytest

TABLE = "calling_score_training_data"
ROWS = 20_000
DAY = "scored_at >= '2026-03-01T00:00:00+00:00' and scored_at < '2026-03-02T00:00:00+00:00'"


@pytest.fixture(scope="module")
def filled(server):
    """A migrated database with interactions of a year, hardly any of them on one day."""
    from spots_ml_tests.database.roles import Database
    from spots_ml_tests.places import MIGRATED

    server.create_database("bounded", template=MIGRATED)
    database = Database(server, "bounded")
    with database.owner() as owner:
        owner.execute(
            f"""
            insert into public.{TABLE} (agent_id, opportunity_id, user_vibe_dimensions, spot_vibe_dimensions,
                formula_calling_score, formula_is_called, "timestamp")
            select 'agent ' || number % 500, 'spot ' || number, '{{}}', '{{}}', 0.5, false,
                timestamptz '2026-01-01 00:00:00+00' + number * interval '30 minutes'
            from generate_series(1, {ROWS}) as number
            """
        )
        owner.execute("select public.label_watermark()")
        owner.execute(f"analyze public.{TABLE}, public.training_arrivals")
    yield database
    server.drop_database("bounded")


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        (DAY, "training_by_moment"),
        ("agent_id in ('agent 1', 'agent 2')", "training_by_agent"),
        (f"agent_id in ('agent 1', 'agent 2') and {DAY}", "training_by_agent"),
    ],
)
@pytest.mark.parametrize("page", ["", "order by row_sequence limit 1000"])
def test_what_is_asked_for_is_found_through_an_index(filled, condition, index, page):
    with filled.service() as service:
        service.execute("set random_page_cost = 1.1")  # as Supabase sets it
        plan = service.execute(
            f"explain select * from public.interactions where row_sequence <= {ROWS} and {condition} {page}"
        ).fetchall()
    told = "\n".join(next(iter(line.values())) for line in plan)

    assert f"{index} " in told or f"on {index}" in told, told
    assert "Seq Scan" not in told, told
