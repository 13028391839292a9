"""What the registry needs from a store, in its own words. Implementations live in `spots_ml.stores`."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from spots_ml.features.contract import ModelType
from spots_ml.interactions.kinds import SourceKind
from spots_ml.registry.records import Candidate, HistoryEntry, ModelVersion, Registration


class VersionStore(Protocol):
    """Keeps versions and their history. Every change is one transaction, safe with several processes."""

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

        Reaffirming changes nothing but `last_registered_at` and `watermark`; the history notes it.

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

    def newest(self, model_type: ModelType) -> ModelVersion | None:
        """The version that was registered last, reaffirming counts; None without any."""
        ...

    def history(self, model_type: ModelType | None = None, version: str | None = None) -> tuple[HistoryEntry, ...]:
        """List changes in their order, of one version, one model or all."""
        ...

    def promote(self, model_type: ModelType, version: str, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Make a staging version the active one; see `lifecycle.promotion`.

        Raises:
            RegistryError: When the change is not allowed.
        """
        ...

    def rollback(self, model_type: ModelType, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Make the previously active version active again and return it; see `lifecycle.rollback`.

        Raises:
            RegistryError: When the change is not allowed.
        """
        ...

    def archive(self, model_type: ModelType, version: str, *, now: datetime, actor: str, reason: str) -> ModelVersion:
        """Put a version away for good; see `lifecycle.archival`.

        Raises:
            RegistryError: When the change is not allowed.
        """
        ...
