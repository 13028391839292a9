"""A published version as the kit takes it: its two files, as `registry.published_files` hands them out."""

from dataclasses import dataclass

from spots_ml.digests import digest_bytes
from spots_ml.errors import ArtifactError, ContractError
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.models.declared import ModelType
from spots_ml.release.certification.certificate import CertificationLimits
from spots_ml.release.manifest import Manifest


@dataclass(frozen=True)
class PublishedModel:
    """One version with its files.

    Attributes:
        model_type: The model.
        version: Its name.
        weight: Share of the neural score in the hybrid score, in [0, 1]; of no use for the outcome model.
        onnx: The bytes of `model.onnx`.
        manifest: The bytes of `manifest.json`.
        filter_on: Of an outcome model, whether it may block calls.
        tolerance: How far a runtime may be from its exact answers, by its certificate.
    """

    model_type: ModelType
    version: str
    weight: float
    onnx: bytes
    manifest: bytes
    filter_on: bool = True
    tolerance: float = CertificationLimits().tolerance

    @property
    def onnx_sha256(self) -> str:
        """SHA-256 of the ONNX file."""
        return digest_bytes(self.onnx)

    @property
    def manifest_sha256(self) -> str:
        """SHA-256 of the manifest."""
        return digest_bytes(self.manifest)


def published_model(
    onnx: bytes, manifest: bytes, *, model_type: ModelType, version: str, weight: float
) -> PublishedModel:
    """Take a published version into a kit, and insist that the kit's rules are those it was made for.

    Args:
        onnx: The bytes of `model.onnx`, as they were registered.
        manifest: The bytes of `manifest.json`, as they were registered.
        model_type: The model.
        version: Its name.
        weight: Its weight in the registry, in [0, 1].

    Returns:
        The version.

    Raises:
        ArtifactError: When the manifest cannot be read or is about another version.
        ContractError: When the version was made for another feature contract.
    """
    document = Manifest.from_bytes(manifest)
    if (document.model_type, document.version) != (model_type, version):
        raise ArtifactError(
            f"the manifest is about {document.model_type} {document.version}, expected {model_type} {version}; "
            "restore it from a backup"
        )
    if document.digests.contract != CONTRACT_DIGEST:
        raise ContractError(
            f"{model_type} {version} was made for the feature contract {document.digests.contract[:12]}, in force is "
            f"{CONTRACT_DIGEST[:12]}; train and register a version for the contract in force"
        )
    return PublishedModel(
        model_type, version, weight, onnx, manifest, document.filter_on, document.certificate.tolerance
    )
