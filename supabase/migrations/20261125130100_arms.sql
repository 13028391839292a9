-- Decisions say what decided: the arm, its experiment and stage, and the share of agents that were assigned to it, as
-- spots_ml/scoring/decision_log/fields.py has it. Rows of before say none of it, and neither do those of a program that
-- knows no arms.

alter table public.decisions
    add column arm text check (arm <> ''),
    add column experiment text check (experiment <> ''),
    add column stage bigint check (stage between 1 and 1000),
    add column share double precision check (share between 0 and 1);

drop view public.decisions_with_outcomes;
create view public.decisions_with_outcomes with (security_invoker = true) as
select decided.*, outcome.outcome_type, outcome.outcome_score, outcome.outcome_timestamp as outcome_at
from public.decisions as decided
left join public.calling_score_training_data as outcome
    on outcome.identity = private.interaction_key(decided.agent_id, decided.opportunity_id, decided.decided_at);
revoke all on public.decisions_with_outcomes from public, anon, authenticated, service_role;
grant select on public.decisions_with_outcomes to service_role;

-- As before, with p_fields: the columns that the caller's documents have. Status `other_fields`: missing are those that
-- the table lacks, so that nothing of what was sent is dropped in silence. What a row of before does not say is no other
-- content.
drop function public.log_decisions(uuid, bigint, timestamptz);
create function public.log_decisions(
    p_batch uuid, p_n_rows bigint, p_logged_at timestamptz, p_fields text[] default null
) returns jsonb
language plpgsql security definer set search_path = '' set timezone = 'UTC' set statement_timeout = '60s'
as $$
declare
    aside constant text[] := array['row_sequence', 'logged_at', 'watermark'];
    since_arms constant text[] := array['arm', 'experiment', 'stage', 'share'];
    report jsonb := private.batch_report(p_batch);
    n_there bigint;
    n_new bigint;
    missing text[];
begin
    if report is not null then
        return report;
    end if;
    select array_agg(given.name order by given.name) into missing from unnest(p_fields) as given (name)
    where not exists (
        select from pg_catalog.pg_attribute
        where attrelid = 'public.decisions'::regclass and attname = given.name and attnum > 0 and not attisdropped
    );
    if missing is not null then
        return jsonb_build_object('status', 'other_fields', 'missing', missing);
    end if;
    n_there := private.batch_rows(p_batch);
    if n_there is distinct from p_n_rows then
        return jsonb_build_object('status', 'incomplete', 'n_rows', n_there);
    end if;
    begin
        insert into public.decisions
        select typed.*
        from public.incoming_rows as sent
        cross join lateral jsonb_populate_record(
            null::public.decisions, sent.item || jsonb_build_object('logged_at', p_logged_at)
        ) as typed
        where sent.batch = p_batch order by sent.position
        on conflict (decision_id) do nothing;
        get diagnostics n_new = row_count;
        if n_new < n_there then
            select jsonb_build_object(
                'status', 'refused', 'position', sent.position, 'known', to_jsonb(known), 'given', to_jsonb(typed)
            ) into report
            from public.incoming_rows as sent
            cross join lateral jsonb_populate_record(null::public.decisions, sent.item) as typed
            join public.decisions as known on known.decision_id = typed.decision_id
            cross join lateral (
                select case when known.arm is null then aside || since_arms else aside end as names
            ) as passed_over
            where sent.batch = p_batch
                and to_jsonb(known) - passed_over.names is distinct from to_jsonb(typed) - passed_over.names
            order by sent.position limit 1;
            if report is not null then
                raise exception 'takes the insertion back' using errcode = 'SPDEC';
            end if;
        end if;
        report := jsonb_build_object('status', 'ok', 'n_new', n_new, 'n_known', n_there - n_new);
    exception when sqlstate 'SPDEC' then
        null;
    end;
    return private.finish_batch(p_batch, report);
end $$;
revoke all on function public.log_decisions(uuid, bigint, timestamptz, text[]) from public, anon, authenticated;
grant execute on function public.log_decisions(uuid, bigint, timestamptz, text[]) to service_role;
