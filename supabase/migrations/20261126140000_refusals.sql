-- What gates refused, as spots_ml/monitoring/refusals.py tells it. The log only grows; its numbers are its order.

create table public.refusals (
    number bigint generated always as identity primary key,
    refusal_id uuid not null unique,
    model_type text not null check (model_type <> ''),
    refused_at timestamptz not null check (isfinite(refused_at)),
    document jsonb not null check (
        jsonb_typeof(document) = 'object' and document ->> 'model_type' = model_type
        and octet_length(document::text) <= 100000
    )
);
create index refusals_by_model on public.refusals (model_type, number);
create trigger refusals_only_grow before update or delete or truncate on public.refusals
    for each statement execute function private.refuse_change();
alter table public.refusals enable row level security;
revoke all on public.refusals from public, anon, authenticated, service_role;
revoke all on sequence public.refusals_number_seq from public, anon, authenticated, service_role;
grant select, insert on public.refusals to service_role;
select private.close_table('public.refusals');
