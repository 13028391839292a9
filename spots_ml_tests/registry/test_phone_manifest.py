"""What a phone is told from a registry that serves no phones itself."""

import json

import pytest

from spots_ml.errors import ArtifactError, CertificationError
from spots_ml.experiments.serving import serving_challengers
from spots_ml.registry.phone_manifest import phone_manifest
from spots_ml.registry.published_files import PublishedFilesError
from spots_ml.registry.registration import register_version
from spots_ml.release.certification.certificate import RuntimeReport
from spots_ml.release.phone_manifest import PhoneManifest, PhoneModel
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import hours, make_manifest, onnx_bytes
from spots_ml_tests.stores.keeping_rollouts import alter, start

LATER_LAYOUT = (
    PhoneManifest(
        format_version=2, models=dict.fromkeys(("calling_score", "outcome"), PhoneModel(active=None, rolling_out=None))
    )
    .to_bytes()
    .replace(b'"format_version":2', b'"format_version":3')
)
NOTHING = PhoneModel(active=None, rolling_out=None)


@pytest.fixture
def whole(tmp_path):
    return embedded_store(tmp_path / "registry.sqlite")


@pytest.fixture
def store(whole):
    return whole.versions


@pytest.fixture
def models_dir(tmp_path):
    return tmp_path / "artifacts" / "models"


def activate(store, models_dir, model_type="calling_score"):
    manifest = make_manifest("first", model_type=model_type)
    register_version(store, models_dir, onnx=onnx_bytes("first"), manifest=manifest, now=hours(0), actor="test")
    return promote_blessed(store, model_type, "v1.0-synthetic", now=hours(1), actor="test", reason="")


def test_a_filter_that_is_off_is_told_beside_its_version(store, models_dir):
    manifest = make_manifest("first", model_type="outcome", filter_on=False)
    register_version(store, models_dir, onnx=onnx_bytes("first"), manifest=manifest, now=hours(0), actor="test")
    promote_blessed(store, "outcome", "v1.0-synthetic", now=hours(1), actor="test", reason="")
    active = phone_manifest(store, models_dir).models["outcome"].active
    assert active is not None
    assert not active.filter_on


def test_without_an_active_version_there_is_none_to_use(store, models_dir):
    assert phone_manifest(store, models_dir).models == {"calling_score": NOTHING, "outcome": NOTHING}


def test_the_active_version_is_told_with_where_it_lies(store, models_dir):
    version = activate(store, models_dir)
    told = phone_manifest(store, models_dir)
    active = told.models["calling_score"].active

    assert (models_dir.parent / active.url).read_bytes() == onnx_bytes("first")
    assert active.model_dump(exclude={"url"}) == {
        "version": "v1.0-synthetic",
        "weight": 0.1,
        "traffic": 1.0,
        "filter_on": True,
        "size_bytes": len(onnx_bytes("first")),
        "sha256": version.sha256,
        "contract_digest": version.contract_digest,
        "client_runtime_floor": "1.15.1",
    }
    assert told.models["outcome"] == NOTHING
    assert PhoneManifest.from_bytes(told.to_bytes()) == told


def told_of(whole, models_dir):
    challengers = serving_challengers(whole.rollouts.list_rollouts())
    return phone_manifest(whole.versions, models_dir, challengers=challengers)


def test_a_version_that_is_rolled_out_is_told_with_whom_it_is_for(whole, store, models_dir):
    activate(store, models_dir)
    manifest = make_manifest("second", version="v1.1-synthetic")
    register_version(store, models_dir, onnx=onnx_bytes("second"), manifest=manifest, now=hours(2), actor="test")
    assert told_of(whole, models_dir).models["calling_score"].rolling_out is None
    rollout = start(whole, 1)

    document = told_of(whole, models_dir)
    told = document.models["calling_score"]
    assert (told.active.version, told.active.traffic) == ("v1.0-synthetic", 1.0)
    assert (told.rolling_out.version, told.rolling_out.traffic) == ("v1.1-synthetic", 0.1)
    assert (told.rolling_out.experiment, told.rolling_out.stage) == ("rollout-1", 1)
    assert told.rolling_out.salt == rollout.salt
    assert (models_dir.parent / told.rolling_out.url).read_bytes() == onnx_bytes("second")
    assert PhoneManifest.from_bytes(document.to_bytes()) == document

    rollout = alter(whole, alter(whole, rollout, "widened"), "paused")
    told = told_of(whole, models_dir).models["calling_score"].rolling_out
    assert (told.stage, told.traffic, told.salt) == (2, 0.5, rollout.salt)
    alter(whole, rollout, "rolled_back")
    assert told_of(whole, models_dir).models["calling_score"].rolling_out is None


def test_the_rollout_of_a_weight_is_the_active_version_with_another_one(whole, store, models_dir):
    activate(store, models_dir)
    start(whole, 0, kind="weight", weight=0.3)

    told = told_of(whole, models_dir).models["calling_score"]
    assert (told.active.weight, told.active.traffic) == (0.1, 1.0)
    assert (told.rolling_out.weight, told.rolling_out.traffic) == (0.3, 0.1)
    same = {"version", "url", "sha256", "size_bytes", "filter_on"}
    assert told.rolling_out.model_dump(include=same) == told.active.model_dump(include=same)


def test_a_document_of_before_it_said_whom_a_version_is_for_is_read(whole, store, models_dir):
    activate(store, models_dir)
    document = json.loads(told_of(whole, models_dir).to_bytes())
    model = document["models"]["calling_score"]
    model["rolling_out"] = model["active"] | {"traffic": 0.25}

    told = PhoneManifest.from_bytes(json.dumps(document | {"format_version": 1}).encode())
    assert (told.models["calling_score"].rolling_out.traffic, told.models["calling_score"].rolling_out.salt) == (
        0.25,
        None,
    )
    with pytest.raises(ArtifactError, match="rolled out without experiment, stage or salt"):
        PhoneManifest.from_bytes(json.dumps(document).encode())


def test_an_active_version_without_its_files_is_an_error(store, models_dir):
    activate(store, models_dir)
    (models_dir / "calling_score" / "v1.0-synthetic" / "model.onnx").unlink()

    with pytest.raises(PublishedFilesError, match="cannot be read"):
        phone_manifest(store, models_dir)


@pytest.mark.parametrize("runtimes", [(), (RuntimeReport(name="current", onnxruntime_version="1.31.1"),)])
def test_a_file_that_no_client_runtime_ran_has_no_floor(runtimes):
    certificate = make_manifest().certificate.model_copy(update={"runtimes": runtimes})

    with pytest.raises(CertificationError, match="no answer of the client's runtime"):
        _ = certificate.client_runtime_floor


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        LATER_LAYOUT,
        b'{"format_version": 1, "models": {"outcome": {"active": null}}}',
    ],
)
def test_a_document_that_is_no_manifest_is_one_clear_error(content):
    with pytest.raises(ArtifactError, match="not a readable PhoneManifest"):
        PhoneManifest.from_bytes(content)
