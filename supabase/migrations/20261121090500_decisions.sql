-- The decision log: what was decided about each pair and on what grounds, as spots_ml/scoring/decision_log.py has it.
-- It only grows; outcomes stay with the interactions and are linked when the log is read.

create table public.decisions (
    decision_id text collate "C" primary key check (decision_id <> ''),
    row_sequence bigint not null,
    logged_at timestamptz not null,
    origin text not null check (origin in ('served', 'replayed')),
    agent_id text not null check (agent_id <> ''),
    opportunity_id text not null check (opportunity_id <> ''),
    decided_at timestamptz not null,
    agent_group text not null check (agent_group in ('hybrid', 'formulaBased')),
    version text,
    outcome_version text,
    weight double precision not null check (weight between 0 and 1),
    formula_score double precision not null check (formula_score between 0 and 1),
    neural_score double precision check (neural_score between 0 and 1),
    outcome_probability double precision not null check (outcome_probability between 0 and 1),
    score double precision not null check (score between 0 and 1),
    called boolean not null,
    blocked boolean not null,
    explored boolean not null,
    propensity double precision check (propensity between 0 and 1),
    feature_digest text not null check (feature_digest ~ '^[0-9a-f]{64}$'),
    -- Numbers of 32 bits, widened: as `real` they would be told in so few digits that a reader who takes every number
    -- for one of 64 bits gets the neighbour of some.
    past_positive_rate double precision not null check (past_positive_rate between 0 and 1),
    past_negative_rate double precision not null check (past_negative_rate between 0 and 1),
    average_engagement double precision not null check (average_engagement between 0 and 1),
    interaction_count double precision not null check (interaction_count between 0 and 1),
    time_since_last_positive double precision not null check (time_since_last_positive between 0 and 1),
    activity_level double precision not null check (activity_level between 0 and 1),
    watermark text,
    fallback text
);
create sequence public.decision_rows as bigint owned by public.decisions.row_sequence;
revoke all on sequence public.decision_rows from public, anon, authenticated, service_role;
create unique index decisions_by_arrival on public.decisions (row_sequence);
create index decisions_by_time on public.decisions (decided_at, decision_id) include (row_sequence);

create trigger a_take_turns before insert on public.decisions
    for each statement execute function private.take_turns();
create trigger b_number_arrival before insert on public.decisions
    for each row execute function private.number_arrival('public.decision_rows');
create trigger decisions_only_grow before update or delete or truncate on public.decisions
    for each statement execute function private.refuse_change();

create view public.decisions_with_outcomes with (security_invoker = true) as
select decided.*, outcome.outcome_type, outcome.outcome_score, outcome.outcome_timestamp as outcome_at
from public.decisions as decided
left join public.calling_score_training_data as outcome
    on outcome.agent_id = decided.agent_id and outcome.opportunity_id = decided.opportunity_id
    and outcome."timestamp" = decided.decided_at;

-- Logs the decisions of a batch of incoming_rows, each once, all or none. Sent again, it answers the same. Status `ok`:
-- n_new, n_known. `refused`: an id is logged, or stands in the batch, with other content; position (0-based) of the first
-- one, known, given. `incomplete`: n_rows are there, not p_n_rows. The watermark is no part of the content: the same
-- history may be served at two of them.
create function public.log_decisions(p_batch uuid, p_n_rows bigint, p_logged_at timestamptz) returns jsonb
language plpgsql security definer set search_path = '' set timezone = 'UTC' set statement_timeout = '60s'
as $$
declare
    aside constant text[] := array['row_sequence', 'logged_at', 'watermark'];
    report jsonb := private.batch_report(p_batch);
    n_there bigint;
    n_new bigint;
begin
    if report is not null then
        return report;
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
            where sent.batch = p_batch and to_jsonb(known) - aside is distinct from to_jsonb(typed) - aside
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

alter table public.decisions enable row level security;
revoke all on public.decisions, public.decisions_with_outcomes from public, anon, authenticated, service_role;
grant select on public.decisions, public.decisions_with_outcomes to service_role;
revoke all on function public.log_decisions(uuid, bigint, timestamptz) from public, anon, authenticated;
grant execute on function public.log_decisions(uuid, bigint, timestamptz) to service_role;
