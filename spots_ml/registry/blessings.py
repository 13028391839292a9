"""What was found when a version was compared with the champion of then, and what the registry demands of it.

A version gets traffic, and is promoted, only with a blessing against what is active at that moment: the newest one that
names both must have passed, and must be newer than the last time the version was rolled back. A person may step around
it, with a reason, which the history tells. The comparison itself is in `gates.blessing`.
"""

from collections.abc import Callable, Iterable
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from spots_ml.digests import canonical_json, digest_bytes
from spots_ml.errors import ArtifactError, RegistryError
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.registry.records import Action, HistoryEntry, ModelVersion, UtcTime

MAX_BLESSING_BYTES: Final = 200_000
"""Bytes of a blessing at most."""

Demanded = Literal["promoted", "offered to a share of the agents"]
"""What a blessing is demanded for."""

_TAKEN_BACK: Final[tuple[Action, ...]] = ("rolled_back", "archived")
"""Changes after which an earlier blessing of the version says no more."""


class Blessing(BaseModel):
    """What comparing a version with the champion came to."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model_type: ModelType
    version: str = Field(min_length=1, description="The version that was compared.")
    champion: str | None = Field(description="The version that was active; null: none was.")
    passed: bool = Field(description="True only where everything was measured and is good enough.")
    sentence: str = Field(min_length=1, description="What was found, with its numbers, in one sentence.")
    comparison: dict[str, JsonValue] = Field(
        default={}, description="What was measured, by which rules; see `gates.blessing`. Empty: nothing could be."
    )

    def to_text(self) -> str:
        """Write it in the one form that is kept and digested."""
        return canonical_json(self.model_dump(mode="json")).decode()

    @property
    def digest(self) -> str:
        """SHA-256 of that text."""
        return digest_bytes(self.to_text().encode())


class KeptBlessing(BaseModel):
    """A blessing as a store keeps it; they are only ever added."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1, description="Order of the blessings of all versions, given by the store.")
    after_change: int = Field(ge=0, description="Number of the history's last entry when it was kept.")
    at: UtcTime = Field(description="By the clock of who compared; for people.")
    actor: str = Field(description="Who: a person, 'dagster', ...")
    blessing: Blessing

    @property
    def passed(self) -> bool:
        """Whether the version may have traffic, as far as this comparison is concerned."""
        return self.blessing.passed


NewestBlessing = Callable[[str, str | None], KeptBlessing | None]
"""From a version and a champion of the same model, None: none, to the newest blessing that names both."""


def read_blessing(text: str, digest: str, **kept: object) -> KeptBlessing:
    """Read a blessing back.

    Args:
        text: As `Blessing.to_text` wrote it.
        digest: SHA-256 of that text, as the store has it.
        **kept: The other fields of `KeptBlessing`.

    Returns:
        The blessing.

    Raises:
        ArtifactError: When it is not what was kept, or of a program that this one does not understand.
    """
    if digest_bytes(text.encode()) != digest:
        raise ArtifactError(
            f"blessing {kept.get('number')} is not what was kept: its digest does not fit; restore the store from a "
            "backup, or bless the version again"
        )
    try:
        return KeptBlessing.model_validate({**kept, "blessing": Blessing.model_validate_json(text)})
    except ValidationError as error:
        raise ArtifactError(
            f"blessing {kept.get('number')} cannot be read ({error}); use the program that wrote it"
        ) from error


def require_size(blessing: Blessing) -> str:
    """Insist that a blessing can be kept.

    Args:
        blessing: What was found.

    Returns:
        Its text.

    Raises:
        RegistryError: When it has more than `MAX_BLESSING_BYTES` bytes.
    """
    text = blessing.to_text()
    if (size := len(text.encode())) > MAX_BLESSING_BYTES:
        raise RegistryError(
            f"the blessing of {blessing.model_type} {blessing.version} has {size:,} bytes; expected at most "
            f"{MAX_BLESSING_BYTES:,}: compare fewer slices"
        )
    return text


def require_blessable_status(found: ModelVersion) -> None:
    """Insist that a version may get traffic by its status.

    Args:
        found: The version.

    Raises:
        RegistryError: When it is active or archived.
    """
    if found.status not in ("staging", "deprecated"):
        raise RegistryError(
            f"{found.model_type} {found.version} is {found.status}; only a staging or a deprecated version is blessed"
        )


def require_blessable(blessing: Blessing, found: ModelVersion, active: ModelVersion | None) -> None:
    """Insist that a blessing is about a version that may get traffic, beside what is active now.

    Args:
        blessing: The blessing that is to be kept.
        found: The version that it is of.
        active: The active version; None: none is.

    Raises:
        RegistryError: When nothing could follow from it.
    """
    named = f"{blessing.model_type} {blessing.version}"
    require_blessable_status(found)
    now = None if active is None else active.version
    if blessing.champion != now:
        raise RegistryError(
            f"{named} was compared with {against(blessing.champion, blessing.model_type)}, and by now "
            f"{against(now, blessing.model_type)} answers; `spots-ml bless {named}` compares it anew"
        )


def require_blessing(
    model_type: ModelType,
    version: str,
    champion: str | None,
    newest: KeptBlessing | None,
    *,
    since: int,
    forced: bool,
    reason: str,
    to_be: Demanded,
) -> None:
    """Insist that a version may get traffic.

    Args:
        model_type: The model.
        version: The version.
        champion: The version that is active now; None: none is.
        newest: The newest blessing that names both; None: there is none.
        since: Number of the history's entry since which an earlier blessing says no more; see `blessing_needed_since`.
        forced: Whether a person steps around it.
        reason: Why, in the actor's words.
        to_be: What the version is to be.

    Raises:
        RegistryError: When it has no blessing, was refused it, or has one from before it was taken back; when it is
            forced without a reason.
    """
    named = f"{model_type} {version}"
    if forced:
        if not reason.strip():
            raise RegistryError(f'{named} is to be {to_be} without a blessing; say why: `--force --reason "..."`')
        return
    told, beside = f"{named} cannot be {to_be}: ", against(champion, model_type)
    anew = f'`spots-ml bless {named}` compares them, `--force --reason "..."` steps around it'
    if newest is None:
        raise RegistryError(f"{told}it was never compared with {beside}; {anew}")
    if not newest.passed:
        raise RegistryError(
            f"{told}compared with {beside} it was not good enough ({newest.blessing.sentence}); train it "
            'again, or step around it by `--force --reason "..."`'
        )
    if newest.after_change < since:
        raise RegistryError(f"{told}it was compared with {beside} before it was taken back, and not since; {anew}")


def blessing_needed_since(history: Iterable[HistoryEntry], version: str) -> int:
    """Tell since which change an earlier blessing of a version says no more.

    Args:
        history: Entries of one model in their order.
        version: The version.

    Returns:
        The number of the last entry by which it was rolled back or archived, or a rollout took its traffic back; 0:
        there is none.
    """
    return max(
        (
            entry.sequence
            for entry in history
            if entry.version == version
            and (entry.action in _TAKEN_BACK or (entry.action == "traffic_set" and entry.to_value == 0.0))
        ),
        default=0,
    )


def is_blessed(newest: KeptBlessing | None, *, since: int) -> bool:
    """Tell whether a version may get traffic without anybody who steps around its blessing.

    Args:
        newest: The newest blessing that names it and what is active now; None: there is none.
        since: See `blessing_needed_since`.

    Returns:
        Whether `require_blessing` has nothing against it.
    """
    return newest is not None and newest.passed and newest.after_change >= since


def against(champion: str | None, model_type: ModelType) -> str:
    """Name what a version is compared with, which is what answers now.

    >>> against("v1.0-real", "outcome"), against(None, "outcome"), against(None, "calling_score")
    ('the active v1.0-real', 'the outcome rule', 'the formula')
    """
    return str(model_spec(model_type).stand_in) if champion is None else f"the active {champion}"
