"""The base of the documents a release leaves behind: certificate, latency report, manifest; and where they were made.

They are frozen, refuse unknown fields and numbers that are not finite, and have one canonical form as bytes.
"""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from spots_ml.digests import canonical_json
from spots_ml.errors import ArtifactError
from spots_ml.troubles import raise_unless_missing

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""64 lower-case hexadecimal digits of SHA-256."""

RuntimeVersion = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)*$")]
"""Version of an ONNX Runtime that was released, such as 1.15.1."""

MANIFEST_LAYOUT: Final = 2
"""Of a version's manifest. The first one knew nothing of what a version does to the decision, nor of the version that
was active then."""

_MAX_LISTED_PROBLEMS: Final = 20
_RECORDED: Final = ("spots_ml", "torch", "onnx", "onnxruntime", "numpy", "scikit-learn", "pyarrow")


class ReleaseDocument(BaseModel):
    """A frozen document whose canonical JSON can be written, digested and read back without loss."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    def to_bytes(self) -> bytes:
        """Write the document in its one canonical form.

        Returns:
            UTF-8 JSON: sorted keys, no blanks, one newline at the end. Equal documents give equal bytes.
        """
        return canonical_json(self.model_dump(mode="json")) + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a document back.

        Args:
            content: What `to_bytes` wrote.

        Returns:
            The document, equal to the one that was written.

        Raises:
            ArtifactError: When the content is not such a document; every problem is listed.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            problems = [
                f"{'.'.join(map(str, problem['loc'])) or 'document'}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_input=False)[:_MAX_LISTED_PROBLEMS]
            ]
            raise ArtifactError(
                f"not a readable {cls.__name__}: {'; '.join(problems)}. "
                "Expected the file as it was written; restore it or make the artifact again."
            ) from error

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a document from its file.

        Args:
            path: A file that holds what `to_bytes` wrote.

        Returns:
            The document.

        Raises:
            ArtifactError: When the file is absent, unreadable or not such a document; the message names it.
        """
        try:
            return cls.from_bytes(path.read_bytes())
        except OSError as error:
            raise_unless_missing(error, path)
            raise ArtifactError(f"{path} cannot be read ({error.strerror}); make the artifact again") from error
        except ArtifactError as error:
            raise ArtifactError(f"{path}: {error}") from error


def environment_versions() -> dict[str, str]:
    """Collect the versions of the interpreter and of the libraries that shape a model; imports none.

    Returns:
        Versions by name; `python` and `platform` beside the libraries.

    Raises:
        importlib.metadata.PackageNotFoundError: When one is not installed.

    >>> sorted(environment_versions())[:3]
    ['numpy', 'onnx', 'onnxruntime']
    """
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **{name: importlib.metadata.version(name) for name in _RECORDED},
    }


def machine() -> str:
    """Describe the machine: processor, logical cores, operating system.

    Returns:
        One line, such as `Some CPU, 8 cores, Linux x86_64`.
    """
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(errors="replace").splitlines() if cpuinfo.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = (named or [platform.processor() or "unknown processor"])[0]
    return f"{processor}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
