"""Re-checks a registered version from its bytes up, years later: every digest, every stored part, parity with torch.

It changes nothing, but that files which are missing or damaged here are first taken from a store that keeps them.
What it needs is where things lie; what the checks mean is said in each check's detail.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spots_ml.digests import digest_bytes, digest_file
from spots_ml.errors import ArtifactError, SpotsMLError
from spots_ml.places import Places
from spots_ml.registry.published_files import (
    MANIFEST_NAME,
    ONNX_NAME,
    PublishedFilesError,
    published_files,
    version_directory,
)
from spots_ml.registry.records import ModelVersion, VersionContent, require_verdicts
from spots_ml.registry.registration import content_of
from spots_ml.registry.restoring import restorable
from spots_ml.registry.version_store import VersionFiles
from spots_ml.release.manifest import Manifest


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Attributes:
        name: What was checked.
        passed: Whether it is as it must be.
        detail: What was found, in one sentence.
    """

    name: str
    passed: bool
    detail: str


def verify_version(
    version: ModelVersion, places: Places, *, runtimes: Mapping[str, Path], store: VersionFiles | None = None
) -> tuple[Check, ...]:
    """Check everything a version is made of; nothing stops at the first finding.

    Args:
        version: The registry's row.
        places: Where its parts lie.
        runtimes: Interpreters by runtime name, as `release.certification.certify` takes them.
        store: The registry, to take missing or damaged files from; None: only what lies here is looked at.

    Returns:
        Every check that was made; the version is sound when all passed. Without a readable manifest only the files
        themselves can be checked.
    """
    directory = version_directory(places.models_dir, version.model_type, version.version)
    onnx_path, manifest_path = directory / ONNX_NAME, directory / MANIFEST_NAME
    if store is not None:
        with contextlib.suppress(PublishedFilesError):
            published_files(store, places.models_dir, version)
    checks = [
        _attempt(ONNX_NAME, lambda: _onnx(onnx_path, version, places)),
        _attempt(MANIFEST_NAME, lambda: _file(manifest_path, version.manifest_sha256)),
    ]
    try:
        manifest = Manifest.from_file(manifest_path)
    except ArtifactError as error:
        return (*checks, Check("manifest content", passed=False, detail=str(error)))
    digests = manifest.digests
    return (
        *checks,
        _attempt("registry row", lambda: _row(version, content_of(manifest, version.manifest_sha256))),
        _attempt("gates", lambda: _gates(manifest)),
        _attempt("snapshot", lambda: _snapshot(places.snapshots_dir, digests.snapshot)),
        _attempt("dataset", lambda: _dataset(places.datasets_dir, digests.dataset)),
        _attempt("trained model", lambda: _trained(places.trained_dir, manifest)),
        _attempt("certified file", lambda: _certified(places.onnx_dir, digests.onnx)),
        _attempt("latency report", lambda: _latency(places.benchmarks_dir, manifest)),
        _attempt("parity", lambda: _parity(onnx_path, manifest, places.trained_dir, runtimes)),
    )


def _attempt(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, passed=True, detail=check())
    except SpotsMLError as error:
        return Check(name, passed=False, detail=str(error))
    except OSError as error:
        return Check(name, passed=False, detail=f"{error.filename} cannot be read ({error.strerror})")


def _onnx(path: Path, version: ModelVersion, places: Places) -> str:
    if restorable(version, places):
        found = f"has digest {digest_file(path)}" if path.is_file() else "cannot be read"
        raise ArtifactError(
            f"{path} {found}, the registry says {version.sha256}; the same certified bytes are kept under that digest: "
            f"`spots-ml verify {version.model_type} {version.version} --restore` puts them back"
        )
    return _file(path, version.sha256)


def _file(path: Path, expected: str) -> str:
    found = digest_file(path)
    if found != expected:
        raise ArtifactError(f"{path} has digest {found}, the registry says {expected}; restore it from a backup")
    return f"digest {found[:12]}, as registered"


def _row(row: ModelVersion, content: VersionContent) -> str:
    differing = [
        f"{name} is {getattr(row, name)!r}, the manifest says {getattr(content, name)!r}"
        for name in VersionContent.model_fields
        if getattr(row, name) != getattr(content, name)
    ]
    if differing:
        raise ArtifactError(f"the registry's row differs from the manifest: {'; '.join(differing)}")
    return f"{len(VersionContent.model_fields)} fields agree with the manifest"


def _gates(manifest: Manifest) -> str:
    require_verdicts(manifest.model_type, manifest.version, manifest.verdicts, layout=manifest.schema_version)
    return f"passed: {', '.join(verdict.gate for verdict in manifest.verdicts)}"


def _snapshot(directory: Path, digest: str) -> str:
    from spots_ml.interactions.keeping.snapshot import read_snapshot

    snapshot, _ = read_snapshot(directory, digest)
    return f"{digest[:12]}, {snapshot.n_rows:,} interactions"


def _dataset(directory: Path, digest: str) -> str:
    from spots_ml.interactions.learning.fitness import read_verdict
    from spots_ml.interactions.learning.validation import load_dataset

    _, table = load_dataset(directory, digest)
    read_verdict(directory, digest)
    return f"{digest[:12]}, {table.num_rows:,} accepted rows, with their verdict"


def _trained(directory: Path, manifest: Manifest) -> str:
    from spots_ml.training.model import load_trained_model

    digest = manifest.digests.trained
    if load_trained_model(directory, digest).document.confidence != manifest.confidence:
        raise ArtifactError(
            f"the manifest's confidence profile is not that of the trained model {digest[:12]}; restore the manifest "
            "from a backup, or train again"
        )
    return f"{digest[:12]}, weights load"


def _certified(directory: Path, digest: str) -> str:
    from spots_ml.release.onnx.kept_files import load_onnx

    load_onnx(directory, digest)
    return f"{digest[:12]}, with its certificate"


def _latency(directory: Path, manifest: Manifest) -> str:
    from spots_ml.release.latency.report import load_latency

    digest = digest_bytes(manifest.latency.to_bytes())
    load_latency(directory, digest)
    return f"{digest[:12]}, as in the manifest"


def _parity(onnx_path: Path, manifest: Manifest, trained_dir: Path, runtimes: Mapping[str, Path]) -> str:
    from spots_ml.release.certification.certify import certify
    from spots_ml.training.model import golden_inputs, load_trained_model

    model = load_trained_model(trained_dir, manifest.digests.trained)
    certificate = certify(
        onnx_path.read_bytes(),
        model.network,
        golden_inputs(model),
        model_type=manifest.model_type,
        version=manifest.version,
        trained_digest=manifest.digests.trained,
        runtimes=runtimes,
        limits=manifest.certificate.limits,
    )
    certificate.require()
    return certificate.verdict().message
