-- What was found when a version in service was watched on a day (spots_ml/monitoring/causes/watches.py), one document a
-- day, model and topic; a day that is measured again replaces its row.
create table public.watches (
    day date not null,
    model_type text not null references public.model_kinds (name),
    topic text not null check (topic in ('performance_fell', 'drift')),
    document jsonb not null check (
        jsonb_typeof(document) = 'object' and document ->> 'model_type' = model_type and document ->> 'topic' = topic
        and document ->> 'day' = day::text and octet_length(document::text) <= 1000000
    ),
    primary key (day, model_type, topic)
);
alter table public.watches enable row level security;
revoke all on public.watches from public, anon, authenticated, service_role;
grant select, insert, update on public.watches to service_role;
select private.close_table('public.watches');
