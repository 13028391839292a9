import sqlite3
from types import SimpleNamespace

import pytest

from spots_ml.errors import ArtifactError
from spots_ml.places import Places
from spots_ml.registry.registration import register_version
from spots_ml.registry.restoring import restore_file
from spots_ml.registry.verification import verify_version
from spots_ml.release.onnx.kept_files import save_onnx
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.building import hours, make_manifest, onnx_bytes


@pytest.fixture
def store(tmp_path):
    store = embedded_store(tmp_path / "registry.sqlite").versions
    register_version(
        store, tmp_path / "models", onnx=onnx_bytes("first"), manifest=make_manifest(), now=hours(0), actor="test"
    )
    return store


def results(store, tmp_path):
    version = store.get("calling_score", "v1.0-synthetic")
    return {check.name: check for check in verify_version(version, Places(tmp_path, tmp_path), runtimes={})}


def test_published_files_and_row_of_a_sound_version_agree(store, tmp_path):
    found = results(store, tmp_path)

    assert all(found[name].passed for name in ("model.onnx", "manifest.json", "registry row", "gates"))


def test_parts_that_are_missing_are_named(store, tmp_path):
    found = results(store, tmp_path)

    assert not any(found[name].passed for name in ("snapshot", "dataset", "certified file"))


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_a_flipped_byte_anywhere_is_found_and_named(store, tmp_path, name):
    path = tmp_path / "models/calling_score/v1.0-synthetic" / name
    whole = path.read_bytes()
    for position in {0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1}:
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])

        check = results(store, tmp_path)[name]
        assert not check.passed
        assert str(path) in check.detail


def test_a_missing_file_is_found_and_named(store, tmp_path):
    (tmp_path / "models/calling_score/v1.0-synthetic/model.onnx").unlink()

    assert "cannot be read" in results(store, tmp_path)["model.onnx"].detail


def test_a_row_that_was_tampered_with_is_found(store, tmp_path):
    connection = sqlite3.connect(tmp_path / "registry.sqlite")
    connection.execute("DROP TRIGGER content_is_not_changed")
    connection.execute("UPDATE model_versions SET content = replace(content, '0.0224', '0.0001')")
    connection.commit()
    connection.close()

    check = results(store, tmp_path)["registry row"]
    assert not check.passed
    assert "metrics" in check.detail


@pytest.mark.parametrize(("profile", "passed"), [(None, True), ("another", False)])
def test_the_confidence_profile_is_that_of_the_trained_model(store, tmp_path, monkeypatch, profile, passed):
    trained = SimpleNamespace(document=SimpleNamespace(confidence=profile))
    monkeypatch.setattr("spots_ml.training.model.load_trained_model", lambda directory, digest: trained)
    monkeypatch.setattr("spots_ml.registry.verification._parity", lambda *arguments: "not compared here")
    check = results(store, tmp_path)["trained model"]

    assert check.passed is passed
    assert ("confidence profile is not that of" in check.detail) is not passed


@pytest.fixture
def published(store, tmp_path):
    """The published file of a version whose certified bytes are kept."""
    save_onnx(onnx_bytes("first"), make_manifest().certificate, Places(tmp_path, tmp_path).onnx_dir)
    return tmp_path / "models/calling_score/v1.0-synthetic/model.onnx"


def restore(store, tmp_path):
    return restore_file(store.get("calling_score", "v1.0-synthetic"), Places(tmp_path, tmp_path))


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"other"), lambda path: path.unlink()])
def test_a_damaged_file_is_put_back_from_the_certified_bytes_under_its_digest(store, published, tmp_path, spoil):
    spoil(published)
    check = results(store, tmp_path)["model.onnx"]
    assert not check.passed
    assert "`spots-ml verify calling_score v1.0-synthetic --restore` puts them back" in check.detail

    assert restore(store, tmp_path)
    assert published.read_bytes() == onnx_bytes("first")
    assert results(store, tmp_path)["model.onnx"].passed
    assert not restore(store, tmp_path)


def test_certified_bytes_that_are_damaged_too_are_neither_offered_nor_used(store, published, tmp_path):
    published.write_bytes(b"other")
    (kept,) = Places(tmp_path, tmp_path).onnx_dir.glob("*/model.onnx")
    kept.write_bytes(b"worse")

    assert "restore it from a backup" in results(store, tmp_path)["model.onnx"].detail
    with pytest.raises(ArtifactError, match="is damaged"):
        restore(store, tmp_path)
    assert published.read_bytes() == b"other"


def test_a_whole_version_of_another_registry_is_left_as_it_is(store, published, tmp_path):
    published.write_bytes(onnx_bytes("second"))
    published.with_name("manifest.json").write_bytes(make_manifest("second").to_bytes())

    with pytest.raises(ArtifactError, match="another registry; move it away"):
        restore(store, tmp_path)
    assert published.read_bytes() == onnx_bytes("second")
