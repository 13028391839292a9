"""Moving to Supabase from the command line: interactions with `import --to supabase`, the registry with `sync`."""

import json

import pytest
from click.testing import CliRunner

from spots_ml.cli import main
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import hours, two_versions_in
from spots_ml_tests.stores.keeping_rollouts import alter, start

MODEL = "calling_score"


@pytest.fixture
def spots_ml(tmp_path, project):
    """Runs `spots-ml` where the embedded store is the configured one and the project is known."""
    environment = {
        "SPOTS_ML_DATA_DIR": str(tmp_path / "data"),
        "SPOTS_ML_ARTIFACTS_DIR": str(tmp_path / "artifacts"),
        "SPOTS_ML_SUPABASE_URL": project.url,
        "SPOTS_ML_SUPABASE_KEY": project.keys.secret,
    }

    def run(*arguments, **variables):
        return CliRunner().invoke(main, [str(one) for one in arguments], env=environment | variables)

    return run


@pytest.fixture
def embedded(tmp_path):
    store = two_versions_in(tmp_path)
    promote_blessed(store, MODEL, "v1.0-synthetic", now=hours(3), actor="ann", reason="better")
    return store


def test_the_registry_is_carried_over_and_told(spots_ml, embedded):
    told = spots_ml("sync", "--actor", "mover")
    assert told.exit_code == 0, told.output
    assert [line.split() for line in told.stdout.splitlines()[1:]] == [
        [MODEL, "v1.0-synthetic", "added", "active", "active"],
        [MODEL, "v1.1-synthetic", "added", "staging", "staging"],
    ]
    there = json.loads(spots_ml("versions", "--json", SPOTS_ML_STORE="supabase").stdout)
    assert [(one["version"], one["status"]) for one in there] == [
        ("v1.0-synthetic", "active"),
        ("v1.1-synthetic", "staging"),
    ]
    again = json.loads(spots_ml("sync", "--json").stdout)["versions"]
    assert [(one["outcome"], one["target_status"]) for one in again] == [("known", "active"), ("known", "staging")]


def test_rollouts_that_are_over_are_carried_over_and_one_that_runs_is_status_1(spots_ml, embedded, tmp_path):
    whole = embedded_store(tmp_path / "data" / "spots_ml.sqlite")
    alter(whole, start(whole), "ended")
    assert spots_ml("sync").stdout.splitlines()[-1].split() == ["rollout-1", "added", "ended"]
    start(whole)

    told = spots_ml("sync", "--json")
    assert told.exit_code == 1
    rollouts = json.loads(told.stdout)["rollouts"]
    assert [(one["outcome"], one["detail"][:20]) for one in rollouts] == [
        ("known", ""),
        ("left", "rollout-2 is running"),
    ]


def test_a_version_that_cannot_be_carried_over_is_status_1(spots_ml, embedded, tmp_path):
    (tmp_path / "artifacts" / "models" / MODEL / "v1.1-synthetic" / "model.onnx").unlink()
    told = spots_ml("sync")

    assert told.exit_code == 1
    assert "refused" in told.stdout and "cannot be read" in told.stdout


def test_an_empty_registry_and_a_project_that_is_not_known_are_told(spots_ml):
    assert "holds no versions" in spots_ml("sync").stdout
    unknown = spots_ml("sync", SPOTS_ML_SUPABASE_URL="")
    assert (unknown.exit_code, "SPOTS_ML_SUPABASE_URL not set" in unknown.stderr) == (2, True)


def test_an_export_goes_where_it_is_told_to_and_else_into_the_configured_store(spots_ml, tmp_path):
    export = tmp_path / "export.json.gz"
    spots_ml("generate", "--rows", 300, "--seed", 3, "--out", export)

    def labels(*arguments, **variables):
        result = spots_ml("import", export, "--json", *arguments, **variables)
        assert result.exit_code == 0, result.output
        report = json.loads(result.stdout)
        return report["n_new_labels"], report["n_unchanged"], report["n_labels_in_store"]

    assert labels("--to", "supabase") == (300, 0, 300)
    assert labels(SPOTS_ML_STORE="supabase") == (0, 300, 300)
    assert labels() == (300, 0, 300)
    assert labels("--to", "embedded", SPOTS_ML_STORE="supabase") == (0, 300, 300)
