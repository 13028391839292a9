"""The store on Supabase: the data API and Storage for everything, Postgres itself for bulk reads where it is named."""

from spots_ml.stores.supabase.decisions import SupabaseDecisionLog
from spots_ml.stores.supabase.history import SupabaseHistoryServer
from spots_ml.stores.supabase.interactions import SupabaseInteractionStore
from spots_ml.stores.supabase.performance import SupabasePerformanceStore
from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.versions import SupabaseVersionStore


class SupabaseStore(
    SupabaseVersionStore,
    SupabaseInteractionStore,
    SupabaseHistoryServer,
    SupabaseDecisionLog,
    SupabasePerformanceStore,
):
    """Registry with its files, interactions, served history, decisions and performance, in one Supabase project.

    Args:
        calls: The project's API, with the key of the service role.
        direct: The project's Postgres, for bulk reads; None: they go over the API, page by page.
    """

    def __init__(self, calls: Calls, direct: DirectReads | None = None) -> None:
        self._calls = calls
        self._direct = direct
