"""The API in front of Postgres: what is said when it cannot start. That it works is shown in `test_stack`."""

import pytest

from spots_ml.local_supabase.api import api_running
from spots_ml.local_supabase.errors import LocalStackError
from spots_ml.local_supabase.keys import Keys
from spots_ml.local_supabase.ports import free_port

NOWHERE = "postgresql://supabase_admin@127.0.0.1:1/project"


def test_missing_packages_are_said_with_the_command_that_installs_them(tmp_path):
    with (
        pytest.raises(LocalStackError, match=r"index.js is missing; `make .node-supabase/.ready` installs it"),
        api_running(NOWHERE, tmp_path, tmp_path / ".node-supabase", keys=Keys.new(), port=free_port()),
    ):
        pass


def test_a_start_that_fails_tells_the_log_without_the_keys(tmp_path):
    keys = Keys.new()

    with (
        pytest.raises(LocalStackError, match=r"the local API did not start: (.|\n)*ECONNREFUSED") as failure,
        api_running(NOWHERE, tmp_path, keys=keys, port=free_port()),
    ):
        pass

    assert keys.hidden_in(str(failure.value)) == str(failure.value)
