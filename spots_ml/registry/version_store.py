"""What the registry needs from a store, in its own words. Implementations live in `spots_ml.stores`."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from spots_ml.interactions.kinds import SourceKind, StoreKind
from spots_ml.models.declared import ModelType
from spots_ml.registry.blessings import Blessing, KeptBlessing
from spots_ml.registry.records import (
    Candidate,
    FileLocation,
    HistoryEntry,
    ModelVersion,
    Registration,
    VersionContent,
)
from spots_ml.release.phone_manifest import PhoneManifest


class VersionLookup(Protocol):
    """Tells which versions there are, and what became of them."""

    def get(self, model_type: ModelType, version: str) -> ModelVersion:
        """Look up one version.

        Raises:
            RegistryError: When there is none of that name.
        """
        ...

    def find_content(self, model_type: ModelType, content_digest: str) -> ModelVersion | None:
        """Look up the version of some content; None when it was never registered."""
        ...

    def list_versions(self, model_type: ModelType | None = None) -> tuple[ModelVersion, ...]:
        """List versions in the order of their first registration, of one model or of all."""
        ...

    def newest(self, model_type: ModelType, *, learned_from: StoreKind | None = None) -> ModelVersion | None:
        """The version that was registered last, reaffirming counts, by the order that the store gave; None without any.

        Args:
            model_type: The model.
            learned_from: Only versions whose watermark is of a store of this kind; None: any.
        """
        ...

    def history(self, model_type: ModelType | None = None, version: str | None = None) -> tuple[HistoryEntry, ...]:
        """List changes in their order, of one version, one model or all."""
        ...

    def newest_blessing(self, model_type: ModelType, version: str, champion: str | None) -> KeptBlessing | None:
        """The blessing with the highest number that compares a version with a champion; None: there is none.

        Args:
            model_type: The model.
            version: The version.
            champion: The version that was active then; None: none was.

        Raises:
            ArtifactError: When it is not what was kept.
        """
        ...


class VersionFiles(Protocol):
    """Keeps the files of versions, where the folder of published versions is not all there is."""

    def keep_files(self, content: VersionContent, onnx: bytes, manifest: bytes) -> FileLocation | None:
        """Keep a version's files before the registry names them, so that every machine can get them back.

        Keeping the same files again changes nothing. What is kept and never registered is never found.

        Args:
            content: The version that is about to be registered.
            onnx: The bytes of `model.onnx`.
            manifest: The bytes of `manifest.json`.

        Returns:
            What the candidate has to tell about its file; None: this store keeps no files, the folder of published
            versions is all there is.

        Raises:
            ArtifactError: When the files are not what the content says, or do not come back as they were sent.
        """
        ...

    def fetch_files(self, version: VersionContent) -> tuple[bytes, bytes] | None:
        """Get `model.onnx` and `manifest.json` of a registered version; None: this store keeps no files.

        Raises:
            ArtifactError: When they are not kept, or not as they were registered.
        """
        ...


class ServableVersions(VersionLookup, VersionFiles, Protocol):
    """Versions that can be looked up and whose files can be fetched: what it takes to serve one."""


class VersionRegistration(ServableVersions, Protocol):
    """Takes new versions. Every registration is one transaction, safe with several processes."""

    def propose_version(
        self,
        model_type: ModelType,
        content_digest: str,
        source_kind: SourceKind,
        *,
        also_taken: Collection[str] = (),
    ) -> str:
        """Name a version without reserving anything; `registration.propose_version` minds published files, too.

        Args:
            model_type: The model.
            content_digest: What identifies the trained model.
            source_kind: The kind of data behind it.
            also_taken: Names to be passed over although no row has them.

        Returns:
            The name under which this content is registered already, else the next free name.
        """
        ...

    def register(self, candidate: Candidate, *, now: datetime, actor: str) -> Registration:
        """Add a version in staging with weight 0.1, or reaffirm the one that has the same content.

        Reaffirming changes nothing but when it was last registered, by number and by clock, and `watermark`; it is
        noted in the history. An archived version comes back to staging first; see `lifecycle.reaffirmation`.

        Args:
            candidate: The version and its verdicts. Its files must be in place: the row is what makes it exist.
            now: The present (UTC).
            actor: Who registers.

        Returns:
            The registered version, and whether it is new.

        Raises:
            GateError: When a required verdict is missing or negative.
            RegistryError: When the name belongs to other content.
        """
        ...


class VersionChanges(Protocol):
    """Changes which version rules. Every change is one transaction, safe with several processes.

    One that changes the active version, or archives the challenger, ends the rollout of the model in that transaction.
    The traffic of a version is changed by rollouts alone.
    """

    def bless(self, blessing: Blessing, *, now: datetime, actor: str) -> KeptBlessing:
        """Keep what comparing a version with the champion came to, under the next number.

        Args:
            blessing: What was found, for or against the version.
            now: The present (UTC).
            actor: Who compared.

        Returns:
            The blessing as it is kept.

        Raises:
            RegistryError: When there is no such version, it is neither in staging nor deprecated, or another version is
                active than it was compared with; nothing is kept.
        """
        ...

    def promote(
        self, model_type: ModelType, version: str, *, now: datetime, actor: str, reason: str, forced: bool = False
    ) -> ModelVersion:
        """Make a staging or deprecated version the active one; see `lifecycle.promotion`.

        Raises:
            RegistryError: When the change is not allowed.
        """
        ...

    def rollback(self, model_type: ModelType, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Make what answered before the active version answer again; see `lifecycle.rollback`.

        Returns:
            The version that is active again; where none is, the one that was rolled back, deprecated now.

        Raises:
            RegistryError: When the change is not allowed.
        """
        ...

    def take_back(
        self, model_type: ModelType, version: str, *, instead: str | None, now: datetime, actor: str, reason: str
    ) -> ModelVersion:
        """Make one active version, and no other, give way to an earlier one, or to none; see `lifecycle.taking_back`.

        Returns:
            The version that is active again; where none is, the one that was taken back, deprecated now.

        Raises:
            RegistryError: When another version is active by now, or the change is not allowed.
        """
        ...

    def withdraw(self, model_type: ModelType, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Leave no version active and return the one that was; see `lifecycle.withdrawal`.

        Raises:
            RegistryError: When the change is not allowed.
        """
        ...

    def archive(self, model_type: ModelType, version: str, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Put a version away; see `lifecycle.archival`.

        Raises:
            RegistryError: When the change is not allowed.
        """
        ...

    def unarchive(self, model_type: ModelType, version: str, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Bring an archived version back to staging; see `lifecycle.unarchival`.

        Raises:
            RegistryError: When the change is not allowed.
        """
        ...

    def set_weight(
        self, model_type: ModelType, version: str, weight: float, *, now: datetime, actor: str, reason: str
    ) -> ModelVersion:
        """Change how much the neural score of a version counts, unless a rollout compares it; see `shares.weighing`.

        Raises:
            RegistryError: When the change is not allowed.
        """
        ...


class PhoneVersions(ServableVersions, Protocol):
    """Tells phones which versions to use."""

    def phone_manifest(self) -> PhoneManifest | None:
        """Read what a phone is told; None: this store serves no phones, see `registry.phone_manifest`."""
        ...


class VersionStore(VersionRegistration, VersionChanges, PhoneVersions, Protocol):
    """Keeps versions, their history and their files."""
