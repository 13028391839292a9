-- As before, and asked for step by step, so that most reports cost one look into an index: a query that unites all ways is
-- started anew for every row.
create or replace function private.outcome_elsewhere(
    p_id uuid, p_number bigint, p_reported_in text, p_agent text, p_opportunity text, p_moment timestamptz,
    p_outcome_id uuid
) returns public.linked_outcome
language plpgsql stable set search_path = ''
as $$
declare
    found_one public.linked_outcome;
    is_training constant boolean := p_reported_in = 'training_data';
begin
    if p_outcome_id is not null then
        select told.outcome_type, told.outcome_score, told.outcome_at, told.first_outcome_at, 'id'
        into found_one
        from public.calling_score_training_data as data
        join public.training_arrivals as told on told.id = data.id
        where data.agent_id = p_agent and data.outcome_id = p_outcome_id and data.opportunity_id = p_opportunity
            and data.source_kind = 'real' and data.id <> p_id and told.outcome_type is not null
            and not private.reports_decision(data)
            and not exists (
                select from public.decisions as served
                where served.origin = 'served' and served.agent_id = p_agent and served.opportunity_id = p_opportunity
                    and date_trunc('milliseconds', served.decided_at at time zone 'UTC')
                        = date_trunc('milliseconds', data."timestamp" at time zone 'UTC')
            )
        order by told.label_sequence limit 1;
        if found and not exists (
            select from public.calling_score_training_data as other
            join public.training_arrivals as first on first.id = other.id
            where other.agent_id = p_agent and other.outcome_id = p_outcome_id
                and other.opportunity_id = p_opportunity and other.id <> p_id and other.source_kind = 'real'
                and (not is_training or first.row_sequence < p_number)
                and date_trunc('milliseconds', other."timestamp") <> date_trunc('milliseconds', p_moment)
                and private.reports_decision(other)
        ) and (is_training or not exists (
            select from public.calling_score_ab_test_outcomes as other
            join public.comparison_arrivals as first on first.id = other.id
            where other.agent_id = p_agent and other.outcome_id = p_outcome_id
                and other.opportunity_id = p_opportunity and first.row_sequence < p_number
                and date_trunc('milliseconds', other."timestamp") <> date_trunc('milliseconds', p_moment)
        )) then
            return found_one;
        end if;
    end if;
    -- Of one moment there is one interaction, which is the training table's report itself.
    if not is_training then
        select told.outcome_type, told.outcome_score, told.outcome_at, told.first_outcome_at, 'moment'
        into found_one
        from public.calling_score_training_data as data
        join public.training_arrivals as told on told.id = data.id
        where data.identity = private.interaction_key(p_agent, p_opportunity, p_moment)
            and data.source_kind = 'real' and told.outcome_type is not null;
        if found then
            return found_one;
        end if;
    end if;
    select other.outcome_type, other.outcome_score, other.reported_at, null, 'moment'
    into found_one
    from public.calling_score_ab_test_outcomes as other
    join public.comparison_arrivals as first on first.id = other.id
    where other.agent_id = p_agent and other.opportunity_id = p_opportunity and other.id <> p_id
        and other.outcome_type is not null and other.outcome_score is not null
        and date_trunc('milliseconds', other."timestamp" at time zone 'UTC')
            = date_trunc('milliseconds', p_moment at time zone 'UTC')
    order by first.row_sequence limit 1;
    return case when found then found_one end;
end $$;
