-- Rollouts: a challenger that earns its traffic against the champion. What is fixed when one starts, and what was known at
-- each look, are documents with their digests; events, looks and units only grow. Nobody writes these tables: the
-- functions of the next migration do.

create table public.rollouts (
    -- Counted while the registry is locked: without gaps, so that it says how many were before.
    number bigint primary key check (number >= 1),
    model_type text not null,
    version text not null,
    salt text not null unique check (salt ~ '^[0-9a-f]{32}$'),
    status text not null check (status in ('running', 'paused', 'promoted', 'rolled_back', 'ended')),
    stage smallint not null check (stage >= 1),
    started_at timestamptz not null check (isfinite(started_at)),
    last_event bigint not null,
    document text not null check (octet_length(document) <= 1000000),
    digest text not null check (digest = encode(sha256(convert_to(document, 'UTF8')), 'hex')),
    foreign key (model_type, version) references public.model_versions (model_type, version)
);
create index rollouts_of_version on public.rollouts (model_type, version);
create unique index one_rollout_on_its_way on public.rollouts (model_type) where status in ('running', 'paused');

create table public.rollout_looks (
    number bigint generated always as identity primary key,
    rollout bigint not null references public.rollouts (number),
    at timestamptz not null check (isfinite(at)),
    actor text not null check (actor <> ''),
    document text not null check (octet_length(document) <= 1000000),
    digest text not null check (digest = encode(sha256(convert_to(document, 'UTF8')), 'hex'))
);
create index looks_of_rollout on public.rollout_looks (rollout, number);

create table public.rollout_events (
    number bigint generated always as identity primary key,
    rollout bigint not null references public.rollouts (number),
    at timestamptz not null check (isfinite(at)),
    action text not null check (
        action in ('started', 'widened', 'paused', 'resumed', 'promoted', 'rolled_back', 'ended')
    ),
    cause text not null check (cause <> ''),
    reason text not null check (reason <> ''),
    stage smallint not null check (stage >= 1),
    share double precision not null check (share between 0 and 1),
    actor text not null check (actor <> ''),
    look bigint references public.rollout_looks (number)
);
create index events_of_rollout on public.rollout_events (rollout, number);
create index events_of_look on public.rollout_events (look) where look is not null;

create table public.rollout_units (
    rollout bigint not null references public.rollouts (number),
    number bigint not null check (number >= 1),
    stage smallint not null check (stage >= 1),
    agent_id text not null,
    document jsonb not null check (
        jsonb_typeof(document) = 'object' and (document ->> 'stage')::smallint = stage
        and document ->> 'agent_id' = agent_id
    ),
    primary key (rollout, number),
    unique (rollout, stage, agent_id)
);

create function private.keep_rollout() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    standing constant text[] := array['status', 'stage', 'last_event'];
begin
    if to_jsonb(new) - standing is distinct from to_jsonb(old) - standing then
        raise exception 'what a rollout started with never changes' using errcode = 'restrict_violation';
    elsif old.status not in ('running', 'paused') then
        raise exception 'a rollout that is over never changes' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
revoke all on function private.keep_rollout() from public, anon, authenticated, service_role;

create trigger keep_rollout before update on public.rollouts
    for each row execute function private.keep_rollout();
create trigger rollouts_are_not_deleted before delete or truncate on public.rollouts
    for each statement execute function private.refuse_change();
create trigger looks_only_grow before update or delete or truncate on public.rollout_looks
    for each statement execute function private.refuse_change();
create trigger events_only_grow before update or delete or truncate on public.rollout_events
    for each statement execute function private.refuse_change();
create trigger units_only_grow before update or delete or truncate on public.rollout_units
    for each statement execute function private.refuse_change();

-- Every change there is: its name, the status before (null: there was no rollout) and after.
create table private.rollout_transitions (
    number smallint generated always as identity primary key,
    action text not null,
    from_status text,
    to_status text not null,
    unique nulls not distinct (action, from_status)
);
insert into private.rollout_transitions (action, from_status, to_status) values
    ('started', null, 'running'),
    ('widened', 'running', 'running'),
    ('paused', 'running', 'paused'),
    ('resumed', 'paused', 'running'),
    ('promoted', 'running', 'promoted'),
    ('rolled_back', 'running', 'rolled_back'),
    ('rolled_back', 'paused', 'rolled_back'),
    ('ended', 'running', 'ended'),
    ('ended', 'paused', 'ended');

-- Calls that were made, by the id that the caller gave them; one that is sent again changes nothing.
create table private.rollout_requests (
    request_id uuid primary key,
    request_digest text not null,
    rollout bigint not null
);

do $$
declare name text;
begin
    foreach name in array array[
        'public.rollouts', 'public.rollout_looks', 'public.rollout_events', 'public.rollout_units',
        'private.rollout_transitions', 'private.rollout_requests'
    ] loop
        execute format('alter table %s enable row level security', name);
        execute format('revoke all on %s from public, anon, authenticated, service_role', name);
        perform private.close_table(name::regclass);
    end loop;
end $$;
revoke all on sequence public.rollout_looks_number_seq, public.rollout_events_number_seq
    from public, anon, authenticated, service_role;
grant select on public.rollouts, public.rollout_looks, public.rollout_events, public.rollout_units to service_role;
