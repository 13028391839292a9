"""The registry in SQLite: implements `registry.version_store.VersionStore`.

Which changes are allowed is in `lifecycle`.
"""

import sqlite3
from collections.abc import Collection
from datetime import datetime

from spots_ml.experiments.changes.registry_changes import require_weight_is_free
from spots_ml.experiments.changes.transitions import on_its_way
from spots_ml.interactions.kinds import SourceKind, StoreKind
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.registry.blessings import Blessing, KeptBlessing, require_blessable
from spots_ml.registry.in_service import active_version
from spots_ml.registry.lifecycle import (
    ChangePlan,
    VersionChange,
    archival,
    find,
    promotion,
    reaffirmation,
    rollback,
    taking_back,
    unarchival,
    withdrawal,
)
from spots_ml.registry.records import (
    Candidate,
    HistoryEntry,
    ModelVersion,
    Registration,
    VersionContent,
    require_verdicts,
)
from spots_ml.registry.registration import name_taken, proposed_name
from spots_ml.registry.shares import weighing
from spots_ml.stores.embedded.database import Database
from spots_ml.stores.embedded.registry.blessings import keep_blessing, newest_blessing
from spots_ml.stores.embedded.registry.rollout_rows import end_overtaken, read_rollouts
from spots_ml.stores.embedded.registry.version_rows import (
    find_content,
    make_change,
    note_change,
    read_history,
    read_state,
    read_versions,
)
from spots_ml.stores.moments import to_text
from spots_ml.stores.newest_version import newest_version


class EmbeddedVersionStore:
    """Versions and their history in the embedded store; see `VersionStore` for what each method promises.

    Args:
        database: The embedded store's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def propose_version(
        self,
        model_type: ModelType,
        content_digest: str,
        source_kind: SourceKind,
        *,
        also_taken: Collection[str] = (),
    ) -> str:
        """Name a version without reserving anything."""
        return proposed_name(self, model_type, content_digest, source_kind, also_taken)

    def keep_files(self, content: VersionContent, onnx: bytes, manifest: bytes) -> None:
        """Keep nothing: this store's versions are on this machine, and so is the folder that they are published in."""

    def fetch_files(self, version: VersionContent) -> None:
        """Have nothing to give back."""

    def phone_manifest(self) -> None:
        """Serve no phones."""

    def register(self, candidate: Candidate, *, now: datetime, actor: str) -> Registration:
        """Add a version in staging, or reaffirm the one that has the same content."""
        content = candidate.content
        require_verdicts(content.model_type, content.version, candidate.verdicts, layout=candidate.layout)
        at = to_text(now)
        with self._database.writing() as connection:
            known = find_content(connection, content.model_type, content.content_digest)
            if known is not None:
                for change, reason in reaffirmation(known):
                    make_change(connection, content.model_type, change, at, actor, reason)
                _reaffirm(connection, known, candidate.watermark, at)
            else:
                _insert(connection, content, candidate.watermark, at)
                note_change(
                    connection,
                    at,
                    content.model_type,
                    VersionChange(content.version, "registered", None, "staging"),
                    actor,
                    "",
                )
            name = content.version if known is None else known.version
            version = find(read_versions(connection, content.model_type), content.model_type, name)
            return Registration(version=version, created=known is None)

    def get(self, model_type: ModelType, version: str) -> ModelVersion:
        """Look up one version."""
        return find(self.list_versions(model_type), model_type, version)

    def find_content(self, model_type: ModelType, content_digest: str) -> ModelVersion | None:
        """Look up the version of some content."""
        with self._database.reading() as connection:
            return find_content(connection, model_type, content_digest)

    def list_versions(self, model_type: ModelType | None = None) -> tuple[ModelVersion, ...]:
        """List versions in the order of their first registration."""
        with self._database.reading() as connection:
            return read_versions(connection, model_type)

    def newest(self, model_type: ModelType, *, learned_from: StoreKind | None = None) -> ModelVersion | None:
        """The version that was registered last, reaffirming counts."""
        return newest_version(self.list_versions(model_type), learned_from)

    def history(self, model_type: ModelType | None = None, version: str | None = None) -> tuple[HistoryEntry, ...]:
        """List changes in their order."""
        with self._database.reading() as connection:
            return read_history(connection, model_type, version)

    def newest_blessing(self, model_type: ModelType, version: str, champion: str | None) -> KeptBlessing | None:
        """The blessing with the highest number that compares a version with a champion."""
        with self._database.reading() as connection:
            return newest_blessing(connection, model_type, version, champion)

    def bless(self, blessing: Blessing, *, now: datetime, actor: str) -> KeptBlessing:
        """Keep what comparing a version with the champion came to, under the next number."""
        with self._database.writing() as connection:
            versions = read_versions(connection, blessing.model_type)
            found = find(versions, blessing.model_type, blessing.version)
            require_blessable(blessing, found, active_version(versions))
            return keep_blessing(connection, blessing, now=now, actor=actor)

    def promote(
        self, model_type: ModelType, version: str, *, now: datetime, actor: str, reason: str, forced: bool = False
    ) -> ModelVersion:
        """Make a staging or deprecated version the active one."""
        plan = promotion(model_type, version, reason=reason, forced=forced)
        return self._change(model_type, plan, now, actor, reason)

    def rollback(self, model_type: ModelType, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Make what answered before the active version answer again."""
        return self._change(model_type, rollback(model_type), now, actor, reason)

    def take_back(
        self, model_type: ModelType, version: str, *, instead: str | None, now: datetime, actor: str, reason: str
    ) -> ModelVersion:
        """Make one active version, and no other, give way to an earlier one, or to none."""
        plan = taking_back(model_type, version, instead=instead, reason=reason)
        return self._change(model_type, plan, now, actor, reason)

    def withdraw(self, model_type: ModelType, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Leave no version active."""
        return self._change(model_type, withdrawal(model_type), now, actor, reason)

    def archive(self, model_type: ModelType, version: str, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Put a version away."""
        return self._change(model_type, archival(model_type, version), now, actor, reason)

    def unarchive(self, model_type: ModelType, version: str, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Bring an archived version back to staging."""
        return self._change(model_type, unarchival(model_type, version, reason=reason), now, actor, reason)

    def set_weight(
        self, model_type: ModelType, version: str, weight: float, *, now: datetime, actor: str, reason: str
    ) -> ModelVersion:
        """Change how much the neural score of a version counts."""
        at = to_text(now)
        with self._database.writing() as connection:
            changes = weighing(model_type, version, weight)(read_state(connection, model_type))
            require_weight_is_free(on_its_way(read_rollouts(connection, model_type), model_type), model_type, version)
            for change in changes:
                make_change(connection, model_type, change, at, actor, reason)
            return find(read_versions(connection, model_type), model_type, version)

    def _change(self, model_type: ModelType, plan: ChangePlan, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Decide under the write lock, then make the changes in their order; the last one names the result.

        A rollout whose champion or challenger that changes is over in the same transaction.
        """
        at = to_text(now)
        with self._database.writing() as connection:
            changes = plan(read_state(connection, model_type))
            for change in changes:
                make_change(connection, model_type, change, at, actor, reason)
            end_overtaken(connection, model_type, changes, now, actor, reason)
            return find(read_versions(connection, model_type), model_type, changes[-1].version)


def _insert(connection: sqlite3.Connection, content: VersionContent, watermark: str | None, at: str) -> None:
    try:
        connection.execute(
            "INSERT INTO model_versions (model_type, version, content_digest, status, weight,"
            " created_at, updated_at, last_registered_at, watermark, content)"
            " VALUES (?, ?, ?, 'staging', ?, ?, ?, ?, ?, ?)",
            (
                content.model_type,
                content.version,
                content.content_digest,
                model_spec(content.model_type).initial_weight,
                at,
                at,
                at,
                watermark,
                content.model_dump_json(),
            ),
        )
    except sqlite3.IntegrityError as error:
        raise name_taken(content.model_type, content.version, "another registered version") from error


def _reaffirm(connection: sqlite3.Connection, known: ModelVersion, watermark: str | None, at: str) -> None:
    connection.execute(
        "UPDATE model_versions SET last_registered_at = ?, updated_at = ?, watermark = coalesce(?, watermark)"
        " WHERE model_type = ? AND version = ?",
        (at, at, watermark, known.model_type, known.version),
    )
