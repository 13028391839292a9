"""The embedded store, the default: one SQLite file with the interactions and the registry, for several processes."""

from pathlib import Path

from spots_ml.stores.database import Database
from spots_ml.stores.embedded_interactions import EmbeddedInteractionStore
from spots_ml.stores.embedded_versions import EmbeddedVersionStore


class EmbeddedStore(EmbeddedVersionStore, EmbeddedInteractionStore):
    """The registry and the interactions, kept in one SQLite file.

    Args:
        path: The file; it and its folder are created when absent.

    Raises:
        ArtifactError: When the file is not a database of this schema.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path)
