-- A decision says by how much the trend changed its score, and whether the filter could say no: with these it can be made
-- again out of the log alone.
alter table public.decisions
    add column trend_boost double precision check (trend_boost between -0.1 and 0.2),
    add column filter_on boolean;

drop view public.decisions_with_outcomes;
create view public.decisions_with_outcomes with (security_invoker = true) as
select decided.*, outcome.outcome_type, outcome.outcome_score, outcome.outcome_timestamp as outcome_at,
    nullif(outcome.first_outcome_timestamp, outcome.outcome_timestamp) as first_outcome_at
from public.decisions as decided
left join public.calling_score_training_data as outcome
    on outcome.identity = private.interaction_key(decided.agent_id, decided.opportunity_id, decided.decided_at)
    and decided.origin = 'served';
revoke all on public.decisions_with_outcomes from public, anon, authenticated, service_role;
grant select on public.decisions_with_outcomes to service_role, spots_ml_reader;

-- Logs the decisions of a batch of incoming_rows, each once, all or none. Sent again, it answers the same. What is known
-- stays as it was made. Status `ok`: n_new, n_known, others (the ids of known ones that would be made otherwise now, in
-- their order), claims (new ones by their claim). `incomplete`: n_rows are there, not p_n_rows. `other_fields`: missing
-- are the columns of p_fields that the table lacks. Origin, claim and propensity are no part of the content, nor is the
-- watermark; what a row of an earlier layout does not say is not either.
-- What claims to be served and is not of the last hour is a replay whatever the client's clock says: within that a client
-- has judged (by less), scored and sent.
create or replace function public.log_decisions(
    p_batch uuid, p_n_rows bigint, p_logged_at timestamptz, p_fields text[] default null
) returns jsonb
language plpgsql security definer set search_path = '' set timezone = 'UTC' set statement_timeout = '60s'
as $$
declare
    aside constant text[] := array['row_sequence', 'logged_at', 'watermark', 'origin', 'claim', 'propensity'];
    since_arms constant text[] := array['arm', 'experiment', 'stage', 'share'];
    since_trend constant text[] := array['trend_boost', 'filter_on'];
    report jsonb := private.batch_report(p_batch);
    n_there bigint;
    reached bigint;
    n_new bigint;
    missing text[];
    claims jsonb;
    others jsonb := '[]';
begin
    if report is not null then
        return report;
    end if;
    select array_agg(given.name order by given.name) into missing from unnest(p_fields) as given (name)
    where not exists (
        select from pg_catalog.pg_attribute
        where attrelid = 'public.decisions'::regclass and attname = given.name and attnum > 0 and not attisdropped
    );
    if missing is not null then
        return jsonb_build_object('status', 'other_fields', 'missing', missing);
    end if;
    n_there := private.batch_rows(p_batch);
    if n_there is distinct from p_n_rows then
        return jsonb_build_object('status', 'incomplete', 'n_rows', n_there);
    end if;
    -- This writer's turn, before it is looked which decisions are served.
    perform pg_advisory_xact_lock(20261121, 'public.decisions'::regclass::oid::integer);
    select coalesce(max(row_sequence), 0) into reached from public.decisions;

    with sent as materialized (
        select position, item, item ->> 'decision_id' as decision_id, item ->> 'agent_id' as agent_id,
            item ->> 'opportunity_id' as opportunity_id, (item ->> 'decided_at')::timestamptz as decided_at,
            item ->> 'origin' = 'served' as is_served
        from public.incoming_rows where batch = p_batch
    ), timely as materialized (
        select *, is_served and coalesce(
            decided_at between private.present() - interval '1 hour' and private.present() + interval '15 minutes', true
        ) as is_timely,
            date_trunc('milliseconds', decided_at at time zone 'UTC') as moment
        from sent
    ), placed as materialized (
        select *, first_value(decision_id) over (
            partition by agent_id, opportunity_id, moment order by is_timely desc, position
        ) as first_id
        from timely
    ), judged as (
        select position, item, is_served, case
            when not is_served then coalesce(item ->> 'claim', 'scored_again')
            -- What contradicts itself is refused by the table.
            when item ->> 'claim' <> 'at_its_moment' then item ->> 'claim'
            when not is_timely then 'another_moment'
            when first_id <> decision_id or exists (
                select from public.decisions as known
                where known.origin = 'served' and known.agent_id = placed.agent_id
                    and known.opportunity_id = placed.opportunity_id
                    and date_trunc('milliseconds', known.decided_at at time zone 'UTC') = placed.moment
                    and known.decision_id <> placed.decision_id
            ) then 'already_served'
            else 'at_its_moment'
        end as claim
        from placed
    )
    insert into public.decisions
    select typed.*
    from judged
    cross join lateral jsonb_populate_record(
        null::public.decisions,
        judged.item || jsonb_build_object('logged_at', p_logged_at, 'claim', claim) || case
            when claim = 'at_its_moment' then '{}'::jsonb
            when is_served and item ->> 'claim' is distinct from claim
                then '{"origin": "replayed", "propensity": null}'
            else '{"propensity": null}'
        end
    ) as typed
    order by judged.position
    on conflict (decision_id) do nothing;
    get diagnostics n_new = row_count;

    select coalesce(jsonb_object_agg(claim, counted), '{}') into claims from (
        select claim, count(*) as counted from public.decisions where row_sequence > reached group by claim
    ) as added;
    if n_new < n_there then
        select coalesce(jsonb_agg(decision_id order by place), '[]') into others from (
            select typed.decision_id, min(sent.position) as place
            from public.incoming_rows as sent
            cross join lateral jsonb_populate_record(null::public.decisions, sent.item) as typed
            join public.decisions as known on known.decision_id = typed.decision_id
            cross join lateral (
                select aside || case when known.arm is null then since_arms else '{}' end
                    || case when known.trend_boost is null then since_trend else '{}' end as names
            ) as passed_over
            where sent.batch = p_batch
                and to_jsonb(known) - passed_over.names is distinct from to_jsonb(typed) - passed_over.names
            group by typed.decision_id
        ) as differing;
    end if;
    report := jsonb_build_object(
        'status', 'ok', 'n_new', n_new, 'n_known', n_there - n_new, 'others', others, 'claims', claims
    );
    return private.finish_batch(p_batch, report);
end $$;
