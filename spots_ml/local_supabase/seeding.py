"""The first rows of a local project: generated, from a known law, with agents and times."""

from datetime import datetime
from typing import Final

import numpy as np

from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.judging.intake import ImportReport
from spots_ml.local_supabase.stack import LocalProject
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection

_SEED: Final = 42


def seed_project(project: LocalProject, n_rows: int, *, now: datetime) -> ImportReport | None:
    """Give a project generated interactions when it has no label yet.

    Args:
        project: The project.
        n_rows: How many rows, at least 1.
        now: The present (UTC); the rows lie in the half year before it.

    Returns:
        What was imported; None when the project has labels, and nothing was done.

    Raises:
        ConfigError: When `n_rows` is below 1.
        CallError: When the project does not answer.
    """
    connection = SupabaseConnection(project.url, project.keys.secret)
    with Calls(connection, random=np.random.default_rng()) as calls:
        interactions = supabase_store(calls).interactions
        if interactions.count_labels_after(None):
            return None
        generated = SeedLaw().generate(n_rows, seed=_SEED, until=now)
        return interactions.import_interactions(generated, now=now)
