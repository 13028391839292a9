-- Interactions as the app writes them: one row per scored pair, its outcome added once it is known; and imported ones,
-- of which less may be known (the policies below hold the app to its part).
-- A project whose app has written such a table already keeps its rows; every policy it had is taken away.

create table if not exists public.calling_score_training_data (
    id uuid primary key default gen_random_uuid(),
    agent_id text not null,
    opportunity_id text not null,
    user_vibe_dimensions jsonb not null,
    spot_vibe_dimensions jsonb not null,
    context_features jsonb default '{}'::jsonb,
    timing_features jsonb default '{}'::jsonb,
    formula_calling_score double precision not null,
    formula_is_called boolean not null,
    formula_breakdown jsonb,
    outcome_id uuid,
    outcome_type text,
    outcome_score double precision,
    outcome_timestamp timestamptz,
    "timestamp" timestamptz default now(),
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    metadata jsonb default '{}'::jsonb
);

-- What an import may leave open, also in a table that the app made; and what proof needs later: on what grounds the app
-- decided. Null: the app did not send it.
alter table public.calling_score_training_data
    alter column agent_id drop not null,
    alter column opportunity_id drop not null,
    alter column context_features drop not null,
    alter column timing_features drop not null,
    alter column formula_calling_score drop not null,
    alter column formula_is_called drop not null,
    alter column formula_breakdown drop not null,
    alter column "timestamp" drop not null,
    add column source_kind text not null default 'real',
    add column identity uuid,
    add column model_version text,
    add column outcome_model_version text,
    add column arm text,
    add column propensity double precision,
    add column weight double precision,
    add column neural_score double precision,
    add column calling_score double precision,
    add column row_sequence bigint,
    add column label_sequence bigint,
    add constraint training_agent_is_known check (agent_id <> '' and opportunity_id <> ''),
    add constraint training_features_are_objects check (
        jsonb_typeof(user_vibe_dimensions) = 'object' and jsonb_typeof(spot_vibe_dimensions) = 'object'
        and jsonb_typeof(context_features) = 'object' and jsonb_typeof(timing_features) = 'object'
    ),
    add constraint training_source_kind check (source_kind in ('synthetic', 'hybrid', 'real')),
    add constraint training_times_have_four_digit_years check (
        "timestamp" >= timestamptz '0001-01-01 00:00:00+00' and "timestamp" < timestamptz '10000-01-01 00:00:00+00'
        and outcome_timestamp >= timestamptz '0001-01-01 00:00:00+00'
        and outcome_timestamp < timestamptz '10000-01-01 00:00:00+00'
    ),
    add constraint training_outcome_type check (outcome_type in ('positive', 'neutral', 'negative')),
    add constraint training_arm check (arm in ('hybrid', 'formulaBased')),
    add constraint training_scores_in_range check (
        formula_calling_score between 0 and 1 and outcome_score between 0 and 1 and weight between 0 and 1
        and neural_score between 0 and 1 and calling_score between 0 and 1
    ),
    add constraint training_propensity_in_range check (propensity > 0 and propensity <= 1),
    add constraint training_identity unique (agent_id, opportunity_id, "timestamp");

create sequence public.training_rows as bigint owned by public.calling_score_training_data.row_sequence;
create sequence public.training_labels as bigint owned by public.calling_score_training_data.label_sequence;
revoke all on sequence public.training_rows, public.training_labels from public, anon, authenticated, service_role;

-- The 34 raw features in the order of the feature contract; null: unknown. A number is the same however it is written.
create function private.raw_features(p_agent jsonb, p_opportunity jsonb, p_context jsonb, p_timing jsonb) returns jsonb
language sql immutable set search_path = ''
as $$
    with vibes (name, place) as (
        select * from unnest(array[
            'exploration_eagerness', 'community_orientation', 'location_adventurousness', 'authenticity_preference',
            'trust_network_reliance', 'temporal_flexibility', 'energy_preference', 'novelty_seeking',
            'value_orientation', 'crowd_tolerance', 'social_preference', 'overall_energy'
        ]) with ordinality
    ), told (part, place, value) as (
        select 1, place, p_agent -> name from vibes
        union all
        select 2, place, p_opportunity -> name from vibes
        union all
        select 3, place, p_context -> name from unnest(array[
            'location_proximity', 'journey_alignment', 'user_receptivity', 'opportunity_availability',
            'network_effects', 'community_patterns'
        ]) with ordinality as features (name, place)
        union all
        select 4, place, p_timing -> name from unnest(array[
            'optimal_time_of_day', 'optimal_day_of_week', 'user_patterns', 'opportunity_timing'
        ]) with ordinality as features (name, place)
    )
    select jsonb_agg(
        case jsonb_typeof(value) when 'number' then to_jsonb(trim_scale(value::numeric)) else value end
        order by part, place
    )
    from told
$$;

-- Sixteen bytes that tell documents apart.
create function private.digest_id(p_document jsonb) returns uuid
language sql immutable set search_path = ''
as $$ select encode(substring(sha256(convert_to(p_document::text, 'UTF8')) for 16), 'hex')::uuid $$;

-- What makes an interaction itself: agent, opportunity and moment, where all are known; else these and its features.
create function private.interaction_identity(p_row public.calling_score_training_data) returns uuid
language plpgsql stable set search_path = ''
as $$
declare
    said jsonb := jsonb_build_array(
        p_row.agent_id, p_row.opportunity_id, extract(epoch from p_row."timestamp")
    );
begin
    if p_row.agent_id is null or p_row.opportunity_id is null or p_row."timestamp" is null then
        said := said || private.raw_features(
            p_row.user_vibe_dimensions, p_row.spot_vibe_dimensions, p_row.context_features, p_row.timing_features
        );
    end if;
    return private.digest_id(said);
end $$;
revoke all on function private.raw_features(jsonb, jsonb, jsonb, jsonb), private.digest_id(jsonb),
    private.interaction_identity(public.calling_score_training_data)
    from public, anon, authenticated, service_role;

-- Rows that were there before arrive in the order of their moments.
update public.calling_score_training_data as known
set row_sequence = earlier.place, label_sequence = earlier.label, identity = private.interaction_identity(known)
from (
    select id, row_number() over (order by "timestamp", id) as place,
        case when outcome_type is not null and outcome_score is not null then
            row_number() over (
                partition by outcome_type is not null and outcome_score is not null
                order by coalesce(outcome_timestamp, "timestamp"), id
            )
        end as label
    from public.calling_score_training_data
) as earlier
where known.id = earlier.id;
select setval('public.training_rows', coalesce(max(row_sequence), 0) + 1, false),
    setval('public.training_labels', coalesce(max(label_sequence), 0) + 1, false)
from public.calling_score_training_data;

alter table public.calling_score_training_data
    alter column row_sequence set not null,
    alter column identity set not null,
    add constraint training_content unique (identity);
create unique index training_by_arrival on public.calling_score_training_data (row_sequence);
create unique index labels_by_arrival on public.calling_score_training_data (label_sequence)
    where label_sequence is not null;
create index training_by_agent on public.calling_score_training_data (agent_id, "timestamp");
-- Counting looks at every row of a page that was written since the last vacuum: of a large table, a fifth by default.
alter table public.calling_score_training_data set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);

-- What is known is never forgotten: an update without an outcome takes none away, a corrected outcome replaces it.
-- Every row that becomes labelled gets the next number once and for good, whatever the clocks of the phones say.
create function private.keep_interaction() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    new.identity := private.interaction_identity(new);
    if tg_op = 'UPDATE' then
        if (new.id, new.identity) is distinct from (old.id, old.identity) then
            raise exception 'what makes an interaction itself may never change: id, agent, opportunity, moment'
                using errcode = 'restrict_violation',
                hint = 'An interaction that lacks one of these is told by its features, which may not change then.';
        end if;
        new.row_sequence := old.row_sequence;
        new.formula_calling_score := coalesce(new.formula_calling_score, old.formula_calling_score);
        new.formula_is_called := coalesce(new.formula_is_called, old.formula_is_called);
        new.outcome_id := coalesce(new.outcome_id, old.outcome_id);
        new.outcome_type := coalesce(new.outcome_type, old.outcome_type);
        new.outcome_score := coalesce(new.outcome_score, old.outcome_score);
        new.outcome_timestamp := coalesce(new.outcome_timestamp, old.outcome_timestamp);
        new.label_sequence := old.label_sequence;
    else
        new.label_sequence := null;
    end if;
    if new.label_sequence is null and new.outcome_type is not null and new.outcome_score is not null then
        new.label_sequence := nextval('public.training_labels');
    end if;
    return new;
end $$;
revoke all on function private.keep_interaction() from public, anon, authenticated, service_role;

create trigger a_take_turns before insert or update on public.calling_score_training_data
    for each statement execute function private.take_turns();
create trigger b_number_arrival before insert on public.calling_score_training_data
    for each row execute function private.number_arrival('public.training_rows');
create trigger c_keep_interaction before insert or update on public.calling_score_training_data
    for each row execute function private.keep_interaction();

create type public.arrival as (labels bigint, rows bigint);

-- The highest numbers of rows that were deleted: a watermark that was handed out never comes to lie ahead.
create table private.deleted_arrivals (
    single boolean primary key default true check (single),
    labels bigint not null,
    rows bigint not null
);
alter table private.deleted_arrivals enable row level security;
revoke all on private.deleted_arrivals from public, anon, authenticated, service_role;

create function private.keep_arrival() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into private.deleted_arrivals as known (labels, rows)
    select coalesce(max(label_sequence), 0), max(row_sequence) from gone having count(*) > 0
    on conflict (single) do update
    set labels = greatest(known.labels, excluded.labels), rows = greatest(known.rows, excluded.rows);
    return null;
end $$;
revoke all on function private.keep_arrival() from public, anon, authenticated, service_role;
create trigger keep_arrival after delete on public.calling_score_training_data referencing old table as gone
    for each statement execute function private.keep_arrival();

-- The present point of arrival, both numbers of one moment.
create function public.label_watermark() returns public.arrival
language sql stable security definer set search_path = ''
as $$
    select (
        greatest(
            (select max(label_sequence) from public.calling_score_training_data),
            (select labels from private.deleted_arrivals), 0
        ),
        greatest(
            (select max(row_sequence) from public.calling_score_training_data),
            (select rows from private.deleted_arrivals), 0
        )
    )::public.arrival
$$;

-- Labels that arrived after the label of that number; 0: all. Exact, from an index: planned without knowing the number,
-- the whole table would be read where much of it was written since the last vacuum.
create function public.count_labels_after(p_label bigint) returns bigint
language sql stable set search_path = '' set enable_seqscan = off set statement_timeout = '60s'
as $$ select count(*) from public.calling_score_training_data where label_sequence > p_label $$;

revoke all on function public.label_watermark(), public.count_labels_after(bigint)
    from public, anon, authenticated;
grant execute on function public.label_watermark(), public.count_labels_after(bigint) to service_role;

do $$
declare found record;
begin
    for found in
        select policyname from pg_policies
        where schemaname = 'public' and tablename = 'calling_score_training_data'
    loop
        execute format('drop policy %I on public.calling_score_training_data', found.policyname);
    end loop;
end $$;
alter table public.calling_score_training_data enable row level security;
revoke all on public.calling_score_training_data from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.calling_score_training_data to service_role;
-- Reading the own rows is what lets the app find the one an outcome belongs to.
grant select, insert on public.calling_score_training_data to authenticated;
grant update (outcome_id, outcome_type, outcome_score, outcome_timestamp, updated_at, metadata)
    on public.calling_score_training_data to authenticated;
create policy own_rows_read on public.calling_score_training_data for select to authenticated
    using (agent_id = (select private.own_agent_id()));
-- A row with all that the app says has about 4,000 bytes; larger ones would make reading fail for everybody.
create policy own_rows_written on public.calling_score_training_data for insert to authenticated
    with check (
        agent_id = (select private.own_agent_id()) and opportunity_id is not null and "timestamp" is not null
        and formula_calling_score is not null and formula_is_called is not null and source_kind = 'real'
        and octet_length((calling_score_training_data.*)::text) <= 16384
    );
create policy own_outcomes_added on public.calling_score_training_data for update to authenticated
    using (agent_id = (select private.own_agent_id()))
    with check (
        agent_id = (select private.own_agent_id()) and octet_length((calling_score_training_data.*)::text) <= 16384
    );
