import sqlite3
from types import SimpleNamespace

import pytest

from spots_ml.places import Places
from spots_ml.registry.registration import register_version
from spots_ml.registry.verification import verify_version
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
