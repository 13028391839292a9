"""What a phone is told: which version of each model it is to use, for which agents, and where the file is.

Whom a version that is rolled out is for follows from its salt and its traffic, see `scoring.assignment`. The document
is a registry's business: `registry.phone_manifest` builds it, a store that serves phones answers with it.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from spots_ml.models.declared import ModelType, declared_types
from spots_ml.models.spec import Audience
from spots_ml.release.documents import Digest, ReleaseDocument, RuntimeVersion
from spots_ml.scoring.challengers import MAX_STAGE


class PhoneVersion(ReleaseDocument):
    """One version that a phone may be given."""

    version: str = Field(description="Name of the version, such as v1.0-synthetic.")
    weight: float = Field(ge=0.0, le=1.0, description="Share of the neural score in the hybrid score.")
    traffic: float = Field(
        gt=0.0, le=1.0, description="Share of the hybrid group that is treated with it; 1 for the active version."
    )
    filter_on: bool = Field(
        default=True,
        description="Of the outcome model: false: P(positive) is computed and reported, and blocks nothing.",
    )
    url: str = Field(min_length=1, description="Path of the ONNX file under the project's address.")
    size_bytes: int = Field(ge=1, description="Size of the file.")
    sha256: Digest = Field(description="SHA-256 of the file.")
    contract_digest: Digest = Field(description="Feature contract it was made for; an app of another one ignores it.")
    client_runtime_floor: RuntimeVersion = Field(description="Oldest client runtime it was certified in.")


class PhoneChallenger(PhoneVersion):
    """A version that is rolled out, or the active one at another weight, for the agents that its rollout treats."""

    experiment: str | None = Field(
        default=None, min_length=1, description="Name of the rollout. Null: of a layout that told nothing of it."
    )
    stage: int | None = Field(default=None, ge=1, le=MAX_STAGE, description="The rollout's stage. Null: likewise.")
    salt: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{32}$",
        description="Places agents: whose place is below the traffic is treated. Null: likewise, nobody is.",
    )


class PhoneModel(ReleaseDocument):
    """The versions of one model that phones are given."""

    active: PhoneVersion | None = Field(description="Null: the formula or the outcome rule answers.")
    rolling_out: PhoneChallenger | None = Field(
        description="Takes the place of the active one for the agents that its rollout treats."
    )


class PhoneManifest(ReleaseDocument):
    """What a phone is told."""

    format_version: Literal[1, 2] = Field(
        description="Layout of this document. The first one did not say whom a version that is rolled out is for."
    )
    models: dict[ModelType, PhoneModel] = Field(description="Every model that phones are given, by name.")

    @model_validator(mode="after")
    def _names_every_model(self) -> Self:
        if missing := set(declared_types(Audience.PHONE)) - set(self.models):
            raise ValueError(f"models that are not told: {', '.join(sorted(missing))}")
        return self

    @model_validator(mode="after")
    def _tells_whom_a_rollout_treats(self) -> Self:
        for name, model in self.models.items():
            told = model.rolling_out
            if self.format_version > 1 and told and None in (told.experiment, told.stage, told.salt):
                raise ValueError(f"{name} {told.version} is rolled out without experiment, stage or salt")
        return self
