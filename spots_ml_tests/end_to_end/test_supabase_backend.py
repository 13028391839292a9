"""The whole product on a Supabase project: from rows in Postgres to a version whose bytes come back out of Storage."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import psycopg
import pytest

from spots_ml.defs.resources import Platform
from spots_ml.defs.sensors import present_state
from spots_ml.digests import digest_bytes
from spots_ml.interactions.generators.export_writing import write_export
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.local_supabase.stack import LocalProject, project_running
from spots_ml.models.declared import declared_types
from spots_ml.monitoring.retraining import Retrain, decide
from spots_ml.release.certification.certify import certify, default_runtimes
from spots_ml.release.manifest import Manifest
from spots_ml.settings import PROJECT_ROOT, Settings
from spots_ml.stores.store import Store
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml.training.model import golden_inputs, load_trained_model
from spots_ml_tests.end_to_end.sandbox import Sandbox, sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

VERSION = "v1.0-synthetic"
N_ROWS = 4_000


@pytest.fixture(scope="module")
def project() -> Iterator[LocalProject]:
    with project_running() as project:
        yield project


def on_supabase(root: Path, project: LocalProject) -> Sandbox:
    """A machine whose store is the project; nothing else is shared with any other machine."""
    place = sandbox(root)
    place.environ.pop("SPOTS_ML_SOURCE")
    place.environ.update(
        SPOTS_ML_STORE="supabase",
        SPOTS_ML_SUPABASE_URL=project.url,
        SPOTS_ML_SUPABASE_KEY=project.keys.secret,
        SPOTS_ML_SUPABASE_DSN=project.dsn,
    )
    return place


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory, project: LocalProject) -> Sandbox:
    """A machine that imported interactions and ran the main job once."""
    place = on_supabase(tmp_path_factory.mktemp("trainer"), project)
    export = place.root / "export.json.gz"
    write_export(SeedLaw().generate(N_ROWS, seed=42), export)
    imported = place.spots_ml("import", export, "--to", "supabase")
    assert imported.returncode == 0, imported.stderr
    done = place.spots_ml("run")
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def another_machine(tmp_path: Path, project: LocalProject, trainer: Sandbox) -> Sandbox:
    """A machine that has nothing but the address and the keys."""
    return on_supabase(tmp_path, project)


@pytest.fixture
def store(project: LocalProject) -> Iterator[Store]:
    with Calls(SupabaseConnection(project.url, project.keys.secret), random=np.random.default_rng(1)) as calls:
        yield supabase_store(calls)


def test_the_models_learned_from_all_rows_in_postgres(trainer: Sandbox, project: LocalProject) -> None:
    versions = trainer.read("versions")

    assert sorted((row["model_type"], row["version"]) for row in versions) == [
        (one, VERSION) for one in declared_types()
    ]
    assert [row["n_labelled"] for row in versions] == [N_ROWS, N_ROWS]
    assert not list((trainer.root / "data").glob("*.sqlite*")), "the embedded store was touched"
    with psycopg.connect(project.owner_dsn) as connection:
        registered = connection.execute("select count(*) from public.model_versions").fetchone()
    assert registered == (len(declared_types()),)


def test_the_bytes_come_back_out_of_storage_and_pass_certification(trainer: Sandbox, store: Store) -> None:
    for model_type in declared_types():
        version = store.versions.get(model_type, VERSION)
        kept = store.versions.fetch_files(version)
        assert kept is not None
        onnx, document = kept
        manifest = Manifest.from_bytes(document)
        model = load_trained_model(trainer.root / "artifacts" / "trained", manifest.digests.trained)

        certificate = certify(
            onnx,
            model.network,
            golden_inputs(model),
            model_type=model_type,
            version=VERSION,
            trained_digest=manifest.digests.trained,
            runtimes=default_runtimes(PROJECT_ROOT / ".venv-client" / "bin" / "python"),
        )

        assert certificate.verdict().passed, certificate.findings
        assert digest_bytes(onnx) == version.sha256


def test_a_machine_that_has_no_files_scores_with_the_promoted_models_out_of_storage(
    another_machine: Sandbox, trainer: Sandbox
) -> None:
    for model_type in declared_types():
        promoted = trainer.spots_ml("promote", model_type, VERSION, "--reason", "a test", "--force")
        assert promoted.returncode == 0, promoted.stderr
    export = another_machine.root / "requests.json.gz"
    write_export(SeedLaw().generate(200, seed=7), export)

    done = another_machine.spots_ml("score", export, "--log")

    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 200
    assert {answer["fallback"] for answer in answers} == {None}
    assert {answer["version"] for answer in answers} == {VERSION}


def test_the_second_run_on_another_machine_says_that_nothing_is_new(another_machine: Sandbox, trainer: Sandbox) -> None:
    # What a run leaves on its way is a cache; the registry and the published files are not among it here.
    for folder in ("data", "artifacts"):
        shutil.copytree(trainer.root / folder, another_machine.root / folder)
    shutil.rmtree(another_machine.root / "artifacts" / "models")

    done = another_machine.spots_ml("run")

    assert done.returncode == 0, done.stderr
    assert "Nothing new" in done.stdout
    actions = [entry["action"] for entry in another_machine.read("history", "outcome")]
    assert [action for action in actions if action != "promoted"] == ["registered", "reaffirmed"]
    assert (another_machine.root / "artifacts" / "models" / "outcome" / VERSION / "model.onnx").is_file()


def test_a_wrong_key_is_one_clear_line(another_machine: Sandbox) -> None:
    wrong = "sb_secret_" + "0" * 31

    done = another_machine.spots_ml("versions", SPOTS_ML_SUPABASE_KEY=wrong)

    assert done.returncode != 0
    assert "the key is not accepted" in done.stderr
    assert "Traceback" not in done.stderr
    assert wrong not in done.stderr + done.stdout


def test_a_project_that_does_not_answer_is_one_clear_line(another_machine: Sandbox) -> None:
    done = another_machine.spots_ml("versions", SPOTS_ML_SUPABASE_URL="http://127.0.0.1:1")

    assert done.returncode != 0
    assert "127.0.0.1:1" in done.stderr
    assert "check the network and the project's address" in done.stderr
    assert "Traceback" not in done.stderr


def test_failure_12_the_trigger_counts_every_label_beyond_the_thousandth(another_machine: Sandbox) -> None:
    platform = Platform(Settings.from_env(another_machine.environ))
    with dg.DagsterInstance.ephemeral() as instance:
        assert present_state(instance, platform, "outcome").new_labels == 0
        export = another_machine.root / "more.json.gz"
        write_export(SeedLaw().generate(1_500, seed=9), export)
        assert another_machine.spots_ml("import", export).returncode == 0

        state = present_state(instance, platform, "outcome")
        decision = decide(state, platform.settings.retrain)

    assert state.new_labels == 1_500
    assert isinstance(decision, Retrain)
