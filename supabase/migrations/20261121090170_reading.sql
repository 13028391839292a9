-- Interactions as the pipeline reads them: in its words, the features as numbers in the order of the feature contract.

-- The 39 features of a row; an absent key is an unknown value. Null where anything is not what the contract says: a
-- group that is missing, a name that it does not know, a value that is no number or that a double cannot hold.
-- Noise in the slots of derived features (context_feature_7 to 10, timing_feature_5) is passed over.
create function private.plain_features(p_agent jsonb, p_opportunity jsonb, p_context jsonb, p_timing jsonb)
returns double precision[]
language plpgsql immutable strict parallel safe set search_path = ''
as $$
declare
    vibes constant text[] := array[
        'exploration_eagerness', 'community_orientation', 'location_adventurousness', 'authenticity_preference',
        'trust_network_reliance', 'temporal_flexibility', 'energy_preference', 'novelty_seeking',
        'value_orientation', 'crowd_tolerance', 'social_preference', 'overall_energy'
    ];
    context jsonb := p_context - array[
        'context_feature_7', 'context_feature_8', 'context_feature_9', 'context_feature_10'
    ];
    timing jsonb := p_timing - 'timing_feature_5';
begin
    if p_agent - vibes <> '{}' or p_opportunity - vibes <> '{}'
        or context - array[
            'location_proximity', 'journey_alignment', 'user_receptivity', 'opportunity_availability',
            'network_effects', 'community_patterns', 'vibe_compatibility', 'energy_match', 'community_match',
            'novelty_match'
        ] <> '{}'
        or timing - array[
            'optimal_time_of_day', 'optimal_day_of_week', 'user_patterns', 'opportunity_timing', 'timing_alignment'
        ] <> '{}'
        -- Strict, so that a list is not looked into.
        or jsonb_path_exists(
            jsonb_build_array(p_agent, p_opportunity, context, timing),
            'strict $[*].* ? (@.type() != "null" && (@.type() != "number"
                || !(@ == 0 || (@ >= 1e-300 && @ <= 1e300) || (@ >= -1e300 && @ <= -1e-300))))'
        )
    then
        return null;
    end if;
    return array[
        (p_agent ->> 'exploration_eagerness')::double precision,
        (p_agent ->> 'community_orientation')::double precision,
        (p_agent ->> 'location_adventurousness')::double precision,
        (p_agent ->> 'authenticity_preference')::double precision,
        (p_agent ->> 'trust_network_reliance')::double precision,
        (p_agent ->> 'temporal_flexibility')::double precision,
        (p_agent ->> 'energy_preference')::double precision,
        (p_agent ->> 'novelty_seeking')::double precision,
        (p_agent ->> 'value_orientation')::double precision,
        (p_agent ->> 'crowd_tolerance')::double precision,
        (p_agent ->> 'social_preference')::double precision,
        (p_agent ->> 'overall_energy')::double precision,
        (p_opportunity ->> 'exploration_eagerness')::double precision,
        (p_opportunity ->> 'community_orientation')::double precision,
        (p_opportunity ->> 'location_adventurousness')::double precision,
        (p_opportunity ->> 'authenticity_preference')::double precision,
        (p_opportunity ->> 'trust_network_reliance')::double precision,
        (p_opportunity ->> 'temporal_flexibility')::double precision,
        (p_opportunity ->> 'energy_preference')::double precision,
        (p_opportunity ->> 'novelty_seeking')::double precision,
        (p_opportunity ->> 'value_orientation')::double precision,
        (p_opportunity ->> 'crowd_tolerance')::double precision,
        (p_opportunity ->> 'social_preference')::double precision,
        (p_opportunity ->> 'overall_energy')::double precision,
        (context ->> 'location_proximity')::double precision,
        (context ->> 'journey_alignment')::double precision,
        (context ->> 'user_receptivity')::double precision,
        (context ->> 'opportunity_availability')::double precision,
        (context ->> 'network_effects')::double precision,
        (context ->> 'community_patterns')::double precision,
        (context ->> 'vibe_compatibility')::double precision,
        (context ->> 'energy_match')::double precision,
        (context ->> 'community_match')::double precision,
        (context ->> 'novelty_match')::double precision,
        (timing ->> 'optimal_time_of_day')::double precision,
        (timing ->> 'optimal_day_of_week')::double precision,
        (timing ->> 'user_patterns')::double precision,
        (timing ->> 'opportunity_timing')::double precision,
        (timing ->> 'timing_alignment')::double precision
    ];
end $$;
revoke all on function private.plain_features(jsonb, jsonb, jsonb, jsonb)
    from public, anon, authenticated, service_role;
-- Whoever writes a row computes its features.
grant execute on function private.plain_features(jsonb, jsonb, jsonb, jsonb) to authenticated, service_role;

-- Made when a row is written, so that a bulk read takes no document apart.
alter table public.calling_score_training_data
    add column features double precision[] generated always as (
        private.plain_features(user_vibe_dimensions, spot_vibe_dimensions, context_features, timing_features)
    ) stored;
create index training_by_kind on public.calling_score_training_data (source_kind, row_sequence);

-- A row as a record of the app's export, an absent key of a group filled with null; for rows without plain features.
create function private.interaction_record(p_row public.calling_score_training_data, p_with_outcome boolean)
returns text
language plpgsql stable set search_path = '' set timezone = 'UTC'
as $$
declare
    vibes constant jsonb := '{
        "exploration_eagerness": null, "community_orientation": null, "location_adventurousness": null,
        "authenticity_preference": null, "trust_network_reliance": null, "temporal_flexibility": null,
        "energy_preference": null, "novelty_seeking": null, "value_orientation": null, "crowd_tolerance": null,
        "social_preference": null, "overall_energy": null
    }';
    record jsonb := jsonb_build_object(
        'agent_id', p_row.agent_id, 'opportunity_id', p_row.opportunity_id, 'timestamp', p_row."timestamp",
        'formula_calling_score', p_row.formula_calling_score, 'formula_is_called', p_row.formula_is_called
    );
begin
    if p_row.user_vibe_dimensions is not null then
        record := record || jsonb_build_object('user_vibe_dimensions', vibes || p_row.user_vibe_dimensions);
    end if;
    if p_row.spot_vibe_dimensions is not null then
        record := record || jsonb_build_object('spot_vibe_dimensions', vibes || p_row.spot_vibe_dimensions);
    end if;
    if p_row.context_features is not null then
        record := record || jsonb_build_object('context_features', '{
            "location_proximity": null, "journey_alignment": null, "user_receptivity": null,
            "opportunity_availability": null, "network_effects": null, "community_patterns": null
        }' || p_row.context_features);
    end if;
    if p_row.timing_features is not null then
        record := record || jsonb_build_object('timing_features', '{
            "optimal_time_of_day": null, "optimal_day_of_week": null, "user_patterns": null, "opportunity_timing": null
        }' || p_row.timing_features);
    end if;
    if p_with_outcome then
        record := record || jsonb_build_object(
            'outcome_type', p_row.outcome_type, 'outcome_score', p_row.outcome_score,
            'outcome_timestamp', p_row.outcome_timestamp
        );
    end if;
    return record::text;
end $$;
revoke all on function private.interaction_record(public.calling_score_training_data, boolean)
    from public, anon, authenticated, service_role;
grant execute on function private.interaction_record(public.calling_score_training_data, boolean) to service_role;

-- `record` and `unlabelled_record` (the same before its outcome) are there for rows without plain features alone.
create view public.interactions with (security_invoker = true) as
select row_sequence, label_sequence, source_kind, agent_id, opportunity_id, "timestamp" as scored_at, features,
    formula_calling_score as formula_score, formula_is_called as is_called, outcome_type, outcome_score,
    outcome_timestamp as outcome_at,
    case when features is null then private.interaction_record(data, true) end as record,
    case when features is null then private.interaction_record(data, false) end as unlabelled_record
from public.calling_score_training_data as data;
revoke all on public.interactions from public, anon, authenticated, service_role;
grant select on public.interactions to service_role;

-- Which kinds of sources the interactions up to a row come from; each is one look into an index.
create function public.interaction_kinds(p_rows bigint) returns text[]
language sql stable set search_path = ''
as $$
    select coalesce(array_agg(kind), '{}') from unnest(array['synthetic', 'hybrid', 'real']) as kind
    where (select min(row_sequence) from public.calling_score_training_data where source_kind = kind) <= p_rows
$$;
revoke all on function public.interaction_kinds(bigint) from public, anon, authenticated, service_role;
grant execute on function public.interaction_kinds(bigint) to service_role;
