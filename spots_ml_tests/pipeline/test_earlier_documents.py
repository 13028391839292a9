"""The documents of one chain, as an earlier program wrote them, are read today and written again byte by byte."""

import json
from pathlib import Path

import pytest

from spots_ml.digests import digest_bytes, seal, unseal
from spots_ml.interactions.keeping.snapshot import Snapshot
from spots_ml.interactions.learning.report import DatasetReport
from spots_ml.release.certification.certificate import Certificate
from spots_ml.release.latency.report import LatencyReport
from spots_ml.release.manifest import Manifest
from spots_ml.training.trained_model import TrainedDocument
from spots_ml.verdicts import Verdict

FOLDER = Path(__file__).with_name("earlier")
SEALED = {"snapshot": Snapshot, "report": DatasetReport, "verdict": Verdict, "certificate": Certificate}


def content(name):
    return (FOLDER / f"{name}.json").read_bytes()


@pytest.fixture(scope="module")
def manifest():
    return Manifest.from_bytes(content("manifest"))


@pytest.mark.parametrize("name", SEALED)
def test_a_sealed_document_is_read_and_written_again(name):
    document = SEALED[name].model_validate(unseal(content(name)))

    assert seal(document.model_dump(mode="json")) == content(name)


def test_a_trained_model_s_document_is_read_and_keeps_its_digest(manifest):
    document = TrainedDocument.model_validate_json(content("model"))

    assert document.content() == content("model")
    assert digest_bytes(document.content()) == manifest.digests.trained
    assert document.config.digest() == document.config_digest == manifest.digests.config


def test_a_latency_report_is_read_and_written_again():
    assert LatencyReport.from_bytes(content("latency")).to_bytes() == content("latency")


def test_a_manifest_is_read_and_written_again(manifest):
    assert manifest.to_bytes() == content("manifest")


def test_a_dataset_keeps_its_digest_and_its_thresholds(manifest):
    report = DatasetReport.model_validate(unseal(content("report")))

    assert report.computed_digest() == report.digest == manifest.digests.dataset
    assert report.snapshot_digest == json.loads(content("snapshot"))["digest"] == manifest.digests.snapshot


def test_what_the_manifest_holds_is_what_the_other_documents_say(manifest):
    assert manifest.certificate == Certificate.model_validate(unseal(content("certificate")))
    assert manifest.latency == LatencyReport.from_bytes(content("latency"))
    assert manifest.confidence == TrainedDocument.model_validate_json(content("model")).confidence
    assert manifest.verdict("valid_dataset") == Verdict.model_validate(unseal(content("verdict")))
