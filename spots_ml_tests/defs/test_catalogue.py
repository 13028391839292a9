"""What the catalogue says besides what assets do: code versions that follow the code, and nothing left out silently."""

from pathlib import Path

import dagster as dg
import pytest

import spots_ml
from spots_ml.defs.catalogue import code_versions
from spots_ml.defs.catalogue.code_versions import MADE_BY, code_version
from spots_ml.defs.catalogue.unloaded import require_everything_loaded
from spots_ml.errors import ConfigError

PACKAGE = Path(spots_ml.__file__).parent
KEPT_OR_SHOWN = ("cli", "defs", "local_supabase", "stores", "release/client_kit")
"""They keep, start or show what others make."""

MAKE_NOTHING = {
    "pipeline/before_traffic/promotion_step.py",
    "pipeline/chain.py",  # the steps in a row
    *("pipeline/attempts.py", "pipeline/code_version.py", "pipeline/made.py"),  # what was made, of what
    *("pipeline/recipes.py", "pipeline/refusing.py", "monitoring/refusals.py", "monitoring/refused_before.py"),
    "monitoring/days_due.py",
    *("pipeline/forecasting/plan_step.py", "pipeline/forecasting/forecast_step.py"),  # what commands tell
    *("pipeline/forecasting/off_policy_step.py", "pipeline/intake/import_step.py"),
    *("pipeline/intake/log_check_step.py", "monitoring/proof/finding.py", "monitoring/proof/log_check.py"),
    "monitoring/retraining.py",
    "monitoring/retraining_facts.py",
    "monitoring/run_history.py",
}


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A package of two modules, of which one makes an asset."""
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "fit.py").write_text("EPOCHS = 60\n")
    (tmp_path / "scoring.py").write_text("WEIGHT = 0.1\n")
    monkeypatch.setattr(code_versions, "_PACKAGE", tmp_path)
    monkeypatch.setattr(code_versions, "MADE_BY", {"trained_model": ("training",)})

    def version():
        code_versions._digest.cache_clear()
        code_versions._digest_of_module.cache_clear()
        return code_version(dg.AssetKey(["outcome", "trained_model"]))

    yield tmp_path, version
    code_versions._digest.cache_clear()
    code_versions._digest_of_module.cache_clear()


def test_a_code_version_changes_with_what_makes_the_asset_and_with_nothing_else(copied):
    folder, version = copied
    before = version()
    assert version() == before

    (folder / "scoring.py").write_text("WEIGHT = 0.3\n")
    assert version() == before
    (folder / "training" / "fit.py").write_text("EPOCHS = 61\n")
    changed = version()
    assert changed != before
    (folder / "training" / "networks.py").write_text("")
    assert version() not in (before, changed)


def test_every_module_that_makes_something_is_behind_the_version_of_an_asset():
    counted = {PACKAGE / module for made_by in MADE_BY.values() for module in code_versions._modules(made_by)}
    rooms = [path for path in PACKAGE.iterdir() if path.is_dir() and path.name not in ("__pycache__", *KEPT_OR_SHOWN)]
    modules = {module for room in rooms for module in room.rglob("*.py") if module.name != "__init__.py"}
    left_out = {module.relative_to(PACKAGE).as_posix() for module in modules - counted}
    assert {name for name in left_out - MAKE_NOTHING if not name.startswith(KEPT_OR_SHOWN)} == set()


def test_the_modules_named_exist():
    missing = {name for made_by in MADE_BY.values() for name in made_by if not (PACKAGE / name).exists()}
    assert missing == set()


SCAFFOLDED = {
    "asset": "import dagster as dg\n\n\n@dg.asset\ndef mine(context: dg.AssetExecutionContext): ...\n",
    "sensor": "import dagster as dg\n\n\n@dg.sensor(target=None)\ndef mine(context): ...\n",
    "resources": "import dagster as dg\n\n\n@dg.definitions\ndef resources(): ...\n",
    "by name": "from dagster import asset\n\n\n@asset\ndef mine(): ...\n",
}


@pytest.mark.parametrize("kind", SCAFFOLDED)
def test_a_file_dropped_into_defs_is_refused_with_a_sentence(tmp_path, kind):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "mine.py").write_text(SCAFFOLDED[kind])
    with pytest.raises(ConfigError, match=r"assets/mine\.py; import what it defines in spots_ml/defs/build\.py"):
        require_everything_loaded(tmp_path, loaded=set())


def test_a_component_is_refused_too(tmp_path):
    (tmp_path / "defs.yaml").write_text("type: dagster.DefsFolderComponent\n")
    with pytest.raises(ConfigError, match=r"defs\.yaml"):
        require_everything_loaded(tmp_path, loaded=set())


def test_what_is_loaded_and_what_defines_nothing_is_let_be(tmp_path):
    (tmp_path / "mine.py").write_text(SCAFFOLDED["asset"])
    (tmp_path / "helper.py").write_text("import dagster as dg\n\n\ndef told(run: dg.DagsterRun): ...\n")
    require_everything_loaded(tmp_path, loaded={"spots_ml.defs.mine"})


def test_everything_of_ours_is_loaded():
    require_everything_loaded()
