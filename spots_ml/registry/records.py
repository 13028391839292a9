"""What the registry remembers, versions and what happened to them, and which verdicts it requires before it does.

Nobody steps around the verdicts: every store asks for them, too. How they come about is in `training` and `release`;
which changes are allowed later is in `lifecycle`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from spots_ml.errors import GateError
from spots_ml.interactions.kinds import SourceKind
from spots_ml.models.declared import ModelType
from spots_ml.release.documents import MANIFEST_LAYOUT, Digest, RuntimeVersion
from spots_ml.verdicts import Verdict

Status = Literal["staging", "active", "deprecated", "archived"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)

Number = Literal["weight", "traffic"]
"""What may be changed of a version beside its status."""

Action = Literal[
    "registered",
    "reaffirmed",
    "promoted",
    "superseded",
    "rolled_back",
    "restored",
    "archived",
    "weight_set",
    "traffic_set",
    "withdrawn",
    "unarchived",
]


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset() != timedelta(0):
        raise ValueError(f"is in the zone {moment.tzinfo}; expected UTC")
    return moment


UtcTime = Annotated[AwareDatetime, AfterValidator(_utc)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


class VersionContent(_Record):
    """What a version is: fixed at registration and never changed."""

    model_type: ModelType
    version: str = Field(description="Name of the version, such as v1.0-synthetic.")
    content_digest: Digest = Field(description="SHA-256 that identifies the trained model: same content, same version.")
    sha256: Digest = Field(description="SHA-256 of model.onnx.")
    manifest_sha256: Digest = Field(description="SHA-256 of manifest.json.")
    contract_digest: Digest = Field(description="Feature contract it was made for.")
    dataset_digest: Digest = Field(description="Accepted rows it learned from.")
    source_kind: SourceKind = Field(description="Kind of data it learned from; the version's suffix.")
    source: str = Field(description="Where that data came from, for a person.")
    n_labelled: int = Field(ge=0, description="Labelled rows in the dataset.")
    metrics: dict[str, float] = Field(description="Headline numbers on the test rows; units in the keys.")
    filter_on: bool = Field(
        default=True,
        description="Of an outcome filter, whether it may block calls: false where it would take away more than the "
        "declared bounds allow. True for other kinds, and for versions from before this was measured.",
    )


class FileLocation(_Record):
    """Where a phone gets the ONNX file of a version, and what it needs to run it."""

    path: str = Field(min_length=1, description="Name of the file where the store keeps files.")
    size_bytes: int = Field(ge=1, description="Size of the file.")
    client_runtime_floor: RuntimeVersion = Field(description="Oldest client runtime it was certified in.")


class Candidate(_Record):
    """A version offered for registration, with what the gates said about it."""

    content: VersionContent
    watermark: str | None = Field(description="Label watermark of the store behind the data; None: not from a store.")
    verdicts: tuple[Verdict, ...]
    layout: int = Field(
        default=MANIFEST_LAYOUT, ge=1, le=MANIFEST_LAYOUT, description="Of its manifest: which gates there were."
    )
    file: FileLocation | None = Field(default=None, description="What `keep_files` answered; None: nothing is kept.")


class ModelVersion(VersionContent):
    """A registered version."""

    status: Status
    weight: float = Field(ge=0.0, le=1.0, description="Share of the neural score in the hybrid score.")
    traffic: float = Field(
        ge=0.0,
        le=1.0,
        description="Share of the hybrid group that is offered it before the active one; that one has 1.",
    )
    created_at: UtcTime = Field(description="When it was first registered.")
    updated_at: UtcTime = Field(description="When its row last changed.")
    last_registered_at: UtcTime = Field(
        description="When the same content was last registered, again or first; for people."
    )
    last_registered_sequence: int = Field(
        ge=0,
        description="Number in the history of that last registration: the order of versions, whatever clocks said.",
    )
    watermark: str | None = Field(description="Label watermark at that last registration; None: not from a store.")


class HistoryEntry(_Record):
    """One change of one version; entries are only ever added."""

    sequence: int = Field(ge=1, description="Order of the changes over all models.")
    at: UtcTime = Field(description="By the clock of who made the change.")
    noted_at: UtcTime | None = Field(
        default=None, description="By the clock of the store; null: it has none of its own, or had none then."
    )
    model_type: ModelType
    version: str
    action: Action
    from_status: Status | None = Field(description="None: the version did not exist before.")
    to_status: Status
    actor: str = Field(description="Who: a person, 'dagster', ...")
    reason: str = Field(description="Why, in the actor's words; may be empty.")
    from_value: float | None = Field(default=None, description="Weight or traffic before, where the action set one.")
    to_value: float | None = Field(default=None, description="Weight or traffic since.")
    forced: bool = Field(default=False, description="Whether a person stepped around the blessing that it needed.")


class Registration(_Record):
    """What registering led to."""

    version: ModelVersion
    created: bool = Field(description="False: the same content was registered before, nothing new came to be.")


EARLIER_GATES: Final = ("valid_dataset", "beats_baselines", "certified", "latency")
"""What versions had to have while manifests had their first layout; they stay valid with them."""

REQUIRED_GATES: Final = (*EARLIER_GATES, "decision_effect", "not_worse_than_champion")
"""Gates that must all have spoken in favour. Fail closed: no verdict, no measurement or no threshold is a refusal."""


def require_verdicts(
    model_type: ModelType, version: str, verdicts: Iterable[Verdict], *, layout: int = MANIFEST_LAYOUT
) -> None:
    """Insist that every required gate passed, on numbers, against thresholds.

    Args:
        model_type: The model, for the message.
        version: Name of the version, for the message.
        verdicts: What the gates said, in any order. Gates that are not required must not have said no either.
        layout: Of the manifest that they stand in.

    Raises:
        GateError: When anything is missing or failed; every refusal is listed with its numbers.
    """
    gates = REQUIRED_GATES if layout >= MANIFEST_LAYOUT else EARLIER_GATES
    spoken: dict[str, list[Verdict]] = {gate: [] for gate in gates}
    for verdict in verdicts:
        spoken.setdefault(verdict.gate, []).append(verdict)
    refusals = [text for gate, said in spoken.items() for text in _refusals(gate, said)]
    if refusals:
        raise GateError(f"{model_type} {version} is not registered: " + "; ".join(refusals))


def _refusals(gate: str, said: list[Verdict]) -> list[str]:
    if len(said) != 1:
        found = "no verdict" if not said else f"{len(said)} verdicts"
        return [f"gate {gate!r} has {found}, expected one; run the step that measures it"]
    verdict = said[0]
    refusals = []
    if not verdict.passed:
        refusals.append(f"gate {gate!r} failed: {verdict.message} ({_numbers(verdict)})")
    if not verdict.measured:
        refusals.append(f"gate {gate!r} measured nothing")
    if not verdict.required:
        refusals.append(f"gate {gate!r} has no threshold")
    return refusals


def _numbers(verdict: Verdict) -> str:
    measured = ", ".join(f"{name} {value:g}" for name, value in verdict.measured.items()) or "nothing"
    required = ", ".join(f"{name} {value:g}" for name, value in verdict.required.items()) or "nothing"
    return f"measured: {measured}; required: {required}"
