"""The store on Supabase: the data API and Storage for everything, Postgres itself for bulk reads where it is named."""

from spots_ml.stores.store import Store
from spots_ml.stores.supabase.decisions import SupabaseDecisionLog
from spots_ml.stores.supabase.history import SupabaseHistoryServer
from spots_ml.stores.supabase.interactions import SupabaseInteractionStore
from spots_ml.stores.supabase.performance import SupabasePerformanceStore
from spots_ml.stores.supabase.phones import SupabasePhoneDecisions
from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
from spots_ml.stores.supabase.registry.forecasts import SupabaseForecastStore
from spots_ml.stores.supabase.registry.rollouts import SupabaseRolloutStore
from spots_ml.stores.supabase.registry.versions import SupabaseVersionStore
from spots_ml.stores.supabase.retraining.refusals import SupabaseRefusalLog
from spots_ml.stores.supabase.retraining.requests import SupabaseRetrainingRequests
from spots_ml.stores.supabase.retraining.watches import SupabaseWatchLog
from spots_ml.stores.supabase.transport.calls import Calls


def supabase_store(calls: Calls, direct: DirectReads | None = None) -> Store:
    """Build the store that keeps everything in one Supabase project, the files of versions among it.

    Args:
        calls: The project's API, with the key of the service role.
        direct: The project's Postgres, for bulk reads; None: they go over the API, page by page.

    Returns:
        Its parts; the project is asked for nothing before the first call.
    """
    return Store(
        interactions=SupabaseInteractionStore(calls, direct),
        versions=SupabaseVersionStore(calls),
        history=SupabaseHistoryServer(calls, direct),
        decisions=SupabaseDecisionLog(calls, direct),
        phones=SupabasePhoneDecisions(calls),
        performance=SupabasePerformanceStore(calls),
        refusals=SupabaseRefusalLog(calls),
        retraining_requests=SupabaseRetrainingRequests(calls),
        watches=SupabaseWatchLog(calls),
        rollouts=SupabaseRolloutStore(calls),
        forecasts=SupabaseForecastStore(calls),
    )
