"""Rows of versions and of their history as the API sends them, and reading all of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from spots_ml.models.declared import ModelType
from spots_ml.registry.records import HistoryEntry, ModelVersion
from spots_ml.stores.supabase.registry.numbered_rows import read_numbered
from spots_ml.stores.supabase.transport.calls import Calls

VERSIONS: Final = "model_versions"
VERSION_COLUMNS: Final = tuple(ModelVersion.model_fields)

_HISTORY: Final = "version_history"
_TIMES: Final = ("created_at", "updated_at", "last_registered_at", "at", "noted_at")


def version_of(row: Mapping[str, Any]) -> ModelVersion:
    """Read a row of the versions; columns of other concerns are passed over.

    Args:
        row: As the API sends it.

    Returns:
        The version.
    """
    return ModelVersion.model_validate(_values(row, VERSION_COLUMNS))


def read_versions(calls: Calls, model_type: ModelType | None) -> tuple[ModelVersion, ...]:
    """Read all versions that are registered now.

    Args:
        calls: The project.
        model_type: Of which model; None: of all.

    Returns:
        The versions in the order of their first registration.

    Raises:
        CallError: When a call ends in no answer.
        IncompleteReadError: When the rows are not those that the server counted.
    """
    columns = ("registered_order", *VERSION_COLUMNS)
    rows = read_numbered(calls, VERSIONS, columns, "registered_order", {"model_type": model_type})
    return tuple(map(version_of, rows))


def read_history(calls: Calls, model_type: ModelType | None, version: str | None) -> tuple[HistoryEntry, ...]:
    """Read all changes that were made until now.

    Args:
        calls: The project.
        model_type: Of which model; None: of all.
        version: Of which version; None: of all.

    Returns:
        The changes in their order.

    Raises:
        CallError: When a call ends in no answer.
        IncompleteReadError: When the rows are not those that the server counted.
    """
    columns = tuple(HistoryEntry.model_fields)
    rows = read_numbered(calls, _HISTORY, columns, "sequence", {"model_type": model_type, "version": version})
    return tuple(HistoryEntry.model_validate(_values(row, columns)) for row in rows)


def _values(row: Mapping[str, Any], columns: tuple[str, ...]) -> dict[str, Any]:
    return {name: _moment(row[name]) if name in _TIMES else row[name] for name in columns}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
