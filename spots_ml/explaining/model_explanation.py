"""One model's answer to one row, explained twice: from the torch weights and from the published ONNX file.

From the weights: what every single input adds (`attribution`). From the file, through nothing but its answers: what
groups of inputs add (`shapley`). Both start at the training means. What is missing is said, never filled.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.errors import ArtifactError, ContractError
from spots_ml.explaining.shapley import GroupShapley, group_shapley
from spots_ml.features.input_groups import group_of_input, input_groups
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.registry.records import ModelVersion
from spots_ml.registry.serving import read_version
from spots_ml.registry.version_store import VersionFiles
from spots_ml.release.certification.certificate import Certificate, CertificationLimits
from spots_ml.release.onnx.graph import training_means
from spots_ml.scoring.fallback import ModelUnavailableError
from spots_ml.scoring.served import MissingModel, ServedModel

if TYPE_CHECKING:
    from spots_ml.explaining.attribution import Attribution

TOLERANCE: Final = CertificationLimits().tolerance
"""Most by which torch and ONNX may differ, where nothing is known of the model's own rounding."""
INTEGRATION_LIMIT: Final = 1e-6
"""Most by which integrated gradients may miss the answer."""
SHAPLEY_LIMIT: Final = 1e-12
"""Most by which Shapley values may miss the answer: sums of a few numbers in float64."""


class Document(BaseModel):
    """A part of an explanation: plain values that never change."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


class Completeness(Document):
    """Whether the parts of an explanation add up to the answer, so that it can be trusted."""

    name: str
    passed: bool | None = Field(description="Null: it could not be made.")
    error: float | None = Field(description="What was measured; null: nothing.")
    limit: float = Field(description="Most that is allowed.")
    told: str = Field(description="In words.")


class InputContribution(Document):
    """What one input adds, by integrated gradients."""

    name: str
    group: str
    value: float = Field(description="As it was fed.")
    baseline: float = Field(description="Its mean in training.")
    contribution: float = Field(description="In units of the answer.")


class GroupContribution(Document):
    """What one group of inputs adds, both ways."""

    name: str
    torch: float | None = Field(description="Sum of integrated gradients; null: no torch weights.")
    onnx: float | None = Field(description="Shapley value through the ONNX file; null: it does not answer.")


class ModelExplanation(Document):
    """One model's answer to one row."""

    model_type: ModelType
    version: str | None = Field(description="The version that was to answer; null: there is none.")
    fallback: str | None = Field(description="Why the ONNX file did not answer; null: it did.")
    torch_missing: str | None = Field(description="Why there are no torch weights; null: there are.")
    onnx_answer: float | None
    torch_answer: float | None
    difference: float | None = Field(description="|torch - ONNX|; null: one of them is missing.")
    baseline_answer: float | None = Field(description="Answer at the training means; null: nobody can tell.")
    groups: tuple[GroupContribution, ...] = Field(description="In contract order; empty without any answer.")
    inputs: tuple[InputContribution, ...] = Field(description="In contract order; empty without torch weights.")
    checks: tuple[Completeness, ...] = Field(description="Empty without any answer.")


@dataclass(frozen=True)
class _Torch:
    answer: float
    baseline: np.ndarray
    attribution: "Attribution"


@dataclass(frozen=True)
class _Onnx:
    answer: float
    shapley: GroupShapley
    parity_limit: float


def explain_model(
    model_type: ModelType,
    model: ServedModel | MissingModel,
    row: ModelVersion | None,
    inputs: np.ndarray,
    *,
    answer: float,
    fallback: str | None,
    store: VersionFiles,
    models_dir: Path,
    trained_dir: Path,
) -> ModelExplanation:
    """Explain a model's answer to a row.

    Args:
        model_type: Which model.
        model: What was asked to answer.
        row: The version in the registry; None: there is none.
        inputs: `(1, n_inputs)` float32, as they were fed.
        answer: What the scorer got from the model; NaN: nothing.
        fallback: Why the model did not answer; None: it did.
        store: The registry.
        models_dir: The folder of all published versions.
        trained_dir: The folder of trained models.

    Returns:
        The explanation; what could not be had is null in it, with the reason.
    """
    torch, torch_missing = _from_torch(trained_dir, row, inputs)
    onnx = None
    if fallback is None and isinstance(model, ServedModel) and row is not None:
        try:
            content, manifest = read_version(store, models_dir, row)
            onnx = _from_onnx(model, content, manifest.certificate, inputs, answer)
        except (ModelUnavailableError, ArtifactError) as error:
            fallback = str(error)
    names = model_spec(model_type).inputs
    groups, group_of = input_groups(names), group_of_input(names)
    attributed = None if torch is None else torch.attribution.contributions[0]
    shapley = None if onnx is None else onnx.shapley.contributions[0]
    baseline = onnx.shapley.baseline_answer if onnx else torch.attribution.baseline_answer if torch else None
    return ModelExplanation(
        model_type=model_type,
        version=model.version,
        fallback=fallback,
        torch_missing=torch_missing,
        onnx_answer=onnx.answer if onnx else None,
        torch_answer=torch.answer if torch else None,
        difference=abs(torch.answer - onnx.answer) if torch and onnx else None,
        baseline_answer=baseline,
        groups=tuple(
            GroupContribution(
                name=name,
                torch=None if attributed is None else float(attributed[list(indices)].sum()),
                onnx=None if shapley is None else float(shapley[place]),
            )
            for place, (name, indices) in enumerate(groups.items())
            if torch or onnx
        ),
        inputs=tuple(
            InputContribution(
                name=name,
                group=group_of[name],
                value=float(inputs[0, index]),
                baseline=float(torch.baseline[index]),
                contribution=float(torch.attribution.contributions[0, index]),
            )
            for index, name in enumerate(names)
            if torch
        ),
        checks=tuple(_checks(torch, onnx)) if torch or onnx else (),
    )


def _from_torch(trained_dir: Path, row: ModelVersion | None, inputs: np.ndarray) -> tuple[_Torch | None, str | None]:
    from spots_ml.explaining.attribution import integrated_gradients
    from spots_ml.training.trained_model import load_trained_model

    if row is None:
        return None, "there is no version"
    try:
        model = load_trained_model(trained_dir, row.content_digest)
    except (ArtifactError, ContractError) as error:
        return None, str(error)
    attribution = integrated_gradients(model.network, inputs)
    return _Torch(float(model.predict(inputs)[0]), model.network.shift.numpy(), attribution), None


def _from_onnx(
    model: ServedModel, content: bytes, certificate: Certificate, inputs: np.ndarray, answer: float
) -> _Onnx:
    background, groups = training_means(content)[None], input_groups(model_spec(certificate.model_type).inputs)
    shapley = group_shapley(model.predictor.predict, inputs, background, groups)
    if not np.isfinite(shapley.contributions).all():
        raise ModelUnavailableError("bad_answer", "it answers some coalition of groups with no number in [0, 1]")
    # Either is that near to the exact answer: torch by its own rounding, ONNX by what is allowed.
    return _Onnx(answer, shapley, certificate.tolerance + (certificate.rounding or 0.0))


def _checks(torch: _Torch | None, onnx: _Onnx | None) -> list[Completeness]:
    difference = abs(torch.answer - onnx.answer) if torch and onnx else None
    integrated = float(torch.attribution.completeness_error[0]) if torch else None
    shared = (
        abs(float(onnx.shapley.contributions[0].sum()) - (onnx.answer - onnx.shapley.baseline_answer)) if onnx else None
    )
    adds_up = "contributions add up to answer - answer at the training means"
    return [
        _check("parity", difference, onnx.parity_limit if onnx else TOLERANCE, "torch and ONNX give the same answer"),
        _check("integrated gradients", integrated, INTEGRATION_LIMIT, f"torch: {adds_up}"),
        _check("Shapley values", shared, SHAPLEY_LIMIT, f"ONNX: {adds_up}"),
    ]


def _check(name: str, error: float | None, limit: float, told: str) -> Completeness:
    passed = None if error is None else error <= limit
    return Completeness(name=name, passed=passed, error=error, limit=limit, told=told)
