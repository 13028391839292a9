-- What a decision may claim, as spots_ml/scoring/decision_log/claims.py has it: served is what was decided at its moment,
-- by versions that were in service; of one agent, opportunity and moment one decision is. All else is a replay, and no
-- outcome is linked to it.

-- The present by the clock of this database, which no client's clock can move.
create function private.present() returns timestamptz
language sql stable set search_path = ''
as $$ select now() $$;
revoke all on function private.present() from public, anon, authenticated, service_role;

alter table public.decisions
    add column claim text check (
        claim in ('at_its_moment', 'scored_again', 'another_moment', 'not_in_service', 'already_served')
    );

-- Rows that were there before: decided anew by what is known of them.
alter table public.decisions disable trigger user;
update public.decisions as told set claim = case
    when origin = 'replayed' then 'scored_again'
    when not isfinite(logged_at) or not isfinite(decided_at) then 'another_moment'
    when logged_at - decided_at not between interval '-15 minutes' and interval '15 minutes' then 'another_moment'
    when version is not null and not exists (
        select from public.model_versions as known
        where known.model_type = 'calling_score' and known.version = told.version
            and known.created_at <= told.decided_at
    ) or outcome_version is not null and not exists (
        select from public.model_versions as known
        where known.model_type = 'outcome' and known.version = told.outcome_version
            and known.created_at <= told.decided_at
    ) then 'not_in_service'
    else 'at_its_moment'
end;
update public.decisions as told set claim = 'already_served'
where claim = 'at_its_moment' and exists (
    select from public.decisions as first
    where first.claim = 'at_its_moment' and first.agent_id = told.agent_id
        and first.opportunity_id = told.opportunity_id
        and date_trunc('milliseconds', first.decided_at) = date_trunc('milliseconds', told.decided_at)
        and first.row_sequence < told.row_sequence
);
update public.decisions set origin = 'replayed', propensity = null where claim <> 'at_its_moment';
alter table public.decisions enable trigger user;

create unique index one_served_decision on public.decisions (
    agent_id, opportunity_id, date_trunc('milliseconds', decided_at at time zone 'UTC')
) where origin = 'served';
alter table public.decisions
    add constraint decisions_claim_is_the_origins check ((claim = 'at_its_moment') = (origin = 'served'));

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
-- watermark; what a row of before there were arms does not say is not either.
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
                select case when known.arm is null then aside || since_arms else aside end as names
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
