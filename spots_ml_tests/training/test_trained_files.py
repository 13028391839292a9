import json
from pathlib import Path

import numpy as np
import pytest

from spots_ml.digests import canonical_json, digest_bytes
from spots_ml.errors import ArtifactError, ContractError
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.training.model import TrainedModel, golden_inputs, load_trained_model, save_trained_model


def test_a_model_comes_back_as_it_was(outcome: TrainedModel, tmp_path: Path) -> None:
    digest = save_trained_model(outcome, tmp_path)
    loaded = load_trained_model(tmp_path, digest)
    assert digest == outcome.digest == loaded.digest
    assert loaded.document == outcome.document
    assert np.array_equal(golden_inputs(loaded), golden_inputs(outcome))
    assert np.array_equal(loaded.predict(golden_inputs(loaded)), outcome.predict(golden_inputs(outcome)))
    assert (loaded.model_type, loaded.kind, loaded.seed) == ("outcome", "synthetic", 0)


def test_confidence_comes_back_and_weighs_the_same(
    calling_score: TrainedModel, rows: LabelledRows, tmp_path: Path
) -> None:
    loaded = load_trained_model(tmp_path, save_trained_model(calling_score, tmp_path)).document.confidence
    assert loaded is not None
    assert loaded == calling_score.document.confidence
    kept = calling_score.document.confidence.weights(rows.features, 0.3)
    assert np.array_equal(loaded.weights(rows.features, 0.3), kept)
    assert kept.any()


def test_a_document_from_before_there_was_confidence_keeps_its_bytes_and_its_digest(
    calling_score: TrainedModel, tmp_path: Path
) -> None:
    digest = save_trained_model(calling_score, tmp_path)
    document = json.loads((tmp_path / digest / "model.json").read_bytes())
    del document["confidence"]
    content = canonical_json(document)
    older = tmp_path / digest_bytes(content)
    (tmp_path / digest).rename(older)
    (older / "model.json").write_bytes(content)
    loaded = load_trained_model(tmp_path, older.name)
    assert loaded.document.confidence is None
    assert loaded.document.content() == content
    assert loaded.digest == older.name


def test_saving_again_changes_nothing(outcome: TrainedModel, tmp_path: Path) -> None:
    first = save_trained_model(outcome, tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / first).iterdir()}
    assert save_trained_model(outcome, tmp_path) == first
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / first).iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == [first]


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json"])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 0.999])
def test_a_flipped_bit_anywhere_is_found_and_named(
    outcome: TrainedModel, tmp_path: Path, name: str, place: float
) -> None:
    digest = save_trained_model(outcome, tmp_path)
    path = tmp_path / digest / name
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match=name):
        load_trained_model(tmp_path, digest)
    with pytest.raises(ArtifactError, match=name):
        save_trained_model(outcome, tmp_path)


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json"])
def test_a_missing_file_is_named(outcome: TrainedModel, tmp_path: Path, name: str) -> None:
    digest = save_trained_model(outcome, tmp_path)
    (tmp_path / digest / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        load_trained_model(tmp_path, digest)


def test_a_model_for_another_contract_is_refused(outcome: TrainedModel, tmp_path: Path) -> None:
    digest = save_trained_model(outcome, tmp_path)
    document = json.loads((tmp_path / digest / "model.json").read_bytes())
    content = canonical_json({**document, "contract_digest": "0" * 64})
    other = tmp_path / digest_bytes(content)
    (tmp_path / digest).rename(other)
    (other / "model.json").write_bytes(content)
    with pytest.raises(ContractError, match="train again"):
        load_trained_model(tmp_path, other.name)


def test_nothing_in_the_files_depends_on_time_or_place(outcome: TrainedModel, tmp_path: Path) -> None:
    digest = save_trained_model(outcome, tmp_path)
    text = (tmp_path / digest / "model.json").read_text()
    assert str(tmp_path) not in text
    assert not any(word in text for word in ("seconds", "wall", "host", "created_at"))
