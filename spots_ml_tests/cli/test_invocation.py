"""A command that is proposed can be pasted, wherever one stands."""

import os
import sys
from pathlib import Path

from spots_ml.cli.invocation import invoked_as

BIN = Path(sys.executable).parent


def test_the_name_alone_where_the_shell_finds_this_very_program(monkeypatch):
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    assert invoked_as() == "spots-ml"


def test_the_way_to_it_from_here_where_the_shell_finds_none_or_another(monkeypatch, tmp_path):
    other = tmp_path / "spots-ml"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.chdir(BIN.parent.parent)
    for path in ("/usr/bin:/bin", str(tmp_path)):
        monkeypatch.setenv("PATH", path)
        assert invoked_as() == f"{BIN.parent.name}/bin/spots-ml"


def test_the_whole_path_from_elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert invoked_as() == str(BIN / "spots-ml")
