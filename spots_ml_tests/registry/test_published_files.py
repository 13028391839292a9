"""A version's files: from the folder when they are sound there, else from a store that keeps them."""

import pytest

from spots_ml.digests import digest_bytes
from spots_ml.errors import ArtifactError
from spots_ml.registry.published_files import PublishedFilesError, published_files, version_directory
from spots_ml.registry.records import FileLocation
from spots_ml.registry.registration import register_version
from spots_ml.registry.serving import read_version
from spots_ml.scoring.fallback import ModelUnavailableError
from spots_ml.stores.embedded.database import Database
from spots_ml.stores.embedded.registry.versions import EmbeddedVersionStore
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.building import hours, make_manifest, onnx_bytes

NAMES = ("model.onnx", "manifest.json")


class KeepingStore(EmbeddedVersionStore):
    """A registry that keeps files in memory, and counts how often it is asked for them."""

    def __init__(self, path):
        super().__init__(Database(path))
        self.files, self.n_fetched = {}, 0

    def keep_files(self, content, onnx, manifest):
        self.files |= {content.sha256: onnx, content.manifest_sha256: manifest}
        return FileLocation(path=content.sha256, size_bytes=len(onnx), client_runtime_floor="1.15.1")

    def fetch_files(self, version):
        self.n_fetched += 1
        try:
            return self.files[version.sha256], self.files[version.manifest_sha256]
        except KeyError as error:
            raise ArtifactError("the bucket is empty") from error


def register(store, models_dir, name="first"):
    return register_version(
        store, models_dir, onnx=onnx_bytes(name), manifest=make_manifest(name), now=hours(0), actor="test"
    ).version


@pytest.fixture
def store(tmp_path):
    return KeepingStore(tmp_path / "registry.sqlite")


@pytest.fixture
def models_dir(tmp_path):
    return tmp_path / "models"


@pytest.fixture
def version(store, models_dir):
    return register(store, models_dir)


@pytest.fixture
def folder(models_dir, version):
    return version_directory(models_dir, version.model_type, version.version)


def flip(path):
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])


def test_sound_files_are_read_without_asking_the_store(store, models_dir, version):
    assert published_files(store, models_dir, version).onnx == onnx_bytes("first")
    assert store.n_fetched == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("harm", [flip, lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_what_is_lost_or_damaged_comes_back_and_stays(store, models_dir, version, folder, name, harm):
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    harm(folder / name)

    for _ in range(2):
        assert published_files(store, models_dir, version).by_name() == whole
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
    assert store.n_fetched == 1


def test_an_empty_machine_gets_the_whole_folder(store, version, tmp_path):
    files = published_files(store, tmp_path / "fresh", version)

    folder = version_directory(tmp_path / "fresh", version.model_type, version.version)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files.by_name()
    assert [path.name for path in folder.parent.iterdir()] == [version.version]


def test_a_folder_that_cannot_be_written_does_not_keep_the_files_from_being_read(store, version, tmp_path):
    (tmp_path / "file").touch()

    assert published_files(store, tmp_path / "file" / "models", version).onnx == onnx_bytes("first")


def test_a_version_of_another_registry_under_the_same_name_is_left_as_it_is(store, version, tmp_path):
    mine = embedded_store(tmp_path / "mine.sqlite").versions
    other = register(mine, tmp_path / "mine", "other")

    assert published_files(store, tmp_path / "mine", version).onnx == onnx_bytes("first")
    assert published_files(mine, tmp_path / "mine", other).onnx == onnx_bytes("other")


def test_the_same_model_in_another_registry_keeps_its_own_manifest(store, version, tmp_path):
    mine, models_dir = embedded_store(tmp_path / "mine.sqlite").versions, tmp_path / "mine"
    manifest = make_manifest("first", metrics={"test_mse": 0.0224, "latency_p99_us": 9.0})
    register_version(mine, models_dir, onnx=onnx_bytes("first"), manifest=manifest, now=hours(0), actor="test")
    other = mine.get(version.model_type, version.version)

    assert digest_bytes(published_files(store, models_dir, version).manifest) == version.manifest_sha256
    assert digest_bytes(published_files(mine, models_dir, other).manifest) == other.manifest_sha256


def test_files_that_nobody_has_are_told_with_both_reasons(store, models_dir, version, folder):
    store.files.clear()
    flip(folder / "model.onnx")

    with pytest.raises(PublishedFilesError, match=r"model\.onnx is damaged.*the bucket is empty") as caught:
        published_files(store, models_dir, version)
    assert caught.value.reason == "damaged"
    (folder / "manifest.json").unlink()
    with pytest.raises(ModelUnavailableError, match=r"manifest\.json cannot be read .*No such file") as unavailable:
        read_version(store, models_dir, version)
    assert unavailable.value.reason == "unreadable"


def test_files_are_kept_before_the_row_exists(store, models_dir, monkeypatch):
    def fail(*_):
        raise ArtifactError("the upload died")

    monkeypatch.setattr(store, "keep_files", fail)
    with pytest.raises(ArtifactError, match="the upload died"):
        register(store, models_dir)
    assert store.list_versions() == ()
    monkeypatch.undo()

    version = register(store, models_dir)
    assert store.files[version.sha256] == onnx_bytes("first")
    assert digest_bytes(store.files[version.manifest_sha256]) == version.manifest_sha256


def test_known_content_that_is_built_anew_keeps_the_registered_files(store, models_dir, version, tmp_path):
    store.files.pop(version.manifest_sha256)
    manifest = make_manifest("first", metrics={"test_mse": 0.0224, "latency_p99_us": 9.0})

    register_version(store, models_dir, onnx=onnx_bytes("first"), manifest=manifest, now=hours(1), actor="test")

    assert sorted(store.files) == sorted([version.sha256, version.manifest_sha256])
    assert published_files(store, tmp_path / "fresh", version).onnx == onnx_bytes("first")
