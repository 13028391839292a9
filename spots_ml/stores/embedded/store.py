"""The embedded store, the default: one SQLite file with all that is kept, for several processes."""

from pathlib import Path

from spots_ml.stores.embedded.database import Database
from spots_ml.stores.embedded.decisions import EmbeddedDecisionLog
from spots_ml.stores.embedded.history import EmbeddedHistoryServer
from spots_ml.stores.embedded.interactions import EmbeddedInteractionStore
from spots_ml.stores.embedded.performance import EmbeddedPerformanceStore
from spots_ml.stores.embedded.versions import EmbeddedVersionStore


class EmbeddedStore(
    EmbeddedVersionStore,
    EmbeddedInteractionStore,
    EmbeddedHistoryServer,
    EmbeddedDecisionLog,
    EmbeddedPerformanceStore,
):
    """Registry, interactions, served history, decisions and performance, kept in one SQLite file.

    Args:
        path: The file; it and its folder are created when absent, an older schema is brought up to date.

    Raises:
        ArtifactError: When the file is not a database of spots_ml, or one of a later program.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path)
