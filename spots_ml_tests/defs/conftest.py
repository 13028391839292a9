"""Real Dagster instances with stores of their own."""

import dagster as dg
import pytest

from spots_ml.settings import Settings
from spots_ml_tests.defs.building import Clock, World

RETRIES = {"run_retries": {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}}
"""As in the project's own dagster.yaml."""


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data", artifacts_dir=tmp_path / "artifacts")


@pytest.fixture
def world(tmp_path, settings):
    home = tmp_path / "home"
    home.mkdir()
    with dg.instance_for_test(overrides=RETRIES, temp_dir=str(home)) as instance:
        yield World(instance, settings, Clock())
