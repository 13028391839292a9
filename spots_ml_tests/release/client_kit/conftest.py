"""Two versions whose answers cover everything that a decision depends on, and a kit of them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from spots_ml.models.declared import ModelType
from spots_ml.release.client_kit.kit import KitReport, write_kit
from spots_ml.release.client_kit.published import PublishedModel
from spots_ml.release.onnx.graph import build_onnx
from spots_ml.training.network import ScoringNetwork
from spots_ml_tests.registry.building import make_manifest

VERSION = "v1.3-hybrid"
WEIGHT = 0.3
LOGITS: dict[ModelType, tuple[float, float]] = {"calling_score": (0.8, 0.8), "outcome": (1.2, 1.2)}
"""Mean and standard deviation of what the networks answer to random rows, before the sigmoid."""


@pytest.fixture(scope="session")
def published(make_network: Callable[[ModelType], ScoringNetwork]) -> dict[ModelType, PublishedModel]:
    """Both models, certified by nobody: their answers are arbitrary, but spread over [0, 1]."""
    return {model_type: _published(model_type, make_network(model_type)) for model_type in LOGITS}


def _published(model_type: ModelType, network: ScoringNetwork) -> PublishedModel:
    rows = torch.rand((2000, network.shift.shape[-1]), generator=torch.Generator().manual_seed(1))
    mean, sd = LOGITS[model_type]
    with torch.no_grad():
        network.calibration_slope.fill_(1.0)
        network.calibration_intercept.fill_(0.0)
        logits = torch.logit(network(rows))
        network.calibration_slope.fill_(sd / logits.std())
        network.calibration_intercept.fill_(mean - logits.mean() * sd / logits.std())
    return PublishedModel(
        model_type,
        VERSION,
        WEIGHT,
        build_onnx(network, version=VERSION, trained_digest="ab" * 32),
        make_manifest(version=VERSION, model_type=model_type).to_bytes(),
    )


@pytest.fixture(scope="session")
def whole_kit(
    published: dict[ModelType, PublishedModel], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, KitReport]:
    """A kit that no test changes, and what writing it reported."""
    directory = tmp_path_factory.mktemp("kit") / "kit"
    return directory, write_kit(directory, published["calling_score"], published["outcome"])


@pytest.fixture
def kit(whole_kit: tuple[Path, KitReport], tmp_path: Path) -> Path:
    """A copy of the kit, to be spoilt."""
    return Path(shutil.copytree(whole_kit[0], tmp_path / "kit", ignore=shutil.ignore_patterns("node_modules")))
