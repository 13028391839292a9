-- One identity and one merge: which records are the same interaction, and what they say together. The rule is that of
-- spots_ml/interactions/judging/merging.py, whose docstring is the specification; the tests hold what is said here
-- against it, row by row.

-- Sixteen bytes for agent, opportunity and moment, which is truncated to the millisecond.
create function private.interaction_key(p_agent_id text, p_opportunity_id text, p_moment timestamptz) returns uuid
language sql stable set search_path = ''
as $$
    select private.digest_id(jsonb_build_array(
        p_agent_id, p_opportunity_id, extract(epoch from date_trunc('milliseconds', p_moment))
    ))
$$;

-- What makes an interaction itself: agent, opportunity and moment, where all are known; else all that is said of it.
create or replace function private.interaction_identity(p_row public.calling_score_training_data) returns uuid
language plpgsql stable set search_path = ''
as $$
begin
    if p_row.agent_id is not null and p_row.opportunity_id is not null and p_row."timestamp" is not null then
        return private.interaction_key(p_row.agent_id, p_row.opportunity_id, p_row."timestamp");
    end if;
    return private.digest_id(
        jsonb_build_array(p_row.agent_id, p_row.opportunity_id, extract(epoch from p_row."timestamp"))
        || private.raw_features(
            p_row.user_vibe_dimensions, p_row.spot_vibe_dimensions, p_row.context_features, p_row.timing_features
        )
        || jsonb_build_array(
            p_row.formula_calling_score, p_row.formula_is_called, p_row.outcome_type, p_row.outcome_score,
            extract(epoch from p_row.outcome_timestamp)
        )
    );
end $$;

-- Of two numbers of one moment the one that stands: 0.5 yields, because the app says 0.5 where it does not know; of two
-- others the smaller stands. Null is "not said".
create function private.surer(p_known double precision, p_told double precision) returns double precision
language sql immutable set search_path = ''
as $$
    select case 0.5
        when p_known then coalesce(p_told, p_known)
        when p_told then coalesce(p_known, p_told)
        else least(p_known, p_told)
    end
$$;

-- The same for values of a document. What is no number between 0 and 1 yields to one that is.
create function private.surer(p_known jsonb, p_told jsonb) returns jsonb
language sql immutable set search_path = ''
as $$
    select case
        when p_known is null or jsonb_typeof(p_known) = 'null' then p_told
        when p_told is null or jsonb_typeof(p_told) <> 'number' or not p_told between '0' and '1' then p_known
        when jsonb_typeof(p_known) <> 'number' or not p_known between '0' and '1' then p_told
        when p_told = '0.5' then p_known
        when p_known = '0.5' then p_told
        else least(p_known, p_told)
    end
$$;

-- One group of features, and what else was known in it: a name that the contract does not know is not taken in.
create function private.merged_group(p_known jsonb, p_told jsonb, p_features text[]) returns jsonb
language sql immutable set search_path = ''
as $$
    select case
        -- Mostly nothing is told that is not known, which is quickly seen.
        when p_told is null or p_known @> jsonb_strip_nulls(p_told) then p_known
        when p_known is null then p_told
        else p_known || coalesce((
            select jsonb_object_agg(key, private.surer(p_known -> key, value)) from jsonb_each(p_told)
            where key = any(p_features) and jsonb_typeof(value) <> 'null' and p_known -> key is distinct from value
        ), '{}')
    end
$$;

-- All that two records of one interaction say together. What the pipeline does not read (ids of the app, its grounds for
-- the decision) is not forgotten either; where both say it, what is told replaces what is known.
create function private.merged_interaction(
    p_known public.calling_score_training_data, p_told public.calling_score_training_data
) returns public.calling_score_training_data
language plpgsql stable strict set search_path = ''
as $$
declare
    -- What the app derives from other features, or older ones put in its place: true as long as these are the same.
    derived constant text[] := array[
        'vibe_compatibility', 'energy_match', 'community_match', 'novelty_match', 'timing_alignment',
        'context_feature_7', 'context_feature_8', 'context_feature_9', 'context_feature_10', 'timing_feature_5'
    ];
    vibes constant text[] := array[
        'exploration_eagerness', 'community_orientation', 'location_adventurousness', 'authenticity_preference',
        'trust_network_reliance', 'temporal_flexibility', 'energy_preference', 'novelty_seeking',
        'value_orientation', 'crowd_tolerance', 'social_preference', 'overall_energy'
    ];
    types constant text[] := array['positive', 'neutral', 'negative'];
    said public.calling_score_training_data := p_told;
    known_groups jsonb[] := array[
        p_known.user_vibe_dimensions, p_known.spot_vibe_dimensions,
        p_known.context_features - derived, p_known.timing_features - derived
    ];
    told_groups jsonb[] := array[
        p_told.user_vibe_dimensions, p_told.spot_vibe_dimensions,
        p_told.context_features - derived, p_told.timing_features - derived
    ];
    groups jsonb[];
    is_known boolean := p_known.outcome_type is not null and p_known.outcome_score is not null;
    is_told boolean := p_told.outcome_type is not null and p_told.outcome_score is not null;
begin
    groups := array[
        private.merged_group(known_groups[1], told_groups[1], vibes),
        private.merged_group(known_groups[2], told_groups[2], vibes),
        private.merged_group(known_groups[3], told_groups[3], array[
            'location_proximity', 'journey_alignment', 'user_receptivity', 'opportunity_availability',
            'network_effects', 'community_patterns'
        ]),
        private.merged_group(known_groups[4], told_groups[4], array[
            'optimal_time_of_day', 'optimal_day_of_week', 'user_patterns', 'opportunity_timing'
        ])
    ];
    if groups = known_groups then
        groups[3] := p_known.context_features;
        groups[4] := p_known.timing_features;
    elsif groups = told_groups then
        groups[3] := p_told.context_features;
        groups[4] := p_told.timing_features;
    end if;
    said.user_vibe_dimensions := groups[1];
    said.spot_vibe_dimensions := groups[2];
    said.context_features := groups[3];
    said.timing_features := groups[4];
    said."timestamp" := greatest(p_known."timestamp", p_told."timestamp");
    said.formula_calling_score := private.surer(p_known.formula_calling_score, p_told.formula_calling_score);
    said.formula_is_called := least(p_known.formula_is_called, p_told.formula_is_called);

    if is_known and is_told then
        is_told := (
            p_told.outcome_timestamp is not null, coalesce(p_told.outcome_timestamp, '-infinity'),
            -p_told.outcome_score, array_position(types, p_told.outcome_type)
        ) > (
            p_known.outcome_timestamp is not null, coalesce(p_known.outcome_timestamp, '-infinity'),
            -p_known.outcome_score, array_position(types, p_known.outcome_type)
        );
        is_known := not is_told;
    end if;
    if is_known then
        said.outcome_id := coalesce(p_known.outcome_id, p_told.outcome_id);
        said.outcome_type := p_known.outcome_type;
        said.outcome_score := p_known.outcome_score;
        said.outcome_timestamp := p_known.outcome_timestamp;
    else
        said.outcome_id := coalesce(p_told.outcome_id, p_known.outcome_id);
    end if;
    if not is_known and not is_told then
        -- The app may tell an outcome in parts.
        said.outcome_type := coalesce(p_told.outcome_type, p_known.outcome_type);
        said.outcome_score := coalesce(p_told.outcome_score, p_known.outcome_score);
        said.outcome_timestamp := coalesce(p_told.outcome_timestamp, p_known.outcome_timestamp);
    end if;

    said.formula_breakdown := coalesce(p_told.formula_breakdown, p_known.formula_breakdown);
    said.metadata := coalesce(p_told.metadata, p_known.metadata);
    said.model_version := coalesce(p_told.model_version, p_known.model_version);
    said.outcome_model_version := coalesce(p_told.outcome_model_version, p_known.outcome_model_version);
    said.arm := coalesce(p_told.arm, p_known.arm);
    said.propensity := coalesce(p_told.propensity, p_known.propensity);
    said.weight := coalesce(p_told.weight, p_known.weight);
    said.neural_score := coalesce(p_told.neural_score, p_known.neural_score);
    said.calling_score := coalesce(p_told.calling_score, p_known.calling_score);
    return said;
end $$;

-- Any number of them.
create function private.merged_interactions(p_told public.calling_score_training_data[])
returns public.calling_score_training_data
language plpgsql stable set search_path = ''
as $$
declare
    said public.calling_score_training_data := p_told[1];
begin
    for number in 2 .. cardinality(p_told) loop
        said := private.merged_interaction(said, p_told[number]);
    end loop;
    return said;
end $$;
revoke all on function private.interaction_key(text, text, timestamptz), private.surer(double precision, double precision),
    private.surer(jsonb, jsonb), private.merged_group(jsonb, jsonb, text[]),
    private.merged_interaction(public.calling_score_training_data, public.calling_score_training_data),
    private.merged_interactions(public.calling_score_training_data[])
    from public, anon, authenticated, service_role;

-- Rows that were there before. Of two that are the same interaction now, one keeps the identity that it had: reading
-- shows both, and validation merges them.
alter table public.calling_score_training_data disable trigger user;
update public.calling_score_training_data as known set identity = one.identity
from (
    select distinct on (told.identity) told.id, told.identity
    from (
        select id, row_sequence, private.interaction_identity(data) as identity
        from public.calling_score_training_data as data
        where agent_id is null or opportunity_id is null or "timestamp" is null
            or "timestamp" <> date_trunc('milliseconds', "timestamp")
    ) as told
    order by told.identity, told.row_sequence
) as one
where known.id = one.id and not exists (
    select from public.calling_score_training_data as other where other.identity = one.identity
);
alter table public.calling_score_training_data enable trigger user;

-- Whatever way a row is written, it says together with what is known of it. Every row that becomes labelled gets the
-- next number once and for good, whatever the clocks of the phones say.
create or replace function private.keep_interaction() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    told_exactly timestamptz;
begin
    if tg_op = 'UPDATE' then
        if new.id is distinct from old.id
            or (new.agent_id, new.opportunity_id, date_trunc('milliseconds', new."timestamp"))
                is distinct from (old.agent_id, old.opportunity_id, date_trunc('milliseconds', old."timestamp"))
            or (old.agent_id is null or old.opportunity_id is null or old."timestamp" is null)
                and private.raw_features(
                    new.user_vibe_dimensions, new.spot_vibe_dimensions, new.context_features, new.timing_features
                ) is distinct from private.raw_features(
                    old.user_vibe_dimensions, old.spot_vibe_dimensions, old.context_features, old.timing_features
                )
        then
            raise exception 'what makes an interaction itself may never change: id, agent, opportunity, moment'
                using errcode = 'restrict_violation',
                hint = 'An interaction that lacks one of these is told by its features, which may not change then.';
        end if;
        new := private.merged_interaction(old, new);
        new.identity := old.identity;
        new.row_sequence := old.row_sequence;
        new.label_sequence := old.label_sequence;
    else
        new.identity := private.interaction_identity(new);
        new.label_sequence := null;
        -- Who adds to a known interaction by agent, opportunity and moment finds it, although its clock is coarser.
        select known."timestamp" into told_exactly from public.calling_score_training_data as known
        where known.identity = new.identity and known."timestamp" > new."timestamp";
        new."timestamp" := coalesce(told_exactly, new."timestamp");
    end if;
    if new.label_sequence is null and new.outcome_type is not null and new.outcome_score is not null then
        new.label_sequence := nextval('public.training_labels');
    end if;
    return new;
end $$;

-- An id of nothing but white space is none. Rows that have such a one already stay, and are set aside when they are read.
create function private.is_blank(p_id text) returns boolean
language sql immutable set search_path = ''
as $$
    select btrim(
        p_id,
        U&'\0009\000A\000B\000C\000D\0020\0085\00A0\1680\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A'
        '\2028\2029\202F\205F\3000'
    ) = ''
$$;
revoke all on function private.is_blank(text) from public, anon;
grant execute on function private.is_blank(text) to authenticated, service_role;
alter table public.calling_score_training_data
    add constraint training_ids_are_no_blanks check (
        not private.is_blank(agent_id) and not private.is_blank(opportunity_id)
    ) not valid;

-- Takes a batch in, all or nothing; the same batch again answers the same. An item is a row as the app sends it, without
-- the keys that are unknown, or a broken record: {"position", "reasons", "record"}. `n_distinct` counts the interactions
-- among the items. Labels are numbered in the order of the items, whether their interactions were known or not.
create or replace function public.import_interactions(
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
                    (once.told).outcome_timestamp
                ) is not distinct from (
                    known."timestamp", known.user_vibe_dimensions, known.spot_vibe_dimensions,
                    known.context_features, known.timing_features, known.formula_calling_score,
                    known.formula_is_called, known.outcome_type, known.outcome_score, known.outcome_timestamp
                ) then known
                else private.merged_interaction(known, once.told)
            end as said
        from once left join public.calling_score_training_data as known on known.identity = once.identity
    ), written as (
        insert into public.calling_score_training_data as known (
            source_kind, agent_id, opportunity_id, "timestamp",
            user_vibe_dimensions, spot_vibe_dimensions, context_features, timing_features,
            formula_calling_score, formula_is_called, outcome_type, outcome_score, outcome_timestamp
        )
        select p_source_kind, (said).agent_id, (said).opportunity_id, (said)."timestamp",
            (said).user_vibe_dimensions, (said).spot_vibe_dimensions, (said).context_features, (said).timing_features,
            (said).formula_calling_score, (said).formula_is_called, (said).outcome_type, (said).outcome_score,
            (said).outcome_timestamp
        from merging
        where (known).id is null or (
            (said)."timestamp", (said).user_vibe_dimensions, (said).spot_vibe_dimensions, (said).context_features,
            (said).timing_features, (said).formula_calling_score, (said).formula_is_called, (said).outcome_type,
            (said).outcome_score, (said).outcome_timestamp
        ) is distinct from (
            (known)."timestamp", (known).user_vibe_dimensions, (known).spot_vibe_dimensions, (known).context_features,
            (known).timing_features, (known).formula_calling_score, (known).formula_is_called, (known).outcome_type,
            (known).outcome_score, (known).outcome_timestamp
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

-- A decision's outcome is that of the same interaction.
grant execute on function private.interaction_key(text, text, timestamptz), private.digest_id(jsonb) to service_role;
create or replace view public.decisions_with_outcomes with (security_invoker = true) as
select decided.*, outcome.outcome_type, outcome.outcome_score, outcome.outcome_timestamp as outcome_at
from public.decisions as decided
left join public.calling_score_training_data as outcome
    on outcome.identity = private.interaction_key(decided.agent_id, decided.opportunity_id, decided.decided_at);
