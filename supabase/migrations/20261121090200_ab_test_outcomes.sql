-- What the app says about its own comparison of the two groups; it only ever adds rows.
-- A project whose app has written such a table already keeps its rows; every policy it had is taken away.

create table if not exists public.calling_score_ab_test_outcomes (
    id uuid primary key default gen_random_uuid(),
    agent_id text not null,
    opportunity_id text not null,
    test_group text not null,
    calling_score double precision not null,
    is_called boolean not null,
    outcome_type text,
    outcome_score double precision,
    "timestamp" timestamptz default now()
);

-- What proof needs later; null: the app did not send it. The arm is `test_group`.
alter table public.calling_score_ab_test_outcomes
    alter column "timestamp" set not null,
    add column model_version text,
    add column outcome_model_version text,
    add column propensity double precision,
    add column weight double precision,
    add column formula_score double precision,
    add column neural_score double precision,
    add column row_sequence bigint,
    add constraint ab_agent_is_known check (agent_id <> '' and opportunity_id <> ''),
    add constraint ab_test_group check (test_group in ('hybrid', 'formulaBased')),
    add constraint ab_outcome_type check (outcome_type in ('positive', 'neutral', 'negative')),
    add constraint ab_scores_in_range check (
        calling_score between 0 and 1 and outcome_score between 0 and 1 and weight between 0 and 1
        and formula_score between 0 and 1 and neural_score between 0 and 1
    ),
    add constraint ab_propensity_in_range check (propensity > 0 and propensity <= 1),
    add constraint ab_identity unique (agent_id, opportunity_id, "timestamp");

create sequence public.ab_test_rows as bigint owned by public.calling_score_ab_test_outcomes.row_sequence;
revoke all on sequence public.ab_test_rows from public, anon, authenticated, service_role;
update public.calling_score_ab_test_outcomes as known
set row_sequence = earlier.place
from (
    select id, row_number() over (order by "timestamp", id) as place from public.calling_score_ab_test_outcomes
) as earlier
where known.id = earlier.id;
select setval('public.ab_test_rows', coalesce(max(row_sequence), 0) + 1, false)
from public.calling_score_ab_test_outcomes;
alter table public.calling_score_ab_test_outcomes alter column row_sequence set not null;
create unique index ab_test_by_arrival on public.calling_score_ab_test_outcomes (row_sequence);
create index ab_test_by_moment on public.calling_score_ab_test_outcomes ("timestamp");

create trigger a_take_turns before insert on public.calling_score_ab_test_outcomes
    for each statement execute function private.take_turns();
create trigger b_number_arrival before insert on public.calling_score_ab_test_outcomes
    for each row execute function private.number_arrival('public.ab_test_rows');

do $$
declare found record;
begin
    for found in
        select policyname from pg_policies
        where schemaname = 'public' and tablename = 'calling_score_ab_test_outcomes'
    loop
        execute format('drop policy %I on public.calling_score_ab_test_outcomes', found.policyname);
    end loop;
end $$;
alter table public.calling_score_ab_test_outcomes enable row level security;
revoke all on public.calling_score_ab_test_outcomes from public, anon, authenticated, service_role;
grant select, insert, delete on public.calling_score_ab_test_outcomes to service_role;
grant select, insert on public.calling_score_ab_test_outcomes to authenticated;
create policy own_rows_read on public.calling_score_ab_test_outcomes for select to authenticated
    using (agent_id = (select private.own_agent_id()));
create policy own_rows_written on public.calling_score_ab_test_outcomes for insert to authenticated
    with check (agent_id = (select private.own_agent_id()));
