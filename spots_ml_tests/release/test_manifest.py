import json
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from spots_ml.digests import canonical_json, digest_bytes
from spots_ml.errors import ArtifactError
from spots_ml.features.contract import CONTRACT_DIGEST, FEATURES
from spots_ml.release.documents import environment_versions
from spots_ml.release.latency.measuring import measure_latency
from spots_ml.release.latency.report import LatencyConfig
from spots_ml.release.manifest import ContentDigests, Manifest
from spots_ml.scoring.confidence import ConfidenceProfile, ConfidenceStep


@pytest.fixture(scope="module")
def values(good_file, judge) -> dict[str, object]:
    """What a good manifest is made of."""
    certificate = judge(good_file)
    latency = measure_latency(good_file, config=LatencyConfig(n_runs=100, n_blocks=5, throughput_s=1e-6))
    return {
        "model_type": "calling_score",
        "version": "v1.0-synthetic",
        "created_at": datetime(2026, 5, 1, 12, tzinfo=timezone.utc),  # noqa: UP017
        "source_kind": "synthetic",
        "source": "seed law, 10,000 rows, seed 1",
        "watermark": None,
        "n_labelled": 10_000,
        "n_rows_by_split": {"train": 7000, "validation": 1500, "test": 1500, "purged": 0},
        "seed": 1,
        "digests": ContentDigests(
            snapshot="1" * 64,
            dataset="2" * 64,
            contract=CONTRACT_DIGEST,
            config="3" * 64,
            weights="4" * 64,
            trained="ab" * 32,
            onnx=digest_bytes(good_file),
        ),
        "metrics": {"test_mse": 0.0224},
        "evaluation": {"network": {"mse": {"value": 0.0224, "low": 0.021, "high": 0.024}}},
        "verdicts": (certificate.verdict(), latency.verdict()),
        "certificate": certificate,
        "latency": latency,
        "ir_version": 8,
        "opset": 18,
        "size_bytes": len(good_file),
        "inputs": FEATURES,
        "ignored_inputs": ("vibe_compatibility",),
        "environment": environment_versions(),
    }


def test_a_manifest_is_read_back_as_it_was_written(values):
    manifest = Manifest(**values)

    assert Manifest.from_bytes(manifest.to_bytes()) == manifest
    assert Manifest.from_bytes(manifest.to_bytes()).to_bytes() == manifest.to_bytes()


def test_a_manifest_from_before_there_was_confidence_keeps_its_bytes(values):
    content = Manifest(**values).to_bytes()

    assert "confidence" not in json.loads(content)
    assert Manifest.from_bytes(content).confidence is None
    assert Manifest.from_bytes(content).to_bytes() == content


def test_confidence_is_read_back_as_it_was_written(values):
    step = ConfidenceStep(up_to=60.5, weight=0.4, half_width=0.25, n_rows=150)
    confidence = ConfidenceProfile(
        center=(0.5, 0.25),
        whitening=((4.0,), (-1.5, 5.0)),
        alpha=0.002,
        steps=(step,),
        n_training_rows=700,
        n_validation_rows=150,
        n_validation_agents=15,
    )
    manifest = Manifest(**values, confidence=confidence)

    assert Manifest.from_bytes(manifest.to_bytes()).confidence == confidence
    assert Manifest.from_bytes(manifest.to_bytes()).to_bytes() == manifest.to_bytes()


def test_its_bytes_are_canonical_json(values):
    content = Manifest(**values).to_bytes()

    assert content == canonical_json(json.loads(content)) + b"\n"


def test_a_gate_that_never_spoke_has_no_verdict(values):
    manifest = Manifest(**values)

    assert manifest.verdict("certified").passed
    assert manifest.verdict("beats_baselines") is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"version": "v1.0-real"}, "version v1.0-real of synthetic data"),
        ({"version": "newest"}, "'newest' is not a version name"),
        ({"size_bytes": 1}, "certificate.size_bytes"),
        ({"ir_version": 9}, "certificate.static.ir_version is 8, expected 9"),
        ({"opset": 17}, "certificate.static.opset is 18, expected 17"),
        ({"model_type": "outcome"}, "certificate.model_type is calling_score, expected outcome"),
        ({"inputs": FEATURES[::-1]}, "inputs are not those of the contract in its order"),
        ({"ignored_inputs": ("weather",)}, "ignored inputs that are no inputs: weather"),
        ({"metrics": {"test_mse": float("nan")}}, "finite"),
        ({"created_at": datetime(2026, 5, 1, 12)}, "timezone"),  # noqa: DTZ001
        ({"created_at": datetime(2026, 5, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))}, "expected UTC"),
        ({"created_at": datetime(2026, 5, 1, tzinfo=timezone(timedelta(hours=2)))}, "expected UTC"),
        ({"mood": "good"}, "Extra inputs are not permitted"),
        ({"source_kind": "imagined"}, "'synthetic', 'hybrid' or 'real'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_manifest_that_contradicts_itself_is_refused(values, changes, problem):
    with pytest.raises(ValidationError) as caught:
        Manifest(**(values | changes))

    assert problem in str(caught.value)


def test_a_manifest_of_another_file_is_refused(values):
    digests = values["digests"].model_copy(update={"onnx": "9" * 64})

    with pytest.raises(ValidationError, match=r"certificate.onnx_digest is .*; latency.onnx_digest is"):
        Manifest(**(values | {"digests": digests}))


def test_two_verdicts_of_one_gate_are_refused(values):
    verdict = values["verdicts"][0]

    with pytest.raises(ValidationError, match="more than one verdict"):
        Manifest(**(values | {"verdicts": (verdict, verdict)}))


def test_a_manifest_for_an_older_contract_stays_readable(values):
    digests = values["digests"].model_copy(update={"contract": "7" * 64})
    certificate = values["certificate"].model_copy(update={"contract_digest": "7" * 64})

    manifest = Manifest(
        **(values | {"digests": digests, "certificate": certificate, "inputs": FEATURES[:30]} | {"ignored_inputs": ()})
    )

    assert Manifest.from_bytes(manifest.to_bytes()).inputs == FEATURES[:30]


def test_a_damaged_manifest_is_one_error_that_names_file_and_problems(values, tmp_path):
    document = json.loads(Manifest(**values).to_bytes())
    del document["seed"]
    document["n_labelled"] = -1
    path = tmp_path / "manifest.json"
    path.write_bytes(canonical_json(document))

    with pytest.raises(ArtifactError) as caught:
        Manifest.from_file(path)

    assert str(path) in str(caught.value)
    assert "seed: Field required" in str(caught.value)
    assert "n_labelled: Input should be greater than or equal to 0" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_what_is_no_manifest_is_an_artifact_error(content):
    with pytest.raises(ArtifactError, match="not a readable Manifest"):
        Manifest.from_bytes(content)


def test_an_absent_manifest_is_an_artifact_error(tmp_path):
    with pytest.raises(ArtifactError, match="cannot be read"):
        Manifest.from_file(tmp_path / "manifest.json")
