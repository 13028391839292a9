-- Requests to train a model again, as spots_ml/monitoring/causes/requests.py tells them. Both tables only grow, and their
-- numbers are their order. A backend or an edge function adds a row with the service role's key, or calls the function.

grant execute on function private.is_line(text) to service_role;

create table public.retraining_requests (
    number bigint generated always as identity primary key,
    request_id uuid not null unique default gen_random_uuid(),
    model_type text not null references public.model_kinds (name),
    reason text not null check (reason ~ '\S' and private.is_line(reason)),
    actor text not null check (actor ~ '\S' and private.is_line(actor)),
    anew boolean not null default false,
    asked_at timestamptz not null default now() check (isfinite(asked_at)),
    arrived_at timestamptz not null default now()
);
create index retraining_requests_by_model on public.retraining_requests (model_type, number);
create trigger retraining_requests_only_grow before update or delete or truncate on public.retraining_requests
    for each statement execute function private.refuse_change();
alter table public.retraining_requests enable row level security;
revoke all on public.retraining_requests from public, anon, authenticated, service_role;
revoke all on sequence public.retraining_requests_number_seq from public, anon, authenticated, service_role;
grant select, insert (request_id, model_type, reason, actor, anew, asked_at) on public.retraining_requests to service_role;
select private.close_table('public.retraining_requests');

-- Who took a request, and how far the registry's history and the refusals were then: what comes later answers it.
create table public.retraining_takings (
    number bigint generated always as identity primary key,
    request bigint not null references public.retraining_requests (number),
    call_id uuid not null,
    taker text not null,
    taken_at timestamptz not null check (isfinite(taken_at)),
    after_change bigint not null,
    after_refusal bigint not null
);
create index retraining_takings_by_request on public.retraining_takings (request, number);
create index retraining_takings_by_call on public.retraining_takings (call_id);
create trigger retraining_takings_only_grow before update or delete or truncate on public.retraining_takings
    for each statement execute function private.refuse_change();
alter table public.retraining_takings enable row level security;
revoke all on public.retraining_takings from public, anon, authenticated, service_role;
revoke all on sequence public.retraining_takings_number_seq from public, anon, authenticated, service_role;
grant select on public.retraining_takings to service_role;
select private.close_table('public.retraining_takings');

create view public.open_retraining_requests with (security_invoker = true) as
select asked.number, asked.model_type, asked.reason, asked.actor, asked.anew, asked.asked_at,
    taken.number as taking, taken.taker, taken.taken_at
from public.retraining_requests as asked
left join public.retraining_takings as taken
    on taken.number = (select max(number) from public.retraining_takings where request = asked.number)
where not exists (
    select from public.version_history as entry join public.retraining_takings as took on took.request = asked.number
    where entry.model_type = asked.model_type and entry.action in ('registered', 'reaffirmed')
        and entry.sequence > took.after_change
) and not exists (
    select from public.refusals as refused join public.retraining_takings as took on took.request = asked.number
    where refused.model_type = asked.model_type and refused.number > took.after_refusal
);
revoke all on public.open_retraining_requests from public, anon, authenticated, service_role;
grant select on public.open_retraining_requests to service_role;

-- Takes requests, each unless somebody took it since the caller read it: `p_last` has the number of its last taking
-- then, 0 for none. Callers take turns. The same call again has the same answer.
create function public.take_retraining_requests(
    p_requests bigint[], p_last bigint[], p_taker text, p_taken_at timestamptz, p_call_id uuid
) returns jsonb
language plpgsql security definer set search_path = ''
as $$
begin
    lock table public.retraining_takings in exclusive mode;
    if not exists (select from public.retraining_takings where call_id = p_call_id) then
        insert into public.retraining_takings (request, call_id, taker, taken_at, after_change, after_refusal)
        select asked.number, p_call_id, p_taker, p_taken_at,
            coalesce((select max(sequence) from public.version_history), 0),
            coalesce((select max(number) from public.refusals), 0)
        from unnest(p_requests, p_last) as asked (number, last)
        where asked.last = coalesce(
            (select max(known.number) from public.retraining_takings as known where known.request = asked.number), 0
        )
        order by asked.number;
    end if;
    return coalesce(
        (select jsonb_agg(request order by request) from public.retraining_takings where call_id = p_call_id), '[]'
    );
end $$;
revoke all on function public.take_retraining_requests(bigint[], bigint[], text, timestamptz, uuid)
    from public, anon, authenticated;
grant execute on function public.take_retraining_requests(bigint[], bigint[], text, timestamptz, uuid) to service_role;

alter table public.quotas
    -- A loop in a function asks no more often than this; every answer of a run takes longer.
    add column retraining_requests_per_day bigint not null default 20 check (retraining_requests_per_day > 0);
grant update (retraining_requests_per_day) on public.quotas to service_role;

-- Asks for a retraining, and counts: so many of a model in a day (UTC), by this server's clock, whoever asked. The same
-- id again is the same request.
create function public.request_retraining(
    p_model_type text, p_reason text, p_actor text, p_anew boolean default false, p_request_id uuid default gen_random_uuid()
) returns bigint
language plpgsql security definer set search_path = ''
as $$
declare
    most constant bigint := (select retraining_requests_per_day from public.quotas);
    asked bigint;
begin
    perform pg_advisory_xact_lock(20261127, 'public.retraining_requests'::regclass::integer);
    select number into asked from public.retraining_requests where request_id = p_request_id;
    if found then
        return asked;
    end if;
    if most <= (
        select count(*) from public.retraining_requests
        where model_type = p_model_type and arrived_at >= date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'
    ) then
        raise exception '% retrainings of % were asked for today; at most % are taken in a day', most, p_model_type, most
            using errcode = 'PT429',
            hint = 'Nothing was written. Ask again tomorrow (UTC), or ask whoever runs the service to raise public.quotas.';
    end if;
    insert into public.retraining_requests (request_id, model_type, reason, actor, anew)
    values (p_request_id, p_model_type, p_reason, p_actor, p_anew) returning number into asked;
    return asked;
end $$;
revoke all on function public.request_retraining(text, text, text, boolean, uuid) from public, anon, authenticated;
grant execute on function public.request_retraining(text, text, text, boolean, uuid) to service_role;
