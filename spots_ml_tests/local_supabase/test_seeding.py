"""The first rows of a local project."""

from datetime import UTC, datetime, timedelta

import psycopg

from spots_ml.local_supabase.seeding import seed_project


def test_the_first_rows_reach_up_to_the_present_and_come_once(project):
    now = datetime.now(UTC)
    report = seed_project(project, 2_000, now=now)
    with psycopg.connect(project.owner_dsn) as connection:
        (newest,) = connection.execute("select max(outcome_timestamp) from calling_score_training_data").fetchone()

    assert report.n_new == 2_000
    assert now - timedelta(days=4) < newest <= now
    assert seed_project(project, 10, now=now) is None
