"""Rollouts and looks as rows of any store: documents of canonical JSON, each with its digest."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from spots_ml.digests import canonical_json, digest_bytes
from spots_ml.errors import ArtifactError
from spots_ml.experiments.evidence_record import Look, NewLook
from spots_ml.experiments.rollout import Rollout, RolloutEvent, RolloutStart
from spots_ml.release.documents import ReleaseDocument

Document = TypeVar("Document", bound=ReleaseDocument)


def document_of(document: ReleaseDocument) -> tuple[str, str]:
    """Write a document as a row holds it.

    Args:
        document: Any.

    Returns:
        Its canonical JSON, and the SHA-256 of that.
    """
    content = canonical_json(document.model_dump(mode="json"))
    return content.decode(), digest_bytes(content)


def start_of(rollout: Rollout) -> RolloutStart:
    """Give what a rollout started with.

    Args:
        rollout: As it stands.

    Returns:
        What was fixed then.
    """
    return RolloutStart.model_validate(rollout.model_dump(include=set(RolloutStart.model_fields)))


def new_look_of(look: Look) -> NewLook:
    """Give a look as it was handed to its store.

    Args:
        look: As it is kept.

    Returns:
        What was known and decided.
    """
    return NewLook.model_validate(look.model_dump(include=set(NewLook.model_fields)))


def rollout_of(row: Mapping[str, Any], store: str) -> Rollout:
    """Read a rollout.

    Args:
        row: Its columns.
        store: Which store it comes from, for messages.

    Returns:
        The rollout as it stands.

    Raises:
        ArtifactError: When its document is not what it was when it started, or none of this program.
    """
    what = f"the start of rollout-{row['number']}"
    start = _document(RolloutStart, row, what, store)
    standing = {name: row[name] for name in ("number", "status", "stage", "promoted_by", "last_event")}
    return Rollout.model_validate(
        start.model_dump() | standing | {"started_at": moment_of(row["started_at"])}  # dates are texts in rows
    )


def look_of(row: Mapping[str, Any], store: str) -> Look:
    """Read a look.

    Args:
        row: Its columns.
        store: Which store it comes from, for messages.

    Returns:
        The look.

    Raises:
        ArtifactError: When its document is not what it was when it was kept, or none of this program.
    """
    what = f"look {row['number']} at rollout-{row['rollout']}"
    kept = {name: row[name] for name in ("number", "rollout", "actor")}
    look = _document(NewLook, row, what, store)
    return Look.model_validate(look.model_dump() | kept | {"at": moment_of(row["at"])})


def event_of(row: Mapping[str, Any]) -> RolloutEvent:
    """Read an event.

    Args:
        row: Its columns.

    Returns:
        The event.
    """
    values = {name: row[name] for name in RolloutEvent.model_fields}
    return RolloutEvent.model_validate(values | {"at": moment_of(row["at"])})


def moment_of(text: str) -> datetime:
    """Read a moment.

    Args:
        text: ISO 8601 with a zone.

    Returns:
        The moment in UTC.
    """
    return datetime.fromisoformat(text).astimezone(UTC)


def _document(kind: type[Document], row: Mapping[str, Any], what: str, store: str) -> Document:
    content: str = row["document"]
    if digest_bytes(content.encode()) != row["digest"]:
        raise ArtifactError(f"{what} in the store {store} is not what it was when it was kept; restore a backup")
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise ArtifactError(
            f"{what} in the store {store} is none that this program can read ({error}); use the program that wrote it"
        ) from error
