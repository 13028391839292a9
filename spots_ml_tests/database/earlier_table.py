"""The table of interactions as an app made it before there were migrations."""

EARLIER = """
create table public.calling_score_training_data (
    id uuid primary key default gen_random_uuid(), agent_id text not null, opportunity_id text not null,
    user_vibe_dimensions jsonb not null, spot_vibe_dimensions jsonb not null,
    context_features jsonb not null default '{}', timing_features jsonb not null default '{}',
    formula_calling_score double precision not null check (formula_calling_score >= 0.0),
    formula_is_called boolean not null, formula_breakdown jsonb not null, outcome_id uuid, outcome_type text,
    outcome_score double precision, outcome_timestamp timestamptz, timestamp timestamptz not null default now(),
    created_at timestamptz default now(), updated_at timestamptz default now(), metadata jsonb default '{}'
);
alter table public.calling_score_training_data enable row level security;
create policy "own, some day" on public.calling_score_training_data for select using (true);
grant all on public.calling_score_training_data to anon, authenticated, service_role;
"""
"""With the policy that let everybody read everything."""
