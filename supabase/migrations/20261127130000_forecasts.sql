-- What was predicted of versions before they had traffic, as spots_ml/experiments/forecasting/forecasts.py tells it. It only grows;
-- its numbers are its order. Which rollout was the last by then is looked up here, not told: a forecast counts for those
-- that start after it.

create table public.forecasts (
    number bigint generated always as identity primary key,
    forecast_id uuid not null unique,
    model_type text not null check (model_type <> ''),
    version text not null check (version <> ''),
    after_rollout bigint not null check (after_rollout >= 0),
    made_at timestamptz not null check (isfinite(made_at)),
    document jsonb not null check (
        jsonb_typeof(document) = 'object' and document ->> 'model_type' = model_type
        and document ->> 'version' = version and octet_length(document::text) <= 100000
    )
);
create index forecasts_by_version on public.forecasts (model_type, version, number);

create function private.place_forecast() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    new.after_rollout := coalesce((select max(number) from public.rollouts), 0);
    return new;
end $$;
revoke all on function private.place_forecast() from public, anon, authenticated, service_role;
create trigger place_forecast before insert on public.forecasts
    for each row execute function private.place_forecast();
create trigger forecasts_only_grow before update or delete or truncate on public.forecasts
    for each statement execute function private.refuse_change();

alter table public.forecasts enable row level security;
revoke all on public.forecasts from public, anon, authenticated, service_role;
revoke all on sequence public.forecasts_number_seq from public, anon, authenticated, service_role;
grant select, insert on public.forecasts to service_role;
select private.close_table('public.forecasts');
