"""A published version as the kit takes it: its two files, proven to be those that were registered."""

from dataclasses import dataclass
from pathlib import Path

from spots_ml.digests import digest_bytes
from spots_ml.errors import ArtifactError, ContractError
from spots_ml.features.contract import CONTRACT_DIGEST, ModelType
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
    """

    model_type: ModelType
    version: str
    weight: float
    onnx: bytes
    manifest: bytes

    @property
    def onnx_sha256(self) -> str:
        """SHA-256 of the ONNX file."""
        return digest_bytes(self.onnx)

    @property
    def manifest_sha256(self) -> str:
        """SHA-256 of the manifest."""
        return digest_bytes(self.manifest)


def read_published(
    directory: Path, *, model_type: ModelType, version: str, weight: float, onnx_sha256: str, manifest_sha256: str
) -> PublishedModel:
    """Read a published version, and insist that it is what the registry knows.

    Args:
        directory: Where `model.onnx` and `manifest.json` lie.
        model_type: The model.
        version: Its name.
        weight: Its weight in the registry, in [0, 1].
        onnx_sha256: Digest of `model.onnx` in the registry.
        manifest_sha256: Digest of `manifest.json` in the registry.

    Returns:
        The version.

    Raises:
        ArtifactError: When a file is missing, damaged, or not the one that was registered; all problems at once.
        ContractError: When the version was made for another feature contract.
    """
    problems, files = [], {}
    for name, expected in (("model.onnx", onnx_sha256), ("manifest.json", manifest_sha256)):
        try:
            files[name] = (directory / name).read_bytes()
        except OSError as error:
            problems.append(f"{directory / name} cannot be read ({error.strerror})")
            continue
        if (found := digest_bytes(files[name])) != expected:
            problems.append(f"{directory / name} has digest {found[:12]}, the registry says {expected[:12]}")
    if problems:
        raise ArtifactError(
            f"no kit is made of {model_type} {version}: {'; '.join(problems)}; restore the files from a backup, "
            "or name another version"
        )
    manifest = Manifest.from_bytes(files["manifest.json"])
    if (manifest.model_type, manifest.version) != (model_type, version):
        raise ArtifactError(
            f"{directory / 'manifest.json'} is about {manifest.model_type} {manifest.version}, expected {model_type} "
            f"{version}; restore it from a backup"
        )
    if manifest.digests.contract != CONTRACT_DIGEST:
        raise ContractError(
            f"{model_type} {version} was made for the feature contract {manifest.digests.contract[:12]}, in force is "
            f"{CONTRACT_DIGEST[:12]}; train and register a version for the contract in force"
        )
    return PublishedModel(model_type, version, weight, files["model.onnx"], files["manifest.json"])
