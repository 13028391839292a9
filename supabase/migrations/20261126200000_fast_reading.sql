-- Reading and counting as fast as when the numbers were in the app's table.

-- The outcome in a record of the app's export; the record itself is made without one.
create function private.record_with_outcome(
    p_record text, p_type text, p_score double precision, p_at timestamptz
) returns text
language sql stable set search_path = '' set timezone = 'UTC'
as $$
    select (p_record::jsonb || jsonb_build_object(
        'outcome_type', p_type, 'outcome_score', p_score, 'outcome_timestamp', p_at
    ))::text
$$;
revoke all on function private.record_with_outcome(text, text, double precision, timestamptz)
    from public, anon, authenticated, service_role;
grant execute on function private.record_with_outcome(text, text, double precision, timestamptz)
    to service_role, spots_ml_reader;

-- As before, but no row goes through the join as a whole, with the app's documents: what is made of one is made where the
-- table is read, for rows without plain features alone.
create or replace view public.interactions with (security_invoker = true) as
select known.row_sequence, known.label_sequence, known.outcome_sequence, known.source_kind, data.agent_id,
    data.opportunity_id, data."timestamp" as scored_at, data.features, data.formula_calling_score as formula_score,
    data.formula_is_called as is_called, known.outcome_type, known.outcome_score, known.outcome_at,
    known.first_outcome_at,
    case when known.outcome_sequence > known.label_sequence then (
        select jsonb_agg(jsonb_build_array(
            entry.sequence, entry.outcome_type, entry.outcome_score, entry.outcome_at, entry.first_outcome_at
        ) order by entry.sequence)::text
        from public.training_outcomes as entry where entry.id = known.id
    ) end as told,
    case when data.unlabelled_record is not null then private.record_with_outcome(
        data.unlabelled_record, known.outcome_type, known.outcome_score, known.outcome_at
    ) end as record,
    data.unlabelled_record
from public.training_arrivals as known left join (
    select id, agent_id, opportunity_id, "timestamp", features, formula_calling_score, formula_is_called,
        case when features is null then private.interaction_record(app, false) end as unlabelled_record
    from public.calling_score_training_data as app
) as data on data.id = known.id;
drop function private.known_record(public.calling_score_training_data, public.training_arrivals);

-- Whether anything waits, by the index: what was numbered a moment ago is still in the pages of the queue until a vacuum,
-- and an index passes over what is known to be dead. Compiling a plan takes longer than any of these calls.
create function private.is_anything_arriving() returns boolean
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off set jit = off
as $$
begin
    perform place from private.arriving order by place limit 1;
    return found;
end $$;
revoke all on function private.is_anything_arriving() from public, anon, authenticated, service_role;

create or replace function public.label_watermark() returns public.arrival
language plpgsql volatile security definer set search_path = '' set jit = off set enable_seqscan = on
set statement_timeout = '60s'
as $$
begin
    if private.is_anything_arriving() then
        return private.number_arrivals();
    end if;
    return (select (labels, rows)::public.arrival from private.numbers_given where single);
end $$;
alter function public.reached_watermark() set jit = off;
alter function public.count_labels_after(bigint) set jit = off;
alter function public.count_corrections_after(bigint) set jit = off;

-- The queue is emptied again and again, and the log grows alone: both are looked after by how much was written.
alter table private.arriving set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
alter table public.training_outcomes set (
    autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02
);
