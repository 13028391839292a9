-- Of a broken record that an import sets aside, a number of the sequence of the interactions says when: so a watermark
-- tells which were there, and an import of nothing but broken records is behind the one of before. Those of before the
-- numbers were there at every watermark.
alter table public.quarantined_interactions add column row_sequence bigint;
update public.quarantined_interactions as kept set row_sequence = numbered.place - numbered.n
from (
    select identity, row_number() over (order by imported_at, position, identity) as place, count(*) over () as n
    from public.quarantined_interactions
) as numbered
where numbered.identity = kept.identity;
alter table public.quarantined_interactions alter column row_sequence set not null;
create unique index quarantined_by_arrival on public.quarantined_interactions (row_sequence);

-- As before, and numbers what it sets aside, behind the interactions of the same import.
create or replace function public.import_interactions(
    p_batch uuid, p_n_rows bigint, p_source_kind text, p_source text, p_at timestamptz
) returns public.import_counts
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    report jsonb := private.batch_report(p_batch);
    n_there bigint;
    n_written bigint;
    counts public.import_counts;
    given public.arrival;
begin
    if report is not null then
        return jsonb_populate_record(null::public.import_counts, report);
    end if;
    n_there := private.batch_rows(p_batch);
    if n_there is distinct from p_n_rows then
        return (
            'refused', format('%s of %s rows of the batch are there', n_there, p_n_rows), null, null, null, null
        )::public.import_counts;
    end if;
    perform pg_advisory_xact_lock(20261126, 1);

    with sent as materialized (
        select position, jsonb_populate_record(null::public.calling_score_training_data, item) as told
        from public.incoming_rows where batch = p_batch and not item ? 'reasons'
    ), once as materialized (
        select identity, min(position) as place, private.merged_interactions(array_agg(told)) as told
        from (select *, private.interaction_identity(told) as identity from sent) as identified
        group by identity
    ), merging as materialized (
        select once.place, known,
            case
                when known.id is null then once.told
                -- Mostly what is imported again says what is known.
                when (
                    (once.told)."timestamp", (once.told).user_vibe_dimensions, (once.told).spot_vibe_dimensions,
                    (once.told).context_features, (once.told).timing_features, (once.told).formula_calling_score,
                    (once.told).formula_is_called, (once.told).outcome_type, (once.told).outcome_score,
                    (once.told).outcome_timestamp, private.first_arrival(once.told)
                ) is not distinct from (
                    known."timestamp", known.user_vibe_dimensions, known.spot_vibe_dimensions,
                    known.context_features, known.timing_features, known.formula_calling_score,
                    known.formula_is_called, known.outcome_type, known.outcome_score, known.outcome_timestamp,
                    private.first_arrival(known)
                ) then known
                else private.merged_arrivals(known, once.told)
            end as said
        from once left join public.calling_score_training_data as known on known.identity = once.identity
    ), written as (
        insert into public.calling_score_training_data as known (
            source_kind, agent_id, opportunity_id, "timestamp",
            user_vibe_dimensions, spot_vibe_dimensions, context_features, timing_features,
            formula_calling_score, formula_is_called, outcome_type, outcome_score, outcome_timestamp,
            first_outcome_timestamp
        )
        select p_source_kind, (said).agent_id, (said).opportunity_id, (said)."timestamp",
            (said).user_vibe_dimensions, (said).spot_vibe_dimensions, (said).context_features, (said).timing_features,
            (said).formula_calling_score, (said).formula_is_called, (said).outcome_type, (said).outcome_score,
            (said).outcome_timestamp, private.first_arrival(said)
        from merging
        where (known).id is null or (
            (said)."timestamp", (said).user_vibe_dimensions, (said).spot_vibe_dimensions, (said).context_features,
            (said).timing_features, (said).formula_calling_score, (said).formula_is_called, (said).outcome_type,
            (said).outcome_score, (said).outcome_timestamp, private.first_arrival(said)
        ) is distinct from (
            (known)."timestamp", (known).user_vibe_dimensions, (known).spot_vibe_dimensions, (known).context_features,
            (known).timing_features, (known).formula_calling_score, (known).formula_is_called, (known).outcome_type,
            (known).outcome_score, (known).outcome_timestamp, private.first_arrival(known)
        )
        order by place
        on conflict (identity) do update set
            "timestamp" = excluded."timestamp",
            user_vibe_dimensions = excluded.user_vibe_dimensions,
            spot_vibe_dimensions = excluded.spot_vibe_dimensions,
            context_features = excluded.context_features,
            timing_features = excluded.timing_features,
            formula_calling_score = excluded.formula_calling_score,
            formula_is_called = excluded.formula_is_called,
            outcome_type = excluded.outcome_type,
            outcome_score = excluded.outcome_score,
            outcome_timestamp = excluded.outcome_timestamp,
            first_outcome_timestamp = excluded.first_outcome_timestamp,
            updated_at = excluded.updated_at
        returning known.id
    )
    select (select count(*) from written), (select count(*) from once) into n_written, counts.n_distinct;
    select count(source_kind), count(*) filter (where is_first) into counts.n_new, counts.n_new_labels
    from private.arriving where writer = pg_current_xact_id();
    counts.status := 'ok';
    counts.n_updated := n_written - counts.n_new;
    given := private.number_arrivals();

    with kept as (
        insert into public.quarantined_interactions (
            row_sequence, identity, position, source, reasons, record, imported_at
        )
        select given.rows + row_number() over (order by position),
            private.digest_id(jsonb_build_array(item -> 'record', item -> 'reasons')), (item ->> 'position')::bigint,
            p_source, array(select jsonb_array_elements_text(item -> 'reasons')), item ->> 'record', p_at
        from public.incoming_rows
        where batch = p_batch and item ? 'reasons'
        order by position
        on conflict (identity) do nothing
        returning row_sequence
    )
    update private.numbers_given set rows = last.number
    from (select max(row_sequence) as number from kept) as last where last.number is not null;

    return jsonb_populate_record(null::public.import_counts, private.finish_batch(p_batch, to_jsonb(counts)));
end $$;
