-- Taking in interactions that were sent as a batch of `incoming_rows`: each once, what is known never forgotten.
-- The rules they obey are applied before they are sent; broken records come along with their reasons.

create table public.quarantined_interactions (
    identity uuid primary key,
    position bigint not null,
    source text not null,
    reasons text[] not null,
    record text not null,
    imported_at timestamptz not null
);
alter table public.quarantined_interactions enable row level security;
revoke all on public.quarantined_interactions from public, anon, authenticated, service_role;
-- Deleting is for a person's right to be forgotten.
grant select, delete on public.quarantined_interactions to service_role;

create type public.import_counts as (
    status text, reason text, n_distinct bigint, n_new bigint, n_updated bigint, n_new_labels bigint
);

-- Takes a batch in, all or nothing; the same batch again answers the same. An item is a row as the app sends it, without
-- the keys that are unknown, or a broken record: {"position", "reasons", "record"}. `n_distinct` counts the interactions
-- among the items. Labels are numbered in the order of the items, whether their interactions were known or not.
create function public.import_interactions(
    p_batch uuid, p_n_rows bigint, p_source_kind text, p_source text, p_at timestamptz
) returns public.import_counts
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    report jsonb := private.batch_report(p_batch);
    n_there bigint;
    reached public.arrival;
    counts public.import_counts;
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
    -- Takes this writer's turn before anything is read: until it commits nobody else writes the table.
    update public.calling_score_training_data set updated_at = updated_at where false;
    reached := public.label_watermark();

    with told as (
        select sent.position, sent.item, private.interaction_identity(
            jsonb_populate_record(null::public.calling_score_training_data, sent.item)
        ) as identity
        from public.incoming_rows as sent
        where sent.batch = p_batch and not sent.item ? 'reasons'
    ), grouped as (
        select identity, min(position) as place, array_agg(item order by position) as items from told group by identity
    ), once as materialized (
        -- Of what is told twice, the later telling.
        select identity, place, case cardinality(items) when 1 then items[1] else (
            select jsonb_object_agg(field.key, field.value order by telling.number)
            from unnest(items) with ordinality as telling (item, number) cross join jsonb_each(telling.item) as field
        ) end as item
        from grouped
    ), changing as (
        select once.place, features.differ, incoming as incoming, known as known
        from once
        cross join lateral jsonb_populate_record(null::public.calling_score_training_data, once.item) as incoming
        left join public.calling_score_training_data as known on known.identity = once.identity
        cross join lateral (
            select known.id is null or (
                incoming.user_vibe_dimensions, incoming.spot_vibe_dimensions, incoming.context_features,
                incoming.timing_features
            ) is distinct from (
                known.user_vibe_dimensions, known.spot_vibe_dimensions, known.context_features, known.timing_features
            ) and private.raw_features(
                incoming.user_vibe_dimensions, incoming.spot_vibe_dimensions, incoming.context_features,
                incoming.timing_features
            ) is distinct from private.raw_features(
                known.user_vibe_dimensions, known.spot_vibe_dimensions, known.context_features, known.timing_features
            ) as differ
        ) as features
        where features.differ or (
            coalesce(incoming.formula_calling_score, known.formula_calling_score),
            coalesce(incoming.formula_is_called, known.formula_is_called),
            coalesce(incoming.outcome_type, known.outcome_type),
            coalesce(incoming.outcome_score, known.outcome_score),
            coalesce(incoming.outcome_timestamp, known.outcome_timestamp)
        ) is distinct from (
            known.formula_calling_score, known.formula_is_called, known.outcome_type, known.outcome_score,
            known.outcome_timestamp
        )
    ), written as (
        insert into public.calling_score_training_data as known (
            source_kind, agent_id, opportunity_id, "timestamp",
            user_vibe_dimensions, spot_vibe_dimensions, context_features, timing_features,
            formula_calling_score, formula_is_called, outcome_type, outcome_score, outcome_timestamp
        )
        -- What the app adds to the raw features stays as long as these do.
        select p_source_kind, (incoming).agent_id, (incoming).opportunity_id, (incoming)."timestamp",
            (features).user_vibe_dimensions, (features).spot_vibe_dimensions, (features).context_features,
            (features).timing_features,
            (incoming).formula_calling_score, (incoming).formula_is_called, (incoming).outcome_type,
            (incoming).outcome_score, (incoming).outcome_timestamp
        from (select *, case when differ then incoming else known end as features from changing) as changed
        order by place
        on conflict (identity) do update set
            user_vibe_dimensions = excluded.user_vibe_dimensions,
            spot_vibe_dimensions = excluded.spot_vibe_dimensions,
            context_features = excluded.context_features,
            timing_features = excluded.timing_features,
            formula_calling_score = excluded.formula_calling_score,
            formula_is_called = excluded.formula_is_called,
            outcome_type = excluded.outcome_type,
            outcome_score = excluded.outcome_score,
            outcome_timestamp = excluded.outcome_timestamp,
            updated_at = excluded.updated_at
        returning known.row_sequence, known.label_sequence
    )
    select 'ok', null, (select count(*) from once), count(*) filter (where row_sequence > reached.rows),
        count(*) filter (where row_sequence <= reached.rows), count(*) filter (where label_sequence > reached.labels)
    into counts from written;

    insert into public.quarantined_interactions (identity, position, source, reasons, record, imported_at)
    select private.digest_id(jsonb_build_array(item -> 'record', item -> 'reasons')), (item ->> 'position')::bigint,
        p_source, array(select jsonb_array_elements_text(item -> 'reasons')), item ->> 'record', p_at
    from public.incoming_rows
    where batch = p_batch and item ? 'reasons'
    order by position
    on conflict (identity) do nothing;

    return jsonb_populate_record(null::public.import_counts, private.finish_batch(p_batch, to_jsonb(counts)));
end $$;
revoke all on function public.import_interactions(uuid, bigint, text, text, timestamptz)
    from public, anon, authenticated;
grant execute on function public.import_interactions(uuid, bigint, text, text, timestamptz) to service_role;
