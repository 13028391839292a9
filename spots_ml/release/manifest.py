"""The manifest of a version: everything needed to know what it is, where it came from and why it may ship.

It is written once, beside `model.onnx`, and never changes; what happens to the version later is kept in the
registry. A version's name, such as `v1.3-hybrid`, is counted up per model and ends with the kind of the data behind it;
which names are taken is the registry's knowledge.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import AwareDatetime, Field, JsonValue, field_validator, model_validator

from spots_ml.errors import ConfigError, SpotsMLError
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.interactions.kinds import SOURCE_KINDS, SourceKind
from spots_ml.interactions.learning.split_rules import SplitSizes
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.release.certification.certificate import Certificate
from spots_ml.release.documents import MANIFEST_LAYOUT, Digest, ReleaseDocument
from spots_ml.release.latency.report import LatencyReport
from spots_ml.scoring.confidence import ConfidenceProfile
from spots_ml.verdicts import Verdict


class ContentDigests(ReleaseDocument):
    """SHA-256 of everything a version was made from, in the order of the chain."""

    snapshot: Digest = Field(description="Interactions as they were read.")
    dataset: Digest = Field(description="Accepted rows.")
    contract: Digest = Field(description="Feature contract.")
    config: Digest = Field(description="Training configuration.")
    weights: Digest = Field(description="Weights file (safetensors).")
    trained: Digest = Field(description="Trained model: weights and what they were trained from.")
    onnx: Digest = Field(description="The file that ships.")


class Manifest(ReleaseDocument):
    """What a version is; one JSON document that can be checked years later."""

    schema_version: int = Field(
        default=MANIFEST_LAYOUT, ge=1, le=MANIFEST_LAYOUT, description="Layout of this document."
    )
    model_type: ModelType
    version: str = Field(description="Name of the version, such as v1.0-synthetic.")
    created_at: AwareDatetime = Field(description="When the version was made (UTC).")
    source_kind: SourceKind = Field(description="Kind of data it learned from; the version's suffix.")
    source: str = Field(description="Where that data came from, for a person.")
    watermark: str | None = Field(description="Label watermark of the store at reading; null: not from a store.")
    n_labelled: int = Field(ge=0, description="Labelled rows in the dataset.")
    n_rows_by_split: dict[str, int] = Field(description="Rows per split: train, validation, test, purged, over a cap.")
    split_sizes: SplitSizes | None = Field(
        default=None,
        exclude_if=lambda sizes: sizes is None,
        description="Agents in each part and the caps they obey; absent from older manifests, which had none.",
    )
    seed: int = Field(ge=0, description="Seed of the split and of the training.")
    digests: ContentDigests
    metrics: dict[str, float] = Field(description="Headline numbers on the test rows; units in the keys.")
    evaluation: dict[str, JsonValue] = Field(description="Every predictor's metrics with their intervals.")
    verdicts: tuple[Verdict, ...] = Field(description="What each gate said; one verdict per gate.")
    certificate: Certificate
    latency: LatencyReport
    ir_version: int = Field(ge=1, description="ONNX IR version of the file.")
    opset: int = Field(ge=1, description="Opset of the file.")
    size_bytes: int = Field(ge=1, description="Size of the file.")
    inputs: tuple[str, ...] = Field(description="Names of the inputs in contract order.")
    ignored_inputs: tuple[str, ...] = Field(description="Inputs constant in training, which the model never uses.")
    environment: dict[str, str] = Field(description="Versions of what made it: python, torch, onnx, ...")
    decision: dict[str, JsonValue] | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="What it does to the decision on the test rows, with what stood beside it at registration; absent "
        "where it has no part in the decision, and from older manifests.",
    )
    champion: dict[str, JsonValue] | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="It beside the version that was active at registration, on the same rows; absent while none was.",
    )
    filter_on: bool = Field(
        default=True,
        exclude_if=lambda on: on,
        description="False: an outcome model that may block no calls, because it would take away too many; see the "
        "verdict decision_effect. Absent: it may, or it is no outcome model.",
    )
    confidence: ConfidenceProfile | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="How much it may weigh, row by row; absent from the outcome model and from older manifests.",
    )

    @field_validator("created_at")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        if value.utcoffset() != timedelta(0):
            raise ValueError(f"is in the zone {value.tzinfo}; expected UTC")
        return value

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        problems = self._version_problems()
        pairs = {
            "certificate.onnx_digest": (self.certificate.onnx_digest, self.digests.onnx),
            "latency.onnx_digest": (self.latency.onnx_digest, self.digests.onnx),
            "certificate.contract_digest": (self.certificate.contract_digest, self.digests.contract),
            "certificate.model_type": (self.certificate.model_type, self.model_type),
            "certificate.size_bytes": (self.certificate.size_bytes, self.size_bytes),
            "certificate.static.ir_version": (self.certificate.static.ir_version, self.ir_version),
            "certificate.static.opset": (self.certificate.static.opset, self.opset),
        }
        problems += [f"{name} is {found}, expected {told}" for name, (found, told) in pairs.items() if found != told]
        gates = [verdict.gate for verdict in self.verdicts]
        if len(set(gates)) != len(gates):
            problems.append(f"a gate has more than one verdict: {', '.join(sorted(gates))}")
        if self.digests.contract == CONTRACT_DIGEST and self.inputs != model_spec(self.model_type).inputs:
            problems.append("inputs are not those of the contract in its order")
        if strangers := sorted(set(self.ignored_inputs) - set(self.inputs)):
            problems.append(f"ignored inputs that are no inputs: {', '.join(strangers)}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _version_problems(self) -> list[str]:
        try:
            kind = parse_version(self.version).kind
        except SpotsMLError as error:
            return [str(error)]
        return [] if kind == self.source_kind else [f"version {self.version} of {self.source_kind} data"]

    def verdict(self, gate: str) -> Verdict | None:
        """Look up what a gate said.

        Args:
            gate: Name of the gate, such as `certified`.

        Returns:
            Its verdict, or None when the gate never spoke: the caller decides what silence means (refused).
        """
        return next((verdict for verdict in self.verdicts if verdict.gate == gate), None)


CURRENT_MAJOR: Final = 1
"""The major number of new versions; raised when the app has to change to use a model."""

_PATTERN: Final = re.compile(r"v(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})-(synthetic|hybrid|real)")


@dataclass(frozen=True, order=True)
class VersionName:
    """A version name in its parts; sorts by number, not by text.

    >>> parse_version("v1.10-real") > parse_version("v1.9-real")
    True
    """

    major: int
    minor: int
    kind: SourceKind

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}-{self.kind}"


def parse_version(text: str) -> VersionName:
    """Read a version name.

    Args:
        text: For example `v1.3-hybrid`; nothing around it, no leading zeros.

    Returns:
        Its parts; `str()` of them is `text` again.

    Raises:
        ConfigError: When it is not a version name. A name that passes is safe as a folder name.

    >>> parse_version("v1.3-hybrid")
    VersionName(major=1, minor=3, kind='hybrid')
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"{text!r} is not a version name; expected v<major>.<minor>-<kind> with kind one of "
            f"{', '.join(SOURCE_KINDS)}, such as v1.0-synthetic"
        )
    kind: SourceKind = next(kind for kind in SOURCE_KINDS if kind == match[3])
    return VersionName(major=int(match[1]), minor=int(match[2]), kind=kind)


def next_version(taken: Iterable[str], kind: SourceKind) -> str:
    """Name the next version of a model: one count for all kinds of data.

    Args:
        taken: Every version name that the model ever had, in any order; archived ones included.
        kind: The kind of data behind the new version.

    Returns:
        The first name when nothing is taken, else the highest minor number of the current major plus one.
        Gaps are not filled: a number is never used twice.

    Raises:
        ConfigError: When a taken name is not a version name.

    >>> next_version([], "synthetic"), next_version(["v1.0-synthetic", "v1.10-hybrid"], "real")
    ('v1.0-synthetic', 'v1.11-real')
    """
    minors = [name.minor for name in map(parse_version, taken) if name.major == CURRENT_MAJOR]
    return str(VersionName(CURRENT_MAJOR, max(minors, default=-1) + 1, kind))
