-- What phones decided, of both tables, each with its outcome: the one in the very row, else the one that the same agent
-- told of the same opportunity under the same `outcome_id`, else the one of the same moment.

create index training_by_outcome on public.calling_score_training_data (agent_id, outcome_id) where outcome_id is not null;
create index ab_test_by_outcome on public.calling_score_ab_test_outcomes (agent_id, outcome_id)
    where outcome_id is not null;
-- The moment as it makes an interaction itself: truncated.
create index ab_test_by_interaction on public.calling_score_ab_test_outcomes (
    agent_id, opportunity_id, date_trunc('milliseconds', "timestamp" at time zone 'UTC')
);

create type public.linked_outcome as (
    outcome_type text, outcome_score double precision, outcome_at timestamptz, first_outcome_at timestamptz,
    outcome_by text
);

-- The outcome of a report whose row has none. An outcome is that of one decision: a row that tells a decision itself gives
-- its outcome to no other one, nor does one whose moment is that of a decision that the service served; and of several
-- reports under one id the first that arrived has it, those of the training table before those of the comparison. What a
-- row of the comparison tells was known when it was written.
create function private.outcome_elsewhere(
    p_id uuid, p_number bigint, p_reported_in text, p_agent text, p_opportunity text, p_moment timestamptz,
    p_outcome_id uuid
) returns public.linked_outcome
language sql stable set search_path = ''
as $$
    select found.outcome_type, found.outcome_score, found.outcome_at, found.first_outcome_at, found.outcome_by
    from (
        (
            select 1 as place, told.outcome_type, told.outcome_score, told.outcome_at, told.first_outcome_at,
                'id' as outcome_by
            from public.calling_score_training_data as data
            join public.training_arrivals as told on told.id = data.id
            where data.agent_id = p_agent and data.opportunity_id = p_opportunity and data.outcome_id = p_outcome_id
                and data.source_kind = 'real' and data.id <> p_id and told.outcome_type is not null
                and not private.reports_decision(data)
                and not exists (
                    select from public.decisions as served
                    where served.origin = 'served' and served.agent_id = p_agent
                        and served.opportunity_id = p_opportunity
                        and date_trunc('milliseconds', served.decided_at at time zone 'UTC')
                            = date_trunc('milliseconds', data."timestamp" at time zone 'UTC')
                )
                and not exists (
                    select from public.calling_score_training_data as other
                    join public.training_arrivals as first on first.id = other.id
                    where other.agent_id = p_agent and other.opportunity_id = p_opportunity
                        and other.outcome_id = p_outcome_id and other.id <> p_id and other.source_kind = 'real'
                        and (p_reported_in = 'comparison' or first.row_sequence < p_number)
                        and date_trunc('milliseconds', other."timestamp") <> date_trunc('milliseconds', p_moment)
                        and private.reports_decision(other)
                )
                and (p_reported_in = 'training_data' or not exists (
                    select from public.calling_score_ab_test_outcomes as other
                    join public.comparison_arrivals as first on first.id = other.id
                    where other.agent_id = p_agent and other.opportunity_id = p_opportunity
                        and other.outcome_id = p_outcome_id and first.row_sequence < p_number
                        and date_trunc('milliseconds', other."timestamp") <> date_trunc('milliseconds', p_moment)
                ))
            order by told.label_sequence limit 1
        )
        union all
        (
            select 2, told.outcome_type, told.outcome_score, told.outcome_at, told.first_outcome_at, 'moment'
            from public.calling_score_training_data as data
            join public.training_arrivals as told on told.id = data.id
            where data.identity = private.interaction_key(p_agent, p_opportunity, p_moment)
                and data.source_kind = 'real' and data.id <> p_id and told.outcome_type is not null
        )
        union all
        (
            select 3, other.outcome_type, other.outcome_score, other.reported_at, null, 'moment'
            from public.calling_score_ab_test_outcomes as other
            join public.comparison_arrivals as first on first.id = other.id
            where other.agent_id = p_agent and other.opportunity_id = p_opportunity and other.id <> p_id
                and other.outcome_type is not null and other.outcome_score is not null
                and date_trunc('milliseconds', other."timestamp" at time zone 'UTC')
                    = date_trunc('milliseconds', p_moment at time zone 'UTC')
            order by first.row_sequence limit 1
        )
    ) as found
    order by found.place limit 1
$$;
revoke all on function private.outcome_elsewhere(uuid, bigint, text, text, text, timestamptz, uuid)
    from public, anon, authenticated, service_role;
grant execute on function private.outcome_elsewhere(uuid, bigint, text, text, text, timestamptz, uuid),
    private.reports_decision(public.calling_score_training_data)
    to service_role, spots_ml_reader;

drop view public.phone_decisions;
create view public.phone_decisions with (security_invoker = true) as
select known.row_sequence, data.id::text as decision_id, data.agent_id, data.opportunity_id,
    data."timestamp" as decided_at, data.arm as agent_group, data.model_version as version,
    data.outcome_model_version as outcome_version, data.weight, data.formula_calling_score as formula_score,
    data.neural_score, data.calling_score as score, data.is_called as called, data.propensity, data.fallback,
    data.experiment, data.stage,
    coalesce(known.outcome_type, linked.outcome_type) as outcome_type,
    coalesce(known.outcome_score, linked.outcome_score) as outcome_score,
    case when known.outcome_type is null then linked.outcome_at else known.outcome_at end as outcome_at,
    case when known.outcome_type is null then linked.first_outcome_at else known.first_outcome_at end
        as first_outcome_at,
    data.reported_at, 'training_data' as reported_in,
    case when known.outcome_type is null then linked.outcome_by else 'row' end as outcome_by
from public.calling_score_training_data as data
join public.training_arrivals as known on known.id = data.id
left join lateral (
    -- Asked for where there is none in the row, and nowhere else.
    select (elsewhere.told).* from (
        select private.outcome_elsewhere(
            data.id, known.row_sequence, 'training_data', data.agent_id, data.opportunity_id, data."timestamp",
            data.outcome_id
        ) as told
        where known.outcome_type is null offset 0
    ) as elsewhere
) as linked on true
where data.source_kind = 'real' and num_nonnulls(
    data.arm, data.model_version, data.outcome_model_version, data.weight, data.neural_score, data.calling_score,
    data.is_called, data.propensity, data.fallback, data.experiment, data.stage
) > 0;

-- The same of the app's comparison, by its own numbers; every row of it tells a decision.
create view public.phone_comparisons with (security_invoker = true) as
select known.row_sequence, data.id::text as decision_id, data.agent_id, data.opportunity_id,
    data."timestamp" as decided_at, data.test_group as agent_group, data.model_version as version,
    data.outcome_model_version as outcome_version, data.weight, data.formula_score, data.neural_score,
    data.calling_score as score, data.is_called as called, data.propensity, data.fallback, data.experiment, data.stage,
    case when own.has_outcome then data.outcome_type else linked.outcome_type end as outcome_type,
    case when own.has_outcome then data.outcome_score else linked.outcome_score end as outcome_score,
    case when own.has_outcome then data.reported_at else linked.outcome_at end as outcome_at,
    case when own.has_outcome then null else linked.first_outcome_at end as first_outcome_at,
    data.reported_at, 'comparison' as reported_in,
    case when own.has_outcome then 'row' else linked.outcome_by end as outcome_by
from public.calling_score_ab_test_outcomes as data
join public.comparison_arrivals as known on known.id = data.id
cross join lateral (
    select data.outcome_type is not null and data.outcome_score is not null as has_outcome
) as own
left join lateral (
    select (elsewhere.told).* from (
        select private.outcome_elsewhere(
            data.id, known.row_sequence, 'comparison', data.agent_id, data.opportunity_id, data."timestamp",
            data.outcome_id
        ) as told
        where not own.has_outcome offset 0
    ) as elsewhere
) as linked on true;
revoke all on public.phone_decisions, public.phone_comparisons
    from public, anon, authenticated, service_role, spots_ml_reader;
grant select on public.phone_decisions, public.phone_comparisons to service_role, spots_ml_reader;
