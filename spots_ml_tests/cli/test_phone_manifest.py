import json

from click.testing import CliRunner

from spots_ml.cli import main
from spots_ml.release.phone_manifest import PhoneManifest
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.building import register_network


def test_the_manifest_for_phones_is_printed_as_json(tmp_path):
    environment = {"SPOTS_ML_DATA_DIR": str(tmp_path / "data"), "SPOTS_ML_ARTIFACTS_DIR": str(tmp_path / "artifacts")}
    store = embedded_store(tmp_path / "data" / "spots_ml.sqlite")
    onnx = register_network(store.versions, tmp_path / "artifacts" / "models", "outcome")
    printed = CliRunner().invoke(main, ["phone-manifest"], env=environment)

    assert printed.exit_code == 0, printed.output
    assert json.loads(printed.stdout)["format_version"] == 2
    told = PhoneManifest.from_bytes(printed.stdout.encode())
    assert told.models["calling_score"].active is None
    assert (tmp_path / "artifacts" / told.models["outcome"].active.url).read_bytes() == onnx
