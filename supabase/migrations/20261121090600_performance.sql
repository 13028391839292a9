-- Performance by day, as spots_ml/monitoring/performance.py measures it: one document for each day, origin and arm.
-- Saving again replaces: one upsert of several rows is one statement, all of it or none.

create table public.performance (
    day date not null,
    origin text collate "C" not null check (origin in ('served', 'replayed')),
    arm text collate "C" not null check (arm <> ''),
    saved_at timestamptz not null,
    document jsonb not null check (
        jsonb_typeof(document) = 'object' and document ->> 'day' = to_char(day, 'YYYY-MM-DD')
        and document ->> 'origin' = origin and document ->> 'arm' = arm
    ),
    primary key (day, origin, arm)
);
alter table public.performance enable row level security;
revoke all on public.performance from public, anon, authenticated, service_role;
grant select, insert, update on public.performance to service_role;
