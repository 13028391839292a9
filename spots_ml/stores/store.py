"""A whole store: the parts that keep everything there is, each of which a caller asks for what it keeps."""

from dataclasses import dataclass

from spots_ml.experiments.forecasting.forecasts import ForecastStore
from spots_ml.experiments.rollout_store import RolloutStore
from spots_ml.interactions.keeping.interaction_store import InteractionStore
from spots_ml.monitoring.causes.requests import RetrainingRequestLog
from spots_ml.monitoring.causes.watches import WatchLog
from spots_ml.monitoring.performance import PerformanceStore
from spots_ml.monitoring.refusals import RefusalLog
from spots_ml.registry.version_store import VersionStore
from spots_ml.scoring.decision_log.log import DecisionLog
from spots_ml.scoring.decision_log.phone_decisions import PhoneDecisions
from spots_ml.scoring.served_history import HistoryServer


@dataclass(frozen=True)
class Store:
    """The parts of one store, which share one database.

    Whoever needs something kept takes the part that keeps it, never the whole.

    Attributes:
        interactions: Interactions, their import and the count of their labels.
        versions: The registry, with the files of versions where the store keeps them.
        history: History features of agents, served from the interactions.
        decisions: The decision log.
        phones: What phones report that they decided.
        performance: Performance by day.
        refusals: What gates refused.
        retraining_requests: Who asked for a retraining, and who took that up.
        watches: What watching versions in service found, day by day.
        rollouts: Rollouts, what happened to them, what was known of them, and their units.
        forecasts: What was predicted of versions before they had traffic.
    """

    interactions: InteractionStore
    versions: VersionStore
    history: HistoryServer
    decisions: DecisionLog
    phones: PhoneDecisions
    performance: PerformanceStore
    refusals: RefusalLog
    retraining_requests: RetrainingRequestLog
    watches: WatchLog
    rollouts: RolloutStore
    forecasts: ForecastStore
