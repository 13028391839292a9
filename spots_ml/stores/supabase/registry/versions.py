"""The registry on Supabase: implements `registry.version_store.VersionStore`.

Every change is one function in the database.

The functions lock, check and change in one transaction; the rules are those of `registry.lifecycle`. A call carries an
id of its own, so that one whose answer is lost may be sent again.
"""

import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from spots_ml.digests import canonical_json
from spots_ml.errors import RegistryError
from spots_ml.interactions.kinds import SourceKind, StoreKind
from spots_ml.models.declared import ModelType
from spots_ml.registry.blessings import Blessing, KeptBlessing, read_blessing, require_size
from spots_ml.registry.lifecycle import find
from spots_ml.registry.records import (
    Candidate,
    FileLocation,
    HistoryEntry,
    ModelVersion,
    Registration,
    VersionContent,
    require_verdicts,
)
from spots_ml.registry.registration import proposed_name
from spots_ml.registry.shares import require_share
from spots_ml.release.phone_manifest import PhoneManifest
from spots_ml.stores.moments import to_text
from spots_ml.stores.newest_version import newest_version
from spots_ml.stores.supabase.registry.version_rows import (
    VERSION_COLUMNS,
    VERSIONS,
    read_history,
    read_versions,
    version_of,
)
from spots_ml.stores.supabase.storage.model_files import ModelFiles
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.texts import require_line

if TYPE_CHECKING:
    from postgrest import SyncPostgrestClient, SyncRPCFilterRequestBuilder, SyncSelectRequestBuilder

_PHONE_MANIFEST: Final = "phone_manifest"
_BLESSINGS: Final = "blessings"
_BLESSING_COLUMNS: Final = ("number", "after_change", "at", "actor", "digest", "document")


class SupabaseVersionStore:
    """Versions, their history and their files in a Supabase project; see `VersionStore` for what each method promises.

    Every method raises `CallError` when the project gives no answer.


    Args:
        calls: The project.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

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

    def keep_files(self, content: VersionContent, onnx: bytes, manifest: bytes) -> FileLocation:
        """Upload a version's files, and insist that they come back."""
        return ModelFiles(self._calls).keep(content, onnx, manifest)

    def fetch_files(self, version: VersionContent) -> tuple[bytes, bytes]:
        """Download a version's files."""
        return ModelFiles(self._calls).fetch(version)

    def phone_manifest(self) -> PhoneManifest:
        """Ask what a phone is told, in one call."""

        def build(client: "SyncPostgrestClient") -> "SyncRPCFilterRequestBuilder":
            return client.rpc(_PHONE_MANIFEST, {}, get=True)

        document = self._calls.execute("read the phone's manifest", _PHONE_MANIFEST, build, repeat="read").data
        return PhoneManifest.from_bytes(canonical_json(document))

    def register(self, candidate: Candidate, *, now: datetime, actor: str) -> Registration:
        """Add a version in staging, or reaffirm the one that has the same content."""
        content, file = candidate.content, candidate.file
        require_verdicts(content.model_type, content.version, candidate.verdicts, layout=candidate.layout)
        located = (
            {}
            if file is None
            else {
                "p_file_path": file.path,
                "p_size_bytes": file.size_bytes,
                "p_client_runtime_floor": file.client_runtime_floor,
            }
        )
        answer = self._change(
            "register a version",
            "register_model_version",
            p_content=content.model_dump(mode="json"),
            p_watermark=candidate.watermark,
            p_at=to_text(now),
            p_actor=require_line(actor, "actor"),
            **located,
        )
        return Registration(version=version_of(answer["version"]), created=answer["created"])

    def get(self, model_type: ModelType, version: str) -> ModelVersion:
        """Look up one version."""
        found = self._first(model_type, version=version)
        return found or find(self.list_versions(model_type), model_type, version)

    def find_content(self, model_type: ModelType, content_digest: str) -> ModelVersion | None:
        """Look up the version of some content."""
        return self._first(model_type, content_digest=content_digest)

    def list_versions(self, model_type: ModelType | None = None) -> tuple[ModelVersion, ...]:
        """List versions in the order of their first registration."""
        return read_versions(self._calls, model_type)

    def newest(self, model_type: ModelType, *, learned_from: StoreKind | None = None) -> ModelVersion | None:
        """The version that was registered last, reaffirming counts."""
        return newest_version(self.list_versions(model_type), learned_from)

    def history(self, model_type: ModelType | None = None, version: str | None = None) -> tuple[HistoryEntry, ...]:
        """List changes in their order."""
        return read_history(self._calls, model_type, version)

    def newest_blessing(self, model_type: ModelType, version: str, champion: str | None) -> KeptBlessing | None:
        """The blessing with the highest number that compares a version with a champion."""

        def build(client: "SyncPostgrestClient") -> "SyncSelectRequestBuilder":
            wanted = client.from_(_BLESSINGS).select(*_BLESSING_COLUMNS)
            wanted = wanted.eq("model_type", model_type).eq("version", version)
            wanted = wanted.is_("champion", "null") if champion is None else wanted.eq("champion", champion)
            return wanted.order("number", desc=True).limit(1)

        rows = self._calls.execute("look up a blessing", _BLESSINGS, build, repeat="read").data
        return _blessing_of(rows[0]) if rows else None

    def bless(self, blessing: Blessing, *, now: datetime, actor: str) -> KeptBlessing:
        """Keep what comparing a version with the champion came to, under the next number."""
        answer = self._change(
            "bless a version",
            "bless_model_version",
            p_document=require_size(blessing),
            p_at=to_text(now),
            p_actor=require_line(actor, "actor"),
        )
        return _blessing_of(answer["blessing"])

    def promote(
        self, model_type: ModelType, version: str, *, now: datetime, actor: str, reason: str, forced: bool = False
    ) -> ModelVersion:
        """Make a staging or deprecated version the active one."""
        return self._changed("promote", model_type, now, actor, reason, p_version=version, p_forced=forced)

    def rollback(self, model_type: ModelType, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Make what answered before the active version answer again."""
        return self._changed("rollback", model_type, now, actor, reason)

    def take_back(
        self, model_type: ModelType, version: str, *, instead: str | None, now: datetime, actor: str, reason: str
    ) -> ModelVersion:
        """Make one active version, and no other, give way to an earlier one, or to none."""
        named = {"p_version": version, "p_instead": instead}
        return self._set("take_back_model_version", model_type, now, actor, reason, **named)

    def withdraw(self, model_type: ModelType, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Leave no version active."""
        return self._changed("withdraw", model_type, now, actor, reason)

    def archive(self, model_type: ModelType, version: str, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Put a version away."""
        return self._changed("archive", model_type, now, actor, reason, p_version=version)

    def unarchive(self, model_type: ModelType, version: str, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Bring an archived version back to staging."""
        return self._changed("unarchive", model_type, now, actor, reason, p_version=version)

    def set_weight(
        self, model_type: ModelType, version: str, weight: float, *, now: datetime, actor: str, reason: str
    ) -> ModelVersion:
        """Change how much the neural score of a version counts."""
        require_share("weight", weight)
        return self._set("set_model_weight", model_type, now, actor, reason, p_version=version, p_weight=weight)

    def _changed(
        self, verb: str, model_type: ModelType, now: datetime, actor: str, reason: str, **named: str | bool
    ) -> ModelVersion:
        return self._set(f"{verb}_model_version", model_type, now, actor, reason, **named)

    def _set(
        self, function: str, model_type: ModelType, now: datetime, actor: str, reason: str, **named: str | float | None
    ) -> ModelVersion:
        answer = self._change(
            "change a version",
            function,
            p_model_type=model_type,
            p_at=to_text(now),
            p_actor=require_line(actor, "actor"),
            p_reason=require_line(reason, "reason"),
            **named,
        )
        return version_of(answer["version"])

    def _change(self, operation: str, function: str, **arguments: Any) -> dict[str, Any]:
        """Call a function that changes a version; its answer has the status ok, or the reason why not."""
        arguments["p_request_id"] = str(uuid.uuid4())

        def build(client: "SyncPostgrestClient") -> "SyncRPCFilterRequestBuilder":
            return client.rpc(function, arguments)

        answer: dict[str, Any] = self._calls.execute(operation, function, build, repeat="keyed").data
        if answer["status"] != "ok":
            raise RegistryError(answer["reason"])
        return answer

    def _first(self, model_type: ModelType, **equal: str) -> ModelVersion | None:
        """The version with these values, of which there is one at most."""

        def build(client: "SyncPostgrestClient") -> "SyncSelectRequestBuilder":
            request = client.from_(VERSIONS).select(*VERSION_COLUMNS).eq("model_type", model_type)
            for column, value in equal.items():
                request = request.eq(column, value)
            return request.limit(1)

        rows = self._calls.execute("look up a version", VERSIONS, build, repeat="read").data
        return version_of(rows[0]) if rows else None


def _blessing_of(row: Mapping[str, Any]) -> KeptBlessing:
    at = datetime.fromisoformat(row["at"]).astimezone(UTC)
    return read_blessing(
        row["document"],
        row["digest"],
        number=row["number"],
        after_change=row["after_change"],
        at=at,
        actor=row["actor"],
    )
