"""A whole store: everything that is kept, in one place."""

from typing import Protocol

from spots_ml.interactions.keeping.interaction_store import InteractionStore
from spots_ml.monitoring.performance import PerformanceStore
from spots_ml.registry.version_store import VersionStore
from spots_ml.scoring.decision_log.log import DecisionLog
from spots_ml.scoring.served_history import HistoryServer


class Store(VersionStore, InteractionStore, HistoryServer, DecisionLog, PerformanceStore, Protocol):
    """Registry, interactions, served history, decisions and performance."""
