-- Twins: rows that are the same interaction and were two before, told by the microsecond. One of them has the identity: a
-- decision finds it, and what is told later is added to it. So it is the one whose outcome stands, and it has the most
-- exact of their moments, which nothing that is told can then collide with. What else they say stays what it was:
-- reading shows all, and validation merges them.
alter table public.calling_score_training_data disable trigger user;
do $$
declare
    same record;
    chosen public.calling_score_training_data;
    known public.calling_score_training_data;
    latest public.calling_score_training_data;
begin
    for same in
        select distinct agent_id, opportunity_id, moment, key from (
            select agent_id, opportunity_id, date_trunc('milliseconds', "timestamp") as moment, identity,
                private.interaction_key(agent_id, opportunity_id, "timestamp") as key
            from public.calling_score_training_data
            where agent_id is not null and opportunity_id is not null
                and "timestamp" <> date_trunc('milliseconds', "timestamp")
        ) as told where key <> identity
    loop
        select * into known from public.calling_score_training_data where identity = same.key;
        select * into strict chosen from public.calling_score_training_data
        where agent_id = same.agent_id and opportunity_id = same.opportunity_id
            and "timestamp" >= same.moment and "timestamp" < same.moment + interval '1 millisecond'
        order by outcome_type is null or outcome_score is null, outcome_timestamp is null, outcome_timestamp desc,
            outcome_score, identity <> same.key, row_sequence
        limit 1;
        if chosen.identity <> same.key then
            update public.calling_score_training_data set identity = gen_random_uuid() where id = known.id;
            update public.calling_score_training_data set identity = same.key where id = chosen.id;
            update public.calling_score_training_data set identity = chosen.identity where id = known.id;
        end if;
        select * into strict latest from public.calling_score_training_data
        where agent_id = same.agent_id and opportunity_id = same.opportunity_id
            and "timestamp" < same.moment + interval '1 millisecond'
        order by "timestamp" desc
        limit 1;
        if latest.id <> chosen.id then
            update public.calling_score_training_data set "timestamp" = null where id = chosen.id;
            update public.calling_score_training_data set "timestamp" = chosen."timestamp" where id = latest.id;
            update public.calling_score_training_data set "timestamp" = latest."timestamp" where id = chosen.id;
        end if;
    end loop;
end $$;
alter table public.calling_score_training_data enable trigger user;

-- As before, but who adds to a known interaction finds it also when its clock is finer; the finer moment is kept when the
-- row is changed, which happens behind the search for it in the same statement.
create or replace function private.keep_interaction() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    known_moment timestamptz;
    told_exactly text[];
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
        told_exactly := string_to_array(current_setting('spots_ml.told_exactly', true), ' ');
        if told_exactly[1] = old.identity::text then
            new."timestamp" := greatest(
                new."timestamp",
                date_trunc('milliseconds', old."timestamp") + told_exactly[2]::integer * interval '1 microsecond'
            );
        end if;
        new := private.merged_interaction(old, new);
        new.identity := old.identity;
        new.row_sequence := old.row_sequence;
        new.label_sequence := old.label_sequence;
    else
        new.identity := private.interaction_identity(new);
        new.label_sequence := null;
        -- Who adds to a known interaction by agent, opportunity and moment finds it, whatever its clock is worth.
        select known."timestamp" into known_moment from public.calling_score_training_data as known
        where known.identity = new.identity and known."timestamp" <> new."timestamp";
        if known_moment < new."timestamp" then
            perform set_config(
                'spots_ml.told_exactly',
                format('%s %s', new.identity, extract(microseconds from new."timestamp")::integer % 1000), true
            );
        end if;
        new."timestamp" := coalesce(known_moment, new."timestamp");
    end if;
    if new.label_sequence is null and new.outcome_type is not null and new.outcome_score is not null then
        new.label_sequence := nextval('public.training_labels');
    end if;
    return new;
end $$;

-- A decision's outcome is that of the same interaction, told by the millisecond.
create or replace view public.decisions_with_outcomes with (security_invoker = true) as
select decided.*, outcome.outcome_type, outcome.outcome_score, outcome.outcome_timestamp as outcome_at
from public.decisions as decided
left join public.calling_score_training_data as outcome
    on outcome.identity = private.interaction_key(decided.agent_id, decided.opportunity_id, decided.decided_at);
