"""What the registry remembers: versions and what happened to them. Which changes are allowed is in `lifecycle`."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from spots_ml.interactions.kinds import SourceKind
from spots_ml.models.declared import ModelType
from spots_ml.release.documents import Digest, RuntimeVersion
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
    last_registered_at: UtcTime = Field(description="When the same content was last registered, again or first.")
    watermark: str | None = Field(description="Label watermark at that last registration; None: not from a store.")


class HistoryEntry(_Record):
    """One change of one version; entries are only ever added."""

    sequence: int = Field(ge=1, description="Order of the changes over all models.")
    at: UtcTime
    model_type: ModelType
    version: str
    action: Action
    from_status: Status | None = Field(description="None: the version did not exist before.")
    to_status: Status
    actor: str = Field(description="Who: a person, 'dagster', ...")
    reason: str = Field(description="Why, in the actor's words; may be empty.")
    from_value: float | None = Field(default=None, description="Weight or traffic before, where the action set one.")
    to_value: float | None = Field(default=None, description="Weight or traffic since.")


class Registration(_Record):
    """What registering led to."""

    version: ModelVersion
    created: bool = Field(description="False: the same content was registered before, nothing new came to be.")
