"""Real Dagster instances with stores of their own."""

import dagster as dg
import pytest

from spots_ml.defs.build import build_definitions
from spots_ml.settings import Settings
from spots_ml_tests.defs.building import Clock, Runs, World
from spots_ml_tests.defs.homes import make_home

RETRIES = {"run_retries": {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}}
"""As in the project's own dagster.yaml."""


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data", artifacts_dir=tmp_path / "artifacts")


@pytest.fixture
def instance(tmp_path):
    home = make_home(tmp_path / "home")
    with dg.instance_for_test(overrides=RETRIES, temp_dir=str(home)) as instance:
        yield instance


@pytest.fixture
def world(instance, settings):
    return World(instance, settings, Clock())


@pytest.fixture(scope="session")
def definitions():
    return build_definitions(Settings())


@pytest.fixture
def runs(instance, definitions):
    return Runs(instance, definitions)
