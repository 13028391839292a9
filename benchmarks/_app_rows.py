"""Many rows in the app's table of a local project, made inside the database; the benchmarks on Supabase share them."""

import contextlib

import numpy as np

from spots_ml.features.contract import CONTEXT_FEATURES, MATCH_FEATURES, TIMING_FEATURES, VIBE_DIMENSIONS
from spots_ml.local_supabase.postgres import ADMIN
from spots_ml.local_supabase.stack import project_running
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection

_NUMBER = "round(random()::numeric, 4)"
_INSERT = """
insert into public.calling_score_training_data (
    agent_id, opportunity_id, "timestamp", user_vibe_dimensions, spot_vibe_dimensions, context_features,
    timing_features, formula_calling_score, formula_is_called, outcome_type, outcome_score, outcome_timestamp,
    identity, id
)
select 'agent ' || n % 10007, 'spot ' || n, timestamptz '2026-01-01' + n * interval '1 s', vibes, vibes, context,
    timing, random(), true, 'positive', 0.9, timestamptz '2026-01-02' + n * interval '1 s',
    md5(n::text)::uuid, md5(n::text)::uuid
from generate_series({first}, {last}) as n
cross join lateral (select {groups}, n as row) as told
"""
_ARRIVED = """
insert into public.training_outcomes
select n, md5(n::text)::uuid, 'positive', 0.9, timestamptz '2026-01-02' + n * interval '1 s'
from generate_series({first}, {last}) as n;
insert into public.training_arrivals
select sequence, id, 'real', sequence, sequence, null, outcome_type, outcome_score, outcome_at
from public.training_outcomes where sequence between {first} and {last};
update private.numbers_given set labels = {last}, rows = {last}
"""


@contextlib.contextmanager
def project_and_calls():
    """Run a project for a block, with calls to it under the service's key."""
    with (
        project_running() as project,
        Calls(SupabaseConnection(project.url, project.keys.secret), random=np.random.default_rng(1)) as calls,
    ):
        yield project, calls


def insert_rows(project, first, last, *, features):
    """Insert labelled rows with the numbers `first` to `last`, past the triggers.

    With features, they hold the 34 raw ones with four random decimals and the 5 that the app derives; both sides have
    the same vibes, so that the derived ones are right. Without, the groups are empty objects.
    """
    if features:
        timing = ", ".join(f"'{name}', share" for name in (*TIMING_FEATURES, "timing_alignment"))
        groups = f"""{_numbers(VIBE_DIMENSIONS)} as vibes,
            {_numbers(CONTEXT_FEATURES)} || '{{{", ".join(f'"{name}": 1' for name in MATCH_FEATURES)}}}' as context,
            (select jsonb_build_object({timing}) from (select {_NUMBER} as share where n > 0) as one) as timing"""  # noqa: S608 - names
    else:
        groups = "'{}'::jsonb as vibes, '{}'::jsonb as context, '{}'::jsonb as timing"
    with project.server.connect(project.database, ADMIN, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(_INSERT.format(first=first, last=last, groups=groups))
        connection.execute(_ARRIVED.format(first=first, last=last))


def vacuum(project):
    """Do what Postgres does by itself after a while."""
    with project.server.connect(project.database, ADMIN, autocommit=True) as connection:
        connection.execute(
            "vacuum (analyze) public.calling_score_training_data, public.training_arrivals, public.training_outcomes"
        )


def _numbers(names):
    pairs = ", ".join(f"'{name}', {_NUMBER}" for name in names)
    return f"jsonb_build_object({pairs})"
