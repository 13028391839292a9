"""Writing a kit: whole or not at all, and only of files that are what the registry says."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from spots_ml.errors import ArtifactError, ConfigError, ContractError, MachineError, SpotsMLError
from spots_ml.release.client_kit.kit import write_kit
from spots_ml.release.client_kit.published import PublishedModel, published_model
from spots_ml_tests.registry.building import make_manifest


def names_in(directory):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


@pytest.fixture
def write(published):
    return lambda directory, **options: write_kit(
        directory, published["calling_score"], published["outcome"], **options
    )


def test_a_kit_holds_models_rules_golden_lines_and_checkers(whole_kit, published):
    directory, report = whole_kit

    assert [name for name in names_in(directory) if not name.startswith("node_modules")] == [
        "README.md",
        "assignment.jsonl",
        "calling_score/manifest.json",
        "calling_score/model.onnx",
        "check.mjs",
        "check.py",
        "decision.json",
        "files.json",
        "golden.jsonl",
        "history.jsonl",
        "outcome/manifest.json",
        "outcome/model.onnx",
        "package.json",
        "rules.mjs",
        "rules.py",
    ]
    for model_type, model in published.items():
        assert (directory / model_type / "model.onnx").read_bytes() == model.onnx
        assert (directory / model_type / "manifest.json").read_bytes() == model.manifest
    assert report.directory == directory
    assert report.n_lines == 200
    assert report.versions == {"calling_score": "v1.3-hybrid", "outcome": "v1.3-hybrid"}


def test_the_readme_names_versions_and_numbers(whole_kit):
    directory, report = whole_kit
    readme = (directory / "README.md").read_text("utf-8")

    assert "v1.3-hybrid" in readme and f"{report.n_called} called" in readme and "w = 0.3 in" in readme
    assert "$" not in readme


def test_nothing_in_a_kit_imports_the_project(whole_kit):
    directory, _ = whole_kit

    for name in ("check.py", "rules.py", "check.mjs", "rules.mjs"):
        assert "spots_ml" not in (directory / name).read_text("utf-8")


def test_an_empty_folder_is_filled(write, tmp_path):
    (tmp_path / "kit").mkdir()

    write(tmp_path / "kit")

    assert (tmp_path / "kit" / "decision.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["kit"]


def test_a_kit_is_replaced_by_force_alone_and_then_its_own_files_alone(write, tmp_path):
    kit = tmp_path / "kit"
    write(kit)
    of_before = json.loads((kit / "files.json").read_bytes())["files"]
    (kit / "of-the-old-kit").touch()
    (kit / "files.json").write_text(json.dumps({"files": [*of_before, "of-the-old-kit"]}))
    (kit / "outcome" / "notes.txt").write_text("mine")
    (kit / "link").symlink_to("nowhere")

    with pytest.raises(ConfigError, match="--force"):
        write(kit)
    assert (kit / "of-the-old-kit").exists()
    write(kit, force=True)

    assert names_in(kit) == sorted([*of_before, "outcome/notes.txt"])
    assert (kit / "outcome" / "notes.txt").read_text() == "mine"
    assert (kit / "link").is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == ["kit"]


def test_a_kit_of_before_there_was_a_list_is_replaced_by_the_names_it_had(write, tmp_path):
    kit = tmp_path / "kit"
    write(kit)
    (kit / "files.json").unlink()
    (kit / "assignment.jsonl").unlink()  # there was none then
    (kit / "golden.jsonl").write_text("old")
    (kit / "notes.txt").write_text("mine")

    write(kit, force=True)

    assert (kit / "golden.jsonl").read_text() != "old"
    assert (kit / "notes.txt").read_text() == "mine"


def test_a_file_that_is_not_the_kits_is_not_replaced_by_one_that_is(write, tmp_path):
    kit = tmp_path / "kit"
    write(kit)
    listed = json.loads((kit / "files.json").read_bytes())["files"]
    (kit / "files.json").write_text(json.dumps({"files": [name for name in listed if name != "check.py"]}))
    before = (kit / "check.py").read_bytes()

    with pytest.raises(ConfigError, match=r"holds check\.py, not written by a client kit"):
        write(kit, force=True)
    assert (kit / "check.py").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["kit"]


@pytest.mark.parametrize("decision", [None, b"no JSON", b"[]", b'{"kind": "something else"}'])
def test_a_folder_that_is_no_kit_is_never_replaced(write, tmp_path, decision):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").touch()
    if decision is not None:
        (tmp_path / "home" / "decision.json").write_bytes(decision)

    with pytest.raises(ConfigError, match="holds no client kit"):
        write(tmp_path / "home", force=True)
    assert (tmp_path / "home" / "thesis.txt").exists()


def test_a_file_in_the_way_is_refused(write, tmp_path):
    (tmp_path / "kit").write_text("mine")

    with pytest.raises(ConfigError, match="not a folder"):
        write(tmp_path / "kit", force=True)
    assert (tmp_path / "kit").read_text() == "mine"


def test_a_folder_that_cannot_be_created_is_told(write, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(MachineError, match="a file stands where a folder is expected"):
        write(tmp_path / "file" / "kit")


def test_a_kit_that_fails_half_way_leaves_the_old_one_and_nothing_else(write, tmp_path, monkeypatch):
    write(tmp_path / "kit")
    before = names_in(tmp_path)
    monkeypatch.setattr("spots_ml.release.client_kit.kit.FILES_DIR", tmp_path / "nowhere")

    with pytest.raises(MachineError, match="nowhere"):
        write(tmp_path / "kit", force=True)
    assert names_in(tmp_path) == before


def test_a_model_that_the_runtime_refuses_gives_no_kit(published, tmp_path):
    broken = PublishedModel("outcome", "v1.0-real", 0.1, b"no model", published["outcome"].manifest)

    with pytest.raises(SpotsMLError, match="not_loadable"):
        write_kit(tmp_path / "kit", published["calling_score"], broken)
    assert list(tmp_path.iterdir()) == []


def taken_in(manifest, version="v1.0-real"):
    return published_model(b"onnx", manifest, model_type="calling_score", version=version, weight=0.1)


def test_a_published_version_is_taken_in_as_it_is():
    manifest = make_manifest(version="v1.0-real").to_bytes()
    model = taken_in(manifest)

    assert (model.onnx, model.manifest, model.version, model.weight) == (b"onnx", manifest, "v1.0-real", 0.1)


def test_a_manifest_of_another_version_is_refused():
    with pytest.raises(ArtifactError, match=r"is about calling_score v1\.0-real, expected calling_score v1\.1-real"):
        taken_in(make_manifest(version="v1.0-real").to_bytes(), "v1.1-real")


def test_a_version_for_another_contract_is_refused():
    manifest = json.loads(make_manifest(version="v1.0-real").to_bytes())
    manifest["digests"]["contract"] = manifest["certificate"]["contract_digest"] = "0" * 64

    with pytest.raises(ContractError, match="feature contract 000000000000"):
        taken_in(json.dumps(manifest).encode())


def test_the_package_data_is_declared():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))

    assert project["tool"]["setuptools"]["package-data"]["spots_ml.release.client_kit"] == ["files/*"]


def test_the_javascript_runtimes_are_pinned_exactly(whole_kit):
    package = json.loads((whole_kit[0] / "package.json").read_bytes())

    assert set(package["dependencies"]) == {"onnxruntime-node", "onnxruntime-web"}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package["dependencies"].values())
