"""The embedded store, the default: one SQLite file with all that is kept, for several processes."""

from pathlib import Path

from spots_ml.stores.embedded.database import Database
from spots_ml.stores.embedded.decisions import EmbeddedDecisionLog
from spots_ml.stores.embedded.history import EmbeddedHistoryServer
from spots_ml.stores.embedded.interactions import EmbeddedInteractionStore
from spots_ml.stores.embedded.performance import EmbeddedPerformanceStore
from spots_ml.stores.embedded.phones import EmbeddedPhoneReports
from spots_ml.stores.embedded.registry.forecasts import EmbeddedForecastStore
from spots_ml.stores.embedded.registry.rollouts import EmbeddedRolloutStore
from spots_ml.stores.embedded.registry.versions import EmbeddedVersionStore
from spots_ml.stores.embedded.retraining.refusals import EmbeddedRefusalLog
from spots_ml.stores.embedded.retraining.requests import EmbeddedRetrainingRequests
from spots_ml.stores.embedded.retraining.watches import EmbeddedWatchLog
from spots_ml.stores.store import Store


def embedded_store(path: Path) -> Store:
    """Build the store that keeps everything in one SQLite file.

    Args:
        path: The file; it and its folder are created when absent, an older schema is brought up to date.

    Returns:
        Its parts, which may be used from any thread and survive a fork.

    Raises:
        ArtifactError: When the file is not a database of spots_ml, or one of a later program.
    """
    database = Database(path)
    return Store(
        interactions=EmbeddedInteractionStore(database),
        versions=EmbeddedVersionStore(database),
        history=EmbeddedHistoryServer(database),
        decisions=EmbeddedDecisionLog(database),
        phones=EmbeddedPhoneReports(database),
        performance=EmbeddedPerformanceStore(database),
        refusals=EmbeddedRefusalLog(database),
        retraining_requests=EmbeddedRetrainingRequests(database),
        watches=EmbeddedWatchLog(database),
        rollouts=EmbeddedRolloutStore(database),
        forecasts=EmbeddedForecastStore(database),
    )
