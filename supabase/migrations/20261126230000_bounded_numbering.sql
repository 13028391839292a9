-- Numbering goes on however much waits, and the table refuses two more of what validation would.

-- Numbers the oldest of what waits and tells how many that were; callers take turns until they commit. An interaction of
-- which an earlier part is held is left for the next time, so that its entries stay in their order. Nothing is compared all
-- with all, as by NOT IN a query that outgrows work_mem, or by a join of what is numbered with itself, whose size no plan
-- foresees.
create function private.number_oldest(p_most integer) returns bigint
language plpgsql security definer set search_path = ''
as $$
declare
    given public.arrival;
    n_taken bigint;
begin
    select labels, rows into strict given from private.numbers_given for update;
    with free as materialized (
        select place, id from private.arriving order by place limit p_most for update skip locked
    ), held as materialized (
        select distinct waiting.id from private.arriving as waiting left join free on free.place = waiting.place
        where free.place is null and waiting.place < (select max(place) from free)
    ), taken as (
        delete from private.arriving as waiting using free
        where waiting.place = free.place and not exists (select from held where held.id = free.id)
        returning waiting.*
    ), numbered as materialized (
        select *,
            case when source_kind is not null then given.rows + count(source_kind) over behind end as row_number,
            case when outcome_type is not null then given.labels + count(outcome_type) over behind end as entry
        from taken window behind as (order by place)
    ), logged as (
        insert into public.training_outcomes
        select entry, id, outcome_type, outcome_score, outcome_at, first_outcome_at
        from numbered where entry is not null order by entry
    ), compared as (
        select told.*, coalesce(lag(told.outcome_type) over entries, known.outcome_type) as type_before,
            coalesce(lag(told.outcome_score) over entries, known.outcome_score) as score_before
        from numbered as told left join public.training_arrivals as known on known.id = told.id
        where told.entry is not null window entries as (partition by told.id order by told.entry)
    ), changed as (
        select id, min(entry) as first_entry, max(entry) as last_entry,
            max(entry) filter (
                where type_before is not null and (type_before, score_before) <> (outcome_type, outcome_score)
            ) as corrected,
            (array_agg(outcome_type order by entry desc))[1] as outcome_type,
            (array_agg(outcome_score order by entry desc))[1] as outcome_score,
            (array_agg(outcome_at order by entry desc))[1] as outcome_at,
            (array_agg(first_outcome_at order by entry desc))[1] as first_outcome_at
        from compared group by id
    ), written as (
        insert into public.training_arrivals as known
        select coalesce(fresh.row_number, kept.row_sequence), coalesce(fresh.id, changed.id),
            coalesce(fresh.source_kind, kept.source_kind), first_entry, last_entry, corrected,
            changed.outcome_type, changed.outcome_score, changed.outcome_at, changed.first_outcome_at
        from (select id, row_number, source_kind from numbered where row_number is not null) as fresh
        full join changed on changed.id = fresh.id
        left join public.training_arrivals as kept on kept.id = changed.id and fresh.id is null
        order by 1
        on conflict (id) do update set
            label_sequence = coalesce(known.label_sequence, excluded.label_sequence),
            outcome_sequence = excluded.outcome_sequence,
            corrected_sequence = coalesce(excluded.corrected_sequence, known.corrected_sequence),
            outcome_type = excluded.outcome_type, outcome_score = excluded.outcome_score,
            outcome_at = excluded.outcome_at, first_outcome_at = excluded.first_outcome_at
    )
    select greatest(max(entry), given.labels), greatest(max(row_number), given.rows), count(*)
    into given.labels, given.rows, n_taken from numbered;
    update private.numbers_given set labels = given.labels, rows = given.rows;
    return n_taken;
end $$;

-- Numbers all that waits, in steps; what is not reached within 20 s, of the 60 s that a call has, waits for the next one.
-- So a queue that grew for weeks is worked off, and an import is not lost to it.
create or replace function private.number_arrivals() returns public.arrival
language plpgsql security definer set search_path = ''
as $$
declare
    given public.arrival;
    since timestamptz;
begin
    perform from private.numbers_given for update;
    since := clock_timestamp();
    while private.number_oldest(50000) > 0 and clock_timestamp() < since + interval '20 seconds' loop
    end loop;
    select labels, rows into strict given from private.numbers_given;
    return given;
end $$;
revoke all on function private.number_oldest(integer) from public, anon, authenticated, service_role;

-- As before; what the app derives is a number that a double holds.
create or replace function private.group_problems(p_group text, p_values jsonb) returns text[]
language plpgsql immutable set search_path = ''
as $$
declare
    known constant text[] := case
        when p_group in ('user_vibe_dimensions', 'spot_vibe_dimensions') then array[
            'exploration_eagerness', 'community_orientation', 'location_adventurousness', 'authenticity_preference',
            'trust_network_reliance', 'temporal_flexibility', 'energy_preference', 'novelty_seeking',
            'value_orientation', 'crowd_tolerance', 'social_preference', 'overall_energy'
        ]
        when p_group = 'context_features' then array[
            'location_proximity', 'journey_alignment', 'user_receptivity', 'opportunity_availability',
            'network_effects', 'community_patterns'
        ]
        else array['optimal_time_of_day', 'optimal_day_of_week', 'user_patterns', 'opportunity_timing']
    end;
    derived constant text[] := case p_group
        when 'context_features' then array['vibe_compatibility', 'energy_match', 'community_match', 'novelty_match']
        when 'timing_features' then array['timing_alignment'] else '{}'
    end;
    noise constant text[] := case p_group
        when 'context_features' then array[
            'context_feature_7', 'context_feature_8', 'context_feature_9', 'context_feature_10'
        ]
        when 'timing_features' then array['timing_feature_5'] else '{}'
    end;
    found text[] := '{}';
    one record;
begin
    if p_values is null then
        return array[format('missing_key: %s is null; expected an object, its unknown values left out', p_group)];
    elsif jsonb_typeof(p_values) <> 'object' then
        return array[format('wrong_type: %s is %s; expected an object', p_group, private.told(p_values))];
    end if;
    for one in select key, value from jsonb_each(p_values - noise) loop
        if one.key <> all (known || derived) then
            found := found || format(
                'unknown_key: %s has the key %s; expected the names of the feature contract', p_group,
                private.told(to_jsonb(one.key))
            );
        elsif jsonb_typeof(one.value) not in ('number', 'null') then
            found := found || format(
                'wrong_type: %s.%s is %s; expected a number or null', p_group, one.key, private.told(one.value)
            );
        elsif one.key = any (known) and jsonb_typeof(one.value) = 'number' and not one.value between '0' and '1' then
            found := found || format(
                'out_of_range: %s.%s is %s; expected a number in [0, 1]', p_group, one.key, private.told(one.value)
            );
        elsif jsonb_typeof(one.value) = 'number' and not one.value between '-1.797e308' and '1.797e308' then
            found := found || format(
                'not_finite: %s.%s is %s; expected a number that a double holds', p_group, one.key,
                private.told(one.value)
            );
        end if;
        -- Enough to see what is the matter; an object may have any number of keys.
        exit when cardinality(found) = 10;
    end loop;
    return found;
end $$;

-- As before; of several outcomes the first arrived between the interaction and now, whoever tells it.
create or replace function private.refuse_interaction() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    found text[] := private.interaction_problems(new, case tg_op when 'UPDATE' then old end, clock_timestamp());
begin
    if tg_op = 'INSERT' then
        found := found || private.time_problems(
            'first_outcome_timestamp', new.first_outcome_timestamp, clock_timestamp()
        );
        if date_trunc('milliseconds', new.first_outcome_timestamp) < date_trunc('milliseconds', new."timestamp") then
            found := found || format(
                'outcome_before_interaction: first_outcome_timestamp is %s; expected none before timestamp, which is'
                ' %s', new.first_outcome_timestamp, new."timestamp"
            );
        end if;
    end if;
    perform private.refuse_problems(tg_table_name, found);
    return new;
end $$;
