"""What Supabase's own advisors say about the schema."""

import json
import os
import subprocess

QUIET = {"DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1"}


def findings(cli, url, folder, level="warn"):
    done = subprocess.run(
        [cli, "db", "advisors", f"--remote={url}?sslmode=disable", f"--level={level}", "--output-format=json"],
        cwd=folder,
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["results"]


def test_the_advisors_find_nothing(database, supabase_cli, tmp_path):
    assert findings(supabase_cli, database.url, tmp_path) == []


def test_what_they_remark_is_meant_so(database, supabase_cli, tmp_path):
    """No agent may touch most tables, so these need no policy; in a new database no index has been used."""
    remarks = {one["name"] for one in findings(supabase_cli, database.url, tmp_path, "info")}

    assert remarks <= {"unused_index", "rls_enabled_no_policy"}


def test_the_advisors_find_a_table_that_is_open_to_everybody(database, supabase_cli, tmp_path):
    with database.owner() as connection:
        connection.execute("create table public.open_to_all (id int); grant all on public.open_to_all to anon;")

    assert "open_to_all" in json.dumps(findings(supabase_cli, database.url, tmp_path))
