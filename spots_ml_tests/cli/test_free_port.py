"""`make dev` says that its port is taken, instead of showing the page somewhere else."""

import os
import socket
import subprocess

import pytest
from click.testing import CliRunner

from spots_ml.cli.free_port import free_port_command
from spots_ml.settings import PROJECT_ROOT


@pytest.fixture
def taken():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_a_port_that_is_taken_is_told_with_what_to_do(taken):
    result = CliRunner().invoke(free_port_command, ["--log-level", "info", "-p", str(taken)])

    assert result.exit_code == 1
    assert f"port {taken} of 127.0.0.1 is taken by another process" in result.stderr
    assert "make dev DEV_OPTIONS='-p " in result.stderr


def test_a_free_port_is_left_free(taken):
    assert CliRunner().invoke(free_port_command, ["--port", "0", "--dagit"]).exit_code == 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("relative/home", f"{PROJECT_ROOT}/relative/home"),
        ("/absolute", "/absolute"),
        ("", f"{PROJECT_ROOT}/dagster_home"),
    ],
)
def test_make_hands_on_an_absolute_dagster_home(tmp_path, given, expected):
    (tmp_path / "show.mk").write_text("show:\n\t@echo $$DAGSTER_HOME\n")
    done = subprocess.run(
        ["make", "-s", "-f", "Makefile", "-f", tmp_path / "show.mk", "show"],
        cwd=PROJECT_ROOT,
        env=os.environ | {"DAGSTER_HOME": given},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == expected
