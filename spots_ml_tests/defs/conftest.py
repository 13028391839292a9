"""Real Dagster instances with stores of their own."""

import shutil

import dagster as dg
import pytest

from spots_ml.defs.build import build_definitions
from spots_ml.settings import Settings
from spots_ml_tests.defs.building import Clock, Runs, World

RETRIES = {"run_retries": {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}}
"""As in the project's own dagster.yaml."""


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data", artifacts_dir=tmp_path / "artifacts")


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory):
    """The home of an instance in which nothing ran; making its databases anew would take longer than most tests."""
    home = tmp_path_factory.mktemp("dagster")
    with dg.instance_for_test(temp_dir=str(home)) as instance:
        instance.get_runs(limit=1)
        instance.fetch_materializations(dg.AssetKey("any"), limit=1)
        instance.all_instigator_state()
    return home


@pytest.fixture
def instance(tmp_path, empty_home):
    home = shutil.copytree(empty_home, tmp_path / "home")
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
