"""Keeps certified files by digest: `<directory>/<sha256>/model.onnx` with `certificate.json` beside it.

Published versions, which have names, are the registry's business.
"""

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from spots_ml.digests import digest_bytes, seal, unseal
from spots_ml.errors import ArtifactError
from spots_ml.files import publish_directory, write_whole
from spots_ml.release.certification.certificate import Certificate
from spots_ml.troubles import raise_unless_missing

ONNX_FILE: Final = "model.onnx"
CERTIFICATE_FILE: Final = "certificate.json"


def save_onnx(content: bytes, certificate: Certificate, directory: Path) -> str:
    """Keep a file and what its latest certification found, good or bad.

    The file never changes under its digest; the certificate is replaced, because a repaired runtime may judge anew.

    Args:
        content: The ONNX file.
        certificate: Its certificate.
        directory: The folder of all ONNX files.

    Returns:
        The file's SHA-256, which names its folder.

    Raises:
        ArtifactError: When the certificate is about another file.
    """
    digest = digest_bytes(content)
    if certificate.onnx_digest != digest:
        raise ArtifactError(
            f"the certificate is about {certificate.onnx_digest}, the file is {digest}; certify it again"
        )

    sealed = seal(certificate.model_dump(mode="json"))

    def fill(folder: Path) -> None:
        (folder / ONNX_FILE).write_bytes(content)
        (folder / CERTIFICATE_FILE).write_bytes(sealed)

    publish_directory(directory / digest, fill)
    write_whole(directory / digest / CERTIFICATE_FILE, sealed)
    return digest


def load_onnx(directory: Path, digest: str) -> tuple[bytes, Certificate]:
    """Load a file and its certificate after checking them against the digest.

    Args:
        directory: The folder of all ONNX files.
        digest: The file's SHA-256.

    Returns:
        The file's bytes and its certificate.

    Raises:
        ArtifactError: When either is missing, damaged, or about something else.
    """
    folder = directory / digest
    try:
        content = (folder / ONNX_FILE).read_bytes()
        certificate = Certificate.model_validate(unseal((folder / CERTIFICATE_FILE).read_bytes()))
    except OSError as error:
        raise_unless_missing(error, folder)
        raise ArtifactError(
            f"ONNX file {digest} cannot be read in {directory} ({error}); materialise onnx_model again"
        ) from error
    except (ArtifactError, ValidationError) as error:
        raise ArtifactError(f"{folder / CERTIFICATE_FILE}: {error} (materialise onnx_model)") from error
    found = digest_bytes(content)
    if found != digest or certificate.onnx_digest != digest:
        raise ArtifactError(
            f"ONNX file {digest} is damaged: {ONNX_FILE} has the digest {found}, {CERTIFICATE_FILE} is about "
            f"{certificate.onnx_digest}; delete {folder} and materialise onnx_model again"
        )
    return content, certificate
