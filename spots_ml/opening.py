"""From settings to the store: the one place where it is decided which one it is."""

from typing import TYPE_CHECKING

from spots_ml.interactions.kinds import StoreKind
from spots_ml.settings import Settings
from spots_ml.stores.store import Store

if TYPE_CHECKING:
    from spots_ml.stores.supabase.transport.calls import Calls


def open_store(settings: Settings, kind: StoreKind | None = None, *, attempts: int | None = None) -> Store:
    """Open a store.

    Args:
        settings: The settings.
        kind: Which one; None: the configured one.
        attempts: How often a call over the network is sent at most; None: as often as a long run can wait for.

    Returns:
        The store. A Supabase project is asked for nothing before the first call.

    Raises:
        ConfigError: When it is Supabase, and the project's address or key is not set or is none.
        ArtifactError: When the embedded store's file is none of spots_ml.
    """
    if (kind or settings.store) == "supabase":
        return open_supabase(settings, attempts=attempts)
    from spots_ml.stores.embedded.store import embedded_store

    return embedded_store(settings.places.database)


def open_supabase(settings: Settings, *, attempts: int | None = None) -> Store:
    """Open the store on Supabase, whichever store is configured.

    Args:
        settings: The settings.
        attempts: How often a call is sent at most; None: as often as a long run can wait for.

    Returns:
        The store; bulk reads go straight to Postgres when the settings name it.

    Raises:
        ConfigError: When the project's address or key is not set or is none.
    """
    from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
    from spots_ml.stores.supabase.store import supabase_store

    calls = open_calls(settings, attempts=attempts)
    return supabase_store(calls, DirectReads(settings.supabase_dsn) if settings.supabase_dsn else None)


def open_calls(settings: Settings, *, attempts: int | None = None) -> "Calls":
    """Get ready to ask the API of the Supabase project, whichever store is configured.

    Args:
        settings: The settings.
        attempts: How often a call is sent at most; None: as often as a long run can wait for.

    Returns:
        Calls to the project; nothing is asked yet.

    Raises:
        ConfigError: When the project's address or key is not set or is none.
    """
    import numpy as np

    from spots_ml.stores.supabase.transport.calls import Calls
    from spots_ml.stores.supabase.transport.connection import SupabaseConnection
    from spots_ml.stores.supabase.transport.retries import RetryPolicy

    url, key = settings.require_supabase()
    policy = RetryPolicy() if attempts is None else RetryPolicy(attempts=attempts)
    # The jitter between attempts is meant to differ from process to process.
    return Calls(SupabaseConnection(url, key), random=np.random.default_rng(), policy=policy)
