"""`spots-ml local-supabase`: a command on a project of this machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from spots_ml.local_supabase.ports import free_port

SHOW_SETTINGS = """
import json, sys
from spots_ml.opening import open_store
from spots_ml.settings import Settings
settings = Settings.from_env()
labels = open_store(settings).interactions.count_labels_after(None)
print(json.dumps([settings.store, settings.supabase_url, settings.supabase_dsn, labels]))
sys.exit(3)
"""


@pytest.fixture
def data_dir():
    """A folder that other users may enter: Postgres is one of them when root runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="spots_ml_test_"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def command(data_dir):
    """Start the command with free ports; two are told."""
    ports = free_port(), free_port()
    told = ["--api-port", str(ports[0]), "--database-port", str(ports[1])]

    def start(*arguments, **options):
        named = {name: "" for name in os.environ if name.startswith("SPOTS_ML_SUPABASE_")}
        env = {**os.environ, **named, "SPOTS_ML_DATA_DIR": str(data_dir), "SPOTS_ML_STORE": "supabase"}
        env |= options.pop("variables", {})
        return subprocess.Popen(
            [sys.executable, "-m", "spots_ml.cli", "local-supabase", *told, *arguments],
            **{"env": env, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options,
        )

    return start, ports


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_command_finds_the_project_as_its_store_and_the_rows_of_the_first_start_stay(command, data_dir):
    start, (api_port, database_port) = command
    shown = [
        "supabase",
        f"http://127.0.0.1:{api_port}",
        f"postgresql://spots_ml_reader@127.0.0.1:{database_port}/project",
    ]
    for rows, said in (("120", "It was empty: 120 generated interactions were taken in"), ("500", "")):
        with start("--rows", rows, "--", sys.executable, "-c", SHOW_SETTINGS) as process:
            output, told = process.communicate(timeout=120)

        assert process.returncode == 3, told
        assert json.loads(output) == [*shown, 120]
        assert said in told
        assert ("It was empty" in told) == bool(said)
        assert f"its rows stay in {data_dir / 'local_supabase'}" in told


def test_who_has_named_another_project_is_told_how_to_reach_this_one(command, data_dir):
    start, _ = command
    told = {}
    for url in ("", "https://project.supabase.co"):
        with start("--rows", "0", "--", "true", variables={"SPOTS_ML_SUPABASE_URL": url}) as process:
            _, told[url] = process.communicate(timeout=120)
        assert process.returncode == 0, told[url]

    assert "In another terminal:  SPOTS_ML_STORE=supabase make run\n" in told[""]
    assert "SPOTS_ML_SUPABASE_URL names another project" in told["https://project.supabase.co"]
    place = data_dir / "local_supabase" / "env"
    typed = f"env $(cat {place}) SPOTS_ML_STORE=supabase make run"
    assert f"In another terminal:  {typed}\n" in told["https://project.supabase.co"]


def test_ctrl_c_ends_the_command_and_then_the_project(command, data_dir):
    start, _ = command
    with start("--rows", "0", "--", "sh", "-c", "echo started; exec sleep 60", start_new_session=True) as process:
        assert process.stdout.readline() == "started\n"
        assert (data_dir / "local_supabase" / "env").exists()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)

    assert process.returncode == 0, told
    assert told.rstrip().endswith(
        f"The local Supabase project has stopped; its rows stay in {data_dir / 'local_supabase'}"
    )
    assert not (data_dir / "local_supabase" / "env").exists()


def test_a_kill_ends_everything_and_the_next_start_goes_on(command, data_dir):
    start, _ = command
    with start("--rows", "0", "--", "sh", "-c", f"echo $$ > {data_dir}/pid; echo started; exec sleep 60") as process:
        process.stdout.readline()
        process.kill()
    pid = int((data_dir / "pid").read_text())
    deadline = time.monotonic() + 30
    while is_running(pid) or (data_dir / "local_supabase" / "env").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)

    with start("--rows", "0", "--", "true") as process:
        _, told = process.communicate(timeout=120)

    assert process.returncode == 0, told
