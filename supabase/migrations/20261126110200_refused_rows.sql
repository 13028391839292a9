-- What validation refuses in every case (spots_ml/interactions/judging/rules.py, reading/broken_records.py), these tables
-- refuse when an agent writes it; the tests hold both against each other. Who passes by row level security is not asked:
-- imports quarantine as before, and of a row that was there only what is changed is looked at.

-- A value as an error tells it.
create function private.told(p_value anyelement) returns text
language sql immutable set search_path = ''
as $$
    select case when p_value is null then 'null' when length(p_value::text) <= 60 then p_value::text
        else format('%s… (%s bytes)', left(p_value::text, 60), octet_length(p_value::text)) end
$$;

-- What is wrong with one group of features: unknown keys, values that are no numbers in [0, 1] and not null. What the app
-- derives is a number; in its slots older apps send noise, which nobody looks at.
create function private.group_problems(p_group text, p_values jsonb) returns text[]
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
        end if;
        -- Enough to see what is the matter; an object may have any number of keys.
        exit when cardinality(found) = 10;
    end loop;
    return found;
end $$;

create function private.number_problems(p_key text, p_value double precision) returns text[]
language sql immutable set search_path = ''
as $$
    select case when p_value between 0 and 1 or p_value is null then '{}'::text[] else array[format(
        '%s: %s is %s; expected a number in [0, 1]',
        case when p_value in ('NaN', 'Infinity', '-Infinity') then 'not_finite' else 'out_of_range' end, p_key, p_value
    )] end
$$;

-- Five minutes are what validation allows for clocks that are ahead. It asks the clock of this server.
create function private.time_problems(p_key text, p_value timestamptz, p_now timestamptz) returns text[]
language sql stable set search_path = '' set timezone = 'UTC'
as $$
    select case
        when p_value is null then '{}'::text[]
        when not isfinite(p_value) or p_value < timestamptz '0001-01-01 00:00:00+00'
            or p_value >= timestamptz '10000-01-01 00:00:00+00'
        then array[format('invalid_timestamp: %s is %s; expected a moment in the years 1 to 9999', p_key, p_value)]
        when p_value > p_now + interval '5 minutes' then array[format(
            'timestamp_in_future: %s is %s, and it is %s here; expected a moment that is over, in UTC where it names no'
            ' zone', p_key, p_value, date_trunc('seconds', p_now)
        )]
        else '{}'
    end
$$;

create function private.id_problems(p_key text, p_value text) returns text[]
language sql immutable set search_path = ''
as $$
    select case
        when p_value is null then '{}'::text[]
        when private.is_blank(p_value) then array[format('empty_id: %s is %s; expected an id', p_key, to_jsonb(p_value))]
        when octet_length(p_value) > 256 then array[format(
            'too_long: %s is %s; expected an id of at most 256 bytes', p_key, private.told(p_value)
        )]
        else '{}'
    end
$$;

create function private.size_problems(p_key text, p_value jsonb) returns text[]
language sql immutable set search_path = ''
as $$
    select case when octet_length(p_value::text) <= 8192 or p_value is null then '{}'::text[] else array[format(
        'too_long: %s has %s bytes; expected at most 8192', p_key, octet_length(p_value::text)
    )] end
$$;

-- The edges are those of ValidationConfig; half a unit of the fourth decimal is allowed for, because types were told from
-- scores before these were rounded. An outcome may be told in parts.
create function private.outcome_problems(
    p_type text, p_score double precision, p_at timestamptz, p_scored_at timestamptz, p_called boolean
) returns text[]
language sql stable set search_path = '' set timezone = 'UTC'
as $$
    select case when p_type in ('positive', 'neutral', 'negative') or p_type is null then '{}'::text[] else array[format(
        'unknown_outcome_type: outcome_type is %s; expected positive, neutral or negative', private.told(to_jsonb(p_type))
    )] end
    || case when date_trunc('milliseconds', p_at) < date_trunc('milliseconds', p_scored_at) then array[format(
        'outcome_before_interaction: outcome_timestamp is %s; expected none before timestamp, which is %s', p_at, p_scored_at
    )] else '{}' end
    || case when p_score <> 'NaN' and (
        p_type = 'positive' and p_score < 0.7::float8 - 5e-5
        or p_type = 'neutral' and (
            p_score < (case when p_called is false then 0.3 else 0.4 end)::float8 - 5e-5 or p_score > 0.7::float8 + 5e-5
        )
        or p_type = 'negative' and p_score > 0.4::float8 + 5e-5
    ) then array[format(
        'outcome_contradicts_score: outcome_type is %s and outcome_score %s; expected positive from 0.7, negative up to '
        '0.4, neutral between them (from 0.3 where the agent was not called)', p_type, p_score
    )] else '{}' end
$$;

-- Of a row as it is sent, in the words `code: what was found; what was expected`; none: it is taken. Given what was there,
-- only what is changed is looked at.
create function private.interaction_problems(
    p_row public.calling_score_training_data, p_old public.calling_score_training_data, p_now timestamptz
) returns text[]
language plpgsql stable set search_path = ''
as $$
declare
    found text[] := '{}';
    sent constant jsonb := to_jsonb(p_row);
    was constant jsonb := to_jsonb(p_old);
    is_new constant boolean := p_old.id is null;
    name text;
begin
    foreach name in array array['user_vibe_dimensions', 'spot_vibe_dimensions', 'context_features', 'timing_features'] loop
        if is_new or sent -> name is distinct from was -> name then
            found := found || private.group_problems(name, nullif(sent -> name, 'null'));
        end if;
    end loop;
    foreach name in array array[
        'formula_calling_score', 'outcome_score', 'propensity', 'weight', 'neural_score', 'calling_score'
    ] loop
        if is_new or sent -> name is distinct from was -> name then
            found := found || private.number_problems(name, (sent ->> name)::double precision);
        end if;
    end loop;
    foreach name in array array['timestamp', 'outcome_timestamp', 'created_at', 'updated_at'] loop
        if is_new or sent -> name is distinct from was -> name then
            found := found || private.time_problems(name, (sent ->> name)::timestamptz, p_now);
        end if;
    end loop;
    foreach name in array array['agent_id', 'opportunity_id', 'model_version', 'outcome_model_version'] loop
        if is_new or sent -> name is distinct from was -> name then
            found := found || private.id_problems(name, sent ->> name);
        end if;
    end loop;
    foreach name in array array['metadata', 'formula_breakdown'] loop
        if is_new or sent -> name is distinct from was -> name then
            found := found || private.size_problems(name, sent -> name);
        end if;
    end loop;
    if is_new or (p_row.outcome_type, p_row.outcome_score, p_row.outcome_timestamp)
        is distinct from (p_old.outcome_type, p_old.outcome_score, p_old.outcome_timestamp)
    then
        -- A row of before may lie in the future; its outcome is good all the same.
        found := found || private.outcome_problems(
            p_row.outcome_type, p_row.outcome_score, p_row.outcome_timestamp,
            case when p_row."timestamp" <= p_now + interval '5 minutes' then p_row."timestamp" end,
            p_row.formula_is_called
        );
    end if;
    return found;
end $$;

-- The same of a row of the app's own comparison; it is only ever added.
create function private.comparison_problems(p_row public.calling_score_ab_test_outcomes, p_now timestamptz)
returns text[]
language sql stable set search_path = ''
as $$
    select private.id_problems('agent_id', p_row.agent_id)
        || private.id_problems('opportunity_id', p_row.opportunity_id)
        || private.id_problems('model_version', p_row.model_version)
        || private.id_problems('outcome_model_version', p_row.outcome_model_version)
        || private.number_problems('calling_score', p_row.calling_score)
        || private.number_problems('outcome_score', p_row.outcome_score)
        || private.number_problems('propensity', p_row.propensity)
        || private.number_problems('weight', p_row.weight)
        || private.number_problems('formula_score', p_row.formula_score)
        || private.number_problems('neural_score', p_row.neural_score)
        || private.time_problems('timestamp', p_row."timestamp", p_now)
        || private.outcome_problems(p_row.outcome_type, p_row.outcome_score, null, null, p_row.is_called)
$$;

-- Refuses with all that is wrong at once.
create function private.refuse_problems(p_table text, p_found text[]) returns void
language plpgsql set search_path = ''
as $$
begin
    if cardinality(p_found) > 0 then
        raise exception '% takes no such row: %', p_table, array_to_string(p_found, '. ')
            using errcode = 'check_violation', hint = 'Nothing was written; correct what is named, then send it again.';
    end if;
end $$;

-- A moment without a zone is UTC, as the contract says. It was read in the zone of the session before any trigger sees it,
-- so that in another one it would be shifted in silence.
create function private.refuse_other_zones() returns trigger
language plpgsql set search_path = ''
as $$
begin
    raise exception 'this session reads times in the zone %; expected UTC, in which times without a zone are meant',
        current_setting('timezone')
        using errcode = 'check_violation',
        hint = 'Leave the zone out of the request (Prefer: timezone), or: alter database … set timezone = ''UTC''.';
end $$;

create function private.refuse_interaction() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform private.refuse_problems(tg_table_name, private.interaction_problems(
        new, case tg_op when 'UPDATE' then old end, clock_timestamp()
    ));
    return new;
end $$;

create function private.refuse_comparison() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform private.refuse_problems(tg_table_name, private.comparison_problems(new, clock_timestamp()));
    return new;
end $$;

create trigger a_refuse_other_zones before insert or update on public.calling_score_training_data
    for each statement when (
        row_security_active('public.calling_score_training_data'::regclass)
        and lower(current_setting('timezone')) not in ('utc', 'etc/utc', 'gmt', 'etc/gmt', 'uct', 'etc/uct', 'zulu')
    ) execute function private.refuse_other_zones();
create trigger a_refuse_other_zones before insert on public.calling_score_ab_test_outcomes
    for each statement when (
        row_security_active('public.calling_score_ab_test_outcomes'::regclass)
        and lower(current_setting('timezone')) not in ('utc', 'etc/utc', 'gmt', 'etc/gmt', 'uct', 'etc/uct', 'zulu')
    ) execute function private.refuse_other_zones();
-- Named so as to come first: it sees what was sent.
create trigger a_refuse_interaction before insert or update on public.calling_score_training_data
    for each row when (row_security_active('public.calling_score_training_data'::regclass))
    execute function private.refuse_interaction();
create trigger a_refuse_comparison before insert on public.calling_score_ab_test_outcomes
    for each row when (row_security_active('public.calling_score_ab_test_outcomes'::regclass))
    execute function private.refuse_comparison();

-- No clock says `infinity`, and nobody can read it: the moments that functions are given, whoever calls them. Those of
-- versions and their history are refused by constraints of these tables.
create function private.refuse_endless_times() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    sent constant jsonb := to_jsonb(new);
    found text[] := '{}';
    name text;
begin
    foreach name in array tg_argv loop
        found := found || private.time_problems(name, (sent ->> name)::timestamptz, 'infinity');
    end loop;
    perform private.refuse_problems(tg_table_name, found);
    return new;
end $$;
create trigger a_refuse_endless_times before insert on public.decisions
    for each row execute function private.refuse_endless_times('logged_at', 'decided_at');
create trigger a_refuse_endless_times before insert or update on public.performance
    for each row execute function private.refuse_endless_times('saved_at');
create trigger a_refuse_endless_times before insert on public.quarantined_interactions
    for each row execute function private.refuse_endless_times('imported_at');

revoke all on function private.told(anyelement), private.group_problems(text, jsonb),
    private.number_problems(text, double precision), private.time_problems(text, timestamptz, timestamptz),
    private.id_problems(text, text), private.size_problems(text, jsonb),
    private.outcome_problems(text, double precision, timestamptz, timestamptz, boolean),
    private.interaction_problems(
        public.calling_score_training_data, public.calling_score_training_data, timestamptz
    ),
    private.comparison_problems(public.calling_score_ab_test_outcomes, timestamptz),
    private.refuse_problems(text, text[]), private.refuse_other_zones(), private.refuse_interaction(),
    private.refuse_comparison(), private.refuse_endless_times()
    from public, anon, authenticated, service_role;
