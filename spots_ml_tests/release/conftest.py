"""Networks, good ONNX files and ways to spoil them, for every test of the release."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from spots_ml.models.declared import ModelType, model_spec
from spots_ml.release.certification.certificate import Certificate, CertificationLimits
from spots_ml.release.certification.certify import certify, default_runtimes
from spots_ml.release.onnx.graph import build_onnx
from spots_ml.training.network import ScoringNetwork

VERSION = "v1.0-synthetic"
TRAINED_DIGEST = "ab" * 32


@pytest.fixture(scope="session")
def make_network() -> Callable[[ModelType], ScoringNetwork]:
    """Networks whose preprocessing and calibration differ from doing nothing in every value."""

    def make(model_type: ModelType) -> ScoringNetwork:
        generator = torch.Generator().manual_seed(5)
        network = ScoringNetwork(model_type)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
            network.shift.copy_(0.3 + 0.4 * torch.rand(network.shift.shape, generator=generator))
            network.scale.copy_(2 + 2 * torch.rand(network.scale.shape, generator=generator))
            network.calibration_slope.fill_(0.8)
            network.calibration_intercept.fill_(-0.1)
        return network

    return make


@pytest.fixture(scope="session")
def network(make_network: Callable[[ModelType], ScoringNetwork]) -> ScoringNetwork:
    return make_network("calling_score")


@pytest.fixture(scope="session")
def good_file(network: ScoringNetwork) -> bytes:
    return build_onnx(network, version=VERSION, trained_digest=TRAINED_DIGEST)


@pytest.fixture(scope="session")
def golden() -> Callable[[ModelType, int], np.ndarray]:
    """Random contract rows."""

    def rows(model_type: ModelType, n_rows: int = 40) -> np.ndarray:
        return np.random.default_rng(3).random((n_rows, model_spec(model_type).n_inputs), dtype=np.float32)

    return rows


@pytest.fixture(scope="session")
def runtimes() -> dict[str, Path]:
    """Both interpreters; without the client's one the tests that need it fail, as they must."""
    return default_runtimes(Path(__file__).resolve().parents[2] / ".venv-client" / "bin" / "python")


@pytest.fixture(scope="session")
def judge(
    network: ScoringNetwork, golden: Callable[..., np.ndarray], runtimes: dict[str, Path]
) -> Callable[..., Certificate]:
    """Certifies a file against `network`, with few random rows unless told otherwise."""

    def certificate_of(content: bytes, **changes: object) -> Certificate:
        arguments: dict[str, object] = {
            "network": network,
            "golden_inputs": golden("calling_score"),
            "model_type": "calling_score",
            "version": VERSION,
            "trained_digest": TRAINED_DIGEST,
            "runtimes": runtimes,
            "limits": CertificationLimits(n_random_rows=1000),
        }
        return certify(content, **(arguments | changes))

    return certificate_of


@pytest.fixture(scope="session")
def spoil() -> Callable[[bytes, Callable[[onnx.ModelProto], object]], bytes]:
    """Changes a file by an edit of its parsed form."""

    def changed(content: bytes, edit: Callable[[onnx.ModelProto], object]) -> bytes:
        model = onnx.load_from_string(content)
        edit(model)
        return model.SerializeToString()

    return changed


@pytest.fixture(scope="session")
def without_preprocessing(spoil: Callable[..., bytes]) -> Callable[[bytes], bytes]:
    """The file as the earlier exporter made it: the first layer takes raw input, no scaler."""

    def edit(model: onnx.ModelProto) -> None:
        del model.graph.node[:2]
        model.graph.node[0].input[0] = "input"
        for name in ("shift", "scale"):
            model.graph.initializer.remove(next(t for t in model.graph.initializer if t.name == name))

    return lambda content: spoil(content, edit)
