"""Measures how many rows a second agents can write at once, with and without the turns that their table once took.

    python benchmarks/app_writes.py [--clients 16] [--seconds 10]

Each client is an agent with a connection of its own that inserts one row and then adds its outcome, every statement a
transaction that waits until it is on the disk. Prints one JSON line per way.
"""

import argparse
import json
import os
import platform
import shutil
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from psycopg.types.json import Jsonb

from spots_ml.features.contract import CONTEXT_FEATURES, TIMING_FEATURES, VIBE_DIMENSIONS
from spots_ml.local_supabase.postgres import ADMIN
from spots_ml.local_supabase.stack import project_running

TABLE = "public.calling_score_training_data"
INSERT = f"""
insert into {TABLE} (
    id, agent_id, opportunity_id, "timestamp", user_vibe_dimensions, spot_vibe_dimensions, context_features,
    timing_features, formula_calling_score, formula_is_called
)
values (%s, %s, 'spot', timestamptz '2026-11-01' + %s * interval '1 s', %s, %s, %s, %s, 0.75, true)
"""  # noqa: S608 - a name of this module
LABEL = f"update {TABLE} set outcome_type = 'positive', outcome_score = 0.9, outcome_timestamp = now() where id = %s"  # noqa: S608 - a name of this module
TURNS = (
    f"create trigger a_turns before insert or update on {TABLE} "
    "for each statement execute function private.take_turns()"
)
VIBES = Jsonb(dict.fromkeys(VIBE_DIMENSIONS, 0.5))
CONTEXT = Jsonb(dict.fromkeys(CONTEXT_FEATURES, 0.5))
TIMING = Jsonb(dict.fromkeys(TIMING_FEATURES, 0.5))


def main():
    """Write both ways, one after the other, in one project."""
    options = argparse.ArgumentParser()
    options.add_argument("--clients", type=int, default=16)
    options.add_argument("--seconds", type=float, default=10.0)
    arguments = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="spots_ml_bench_"))
    folder.chmod(0o755)  # Postgres may run as another user.
    # A project that is kept waits for its disk, as a hosted one does.
    with project_running(folder=folder) as project:
        with project.server.connect(project.database, ADMIN, autocommit=True) as admin:
            flushed = admin.execute("select current_setting('fsync')").fetchone()[0]
        for way in ("a queue", "turns"):
            if way == "turns":
                with project.server.connect(project.database, ADMIN, autocommit=True) as admin:
                    admin.execute(TURNS)
            n_rows, seconds = written(project, arguments)
            result = {
                "benchmark": f"app_writes/{way}",
                "rows_per_s": round(n_rows / seconds, 1),
                "n_rows": n_rows,
                "n_clients": arguments.clients,
                "fsync": flushed,
                "method": "one insert and one update a row, each a transaction; straight to Postgres on this machine",
                "python": platform.python_version(),
                "machine": platform.machine(),
                "cpus": os.cpu_count(),
            }
            print(json.dumps(result), flush=True)
    shutil.rmtree(folder)


def written(project, arguments):
    """Let all clients write for a while; tell how many rows, and in how many seconds."""
    stop, start = threading.Event(), threading.Barrier(arguments.clients + 1)

    def write():
        agent, n_rows = str(uuid.uuid4()), 0
        with project.server.connect(project.database, ADMIN, autocommit=True) as connection:
            for name in ("request.jwt.claim", "request.jwt.claims"):
                connection.execute("select set_config(%s, %s, false)", (name, json.dumps({"sub": agent})))
            connection.execute("select set_config('request.jwt.claim.sub', %s, false)", (agent,))
            connection.execute("set role authenticated")
            start.wait()
            while not stop.is_set():
                row = uuid.uuid4()
                connection.execute(INSERT, (row, agent, n_rows, VIBES, VIBES, CONTEXT, TIMING))
                connection.execute(LABEL, (row,))
                n_rows += 1
        return n_rows

    with ThreadPoolExecutor(arguments.clients) as pool:
        writers = [pool.submit(write) for _ in range(arguments.clients)]
        start.wait()
        began = time.perf_counter()
        time.sleep(arguments.seconds)
        stop.set()
        n_rows = sum(writer.result() for writer in writers)
        return n_rows, time.perf_counter() - began


if __name__ == "__main__":
    main()
