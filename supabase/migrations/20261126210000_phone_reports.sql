-- What a phone reports of its decision beside arm, versions, propensity, weight and scores: whether it called (the outcome
-- filter may have said no to a high score), and which models did not answer and why. An agent says it when it adds the row.

-- Whether a text tells fallbacks as spots_ml/scoring/fallback.py has them: `model: reason`, each model once, in the order in
-- which a decision asks them.
create function private.is_fallback(p_text text) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select p_text ~ replace(
        '^(calling_score: reason(, outcome: reason)?|outcome: reason)$', 'reason',
        '(no_version|unreadable|damaged|wrong_contract|not_loadable|slow|failed|bad_answer)'
    )
$$;
revoke all on function private.is_fallback(text) from public, anon;
-- Whoever writes a row is held to it.
grant execute on function private.is_fallback(text) to authenticated, service_role;

alter table public.calling_score_training_data
    add column is_called boolean,
    add column fallback text,
    add constraint training_fallback_is_told_by_reason check (private.is_fallback(fallback));

create function private.fallback_problems(p_value text) returns text[]
language sql immutable set search_path = ''
as $$
    select case when p_value is null or private.is_fallback(p_value) then '{}'::text[] else array[format(
        'malformed_fallback: fallback is %s; expected "model: reason", such as "calling_score: slow, outcome: damaged",'
        ' or null where both models answered', private.told(to_jsonb(p_value))
    )] end
$$;
revoke all on function private.fallback_problems(text) from public, anon, authenticated, service_role;

-- As before; what a phone reports is not forgotten.
create or replace function private.merged_interaction(
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
    said.is_called := coalesce(p_told.is_called, p_known.is_called);
    said.fallback := coalesce(p_told.fallback, p_known.fallback);
    return said;
end $$;

-- As before, and how a fallback is told.
create or replace function private.interaction_problems(
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
    if is_new or sent -> 'fallback' is distinct from was -> 'fallback' then
        found := found || private.fallback_problems(p_row.fallback);
    end if;
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
