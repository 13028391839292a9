"""A client kit of versions that the main job registered, as an app team gets it: every runtime computes the same."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from spots_ml.digests import digest_file
from spots_ml.models.declared import declared_types
from spots_ml_tests.end_to_end.sandbox import Sandbox, sandbox
from spots_ml_tests.release.client_kit.runtimes import PARITY, RUNTIMES, check

VERSION = "v1.0-synthetic"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """A user who ran the main job once and wrote a kit; tests that change anything take a copy."""
    place = sandbox(tmp_path_factory.mktemp("kit_user"))
    promoted = [["promote", model_type, VERSION] for model_type in declared_types()]
    for arguments in (["run"], *promoted, ["client-kit", "kit"]):
        done = place.spots_ml(*arguments)
        assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def copy_of_user(user: Sandbox, tmp_path: Path) -> Sandbox:
    """The same in a place of its own."""
    shutil.copytree(user.root, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    return sandbox(tmp_path)


def golden_lines(kit: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (kit / "golden.jsonl").read_text("utf-8").splitlines()]


def refused(place: Sandbox, status: int, told: str, *arguments: object) -> None:
    done = place.spots_ml("client-kit", *arguments)
    assert done.returncode == status, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_all_200_golden_lines_agree_within_the_parity_bar(user: Sandbox, runtime: str) -> None:
    checked = check(runtime, user.root / "kit")

    assert checked.findings == []
    assert checked.n_lines == 200
    assert checked.largest_difference <= PARITY


def test_the_models_are_those_that_serve_byte_by_byte(user: Sandbox) -> None:
    for row in user.read("versions"):
        published = user.root / "artifacts/models" / row["model_type"] / row["version"]
        copied = user.root / "kit" / row["model_type"]
        assert digest_file(copied / "model.onnx") == row["sha256"]
        assert (copied / "manifest.json").read_bytes() == (published / "manifest.json").read_bytes()
    rules = json.loads((user.root / "kit" / "decision.json").read_bytes())
    assert {name: model["version"] for name, model in rules["models"].items()} == dict.fromkeys(
        declared_types(), VERSION
    )


def test_spots_ml_score_says_the_same_to_the_golden_records(user: Sandbox, tmp_path: Path) -> None:
    lines = golden_lines(user.root / "kit")
    requests = tmp_path / "golden.jsonl"
    requests.write_text("".join(json.dumps(line["record"]) + "\n" for line in lines), "utf-8")

    done = user.spots_ml("score", requests, "--no-history")

    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 200
    for line, answer in zip(lines, answers, strict=True):
        for name in ("group", "blocked", "called"):
            assert answer[name] == line[name]
        for name in ("formula_score", "outcome_probability", "weight", "score"):
            assert answer[name] == pytest.approx(line[name], abs=PARITY)
        assert answer["neural_score"] == pytest.approx(line["calling_score_neural"], abs=PARITY)


def test_the_same_versions_give_the_same_kit_and_a_kit_is_replaced_by_force_alone(copy_of_user: Sandbox) -> None:
    kit = copy_of_user.root / "kit"
    before = {path: path.read_bytes() for path in kit.rglob("*") if path.is_file()}
    refused(copy_of_user, 2, "--force", "kit")

    done = copy_of_user.spots_ml("client-kit", "kit", "--force", "--calling-score", VERSION, "--outcome", VERSION)

    assert done.returncode == 0, done.stderr
    assert "200 golden lines" in done.stdout
    assert {path: path.read_bytes() for path in kit.rglob("*") if path.is_file()} == before


def test_the_active_version_and_its_weight_go_into_the_kit(copy_of_user: Sandbox) -> None:
    assert copy_of_user.spots_ml("weight", "calling_score", VERSION, "0.3").returncode == 0

    assert copy_of_user.spots_ml("client-kit", "trusted").returncode == 0

    [row] = copy_of_user.read("versions", "--model", "calling_score")
    rules = json.loads((copy_of_user.root / "trusted" / "decision.json").read_bytes())
    assert rules["models"]["calling_score"]["weight"] == row["weight"] == 0.3


def test_a_damaged_version_gives_no_kit(copy_of_user: Sandbox) -> None:
    path = copy_of_user.root / f"artifacts/models/outcome/{VERSION}/model.onnx"
    path.write_bytes(path.read_bytes()[:-1])

    refused(copy_of_user, 1, "is damaged, it has the digest", "fresh")
    assert not (copy_of_user.root / "fresh").exists()


def test_a_version_that_does_not_exist_is_named(user: Sandbox) -> None:
    refused(user, 1, "v9.9-real", "fresh", "--calling-score", "v9.9-real")
    assert not (user.root / "fresh").exists()


def test_a_kit_needs_both_models(copy_of_user: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    refused(sandbox(tmp_path_factory.mktemp("newcomer")), 1, "no calling_score version is active; `make run`", "fresh")

    assert copy_of_user.spots_ml("withdraw", "outcome").returncode == 0
    refused(copy_of_user, 1, f"no outcome version is active; `spots-ml promote outcome {VERSION} --reason", "fresh")


def test_what_nobody_promoted_is_in_a_kit_only_when_it_is_named(copy_of_user: Sandbox) -> None:
    for verb in (["withdraw", "outcome"], ["archive", "outcome", VERSION]):
        assert copy_of_user.spots_ml(*verb).returncode == 0

    assert copy_of_user.spots_ml("client-kit", "fresh", "--outcome", VERSION).returncode == 0
