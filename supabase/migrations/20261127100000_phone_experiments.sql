-- What a phone reports of the rollouts that drew its agent, and when a report was written, by the clock of this database:
-- who may report a decision long after its moment knows what came of it, and can leave out what came out badly.

alter table public.calling_score_training_data
    add column experiment text,
    add column stage integer,
    add column reported_at timestamptz,
    add constraint training_experiment check (not private.is_blank(experiment) and octet_length(experiment) <= 256),
    add constraint training_stage check (stage between 1 and 1000);

-- The app's own comparison has what the training table has of a decision, so that it can be counted as well.
alter table public.calling_score_ab_test_outcomes
    add column outcome_id uuid,
    add column fallback text,
    add column experiment text,
    add column stage integer,
    add column reported_at timestamptz,
    add constraint ab_fallback_is_told_by_reason check (private.is_fallback(fallback)),
    add constraint ab_experiment check (not private.is_blank(experiment) and octet_length(experiment) <= 256),
    add constraint ab_stage check (stage between 1 and 1000);

-- Whether a row tells any part of a decision.
create function private.reports_decision(p_row public.calling_score_training_data) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select num_nonnulls(
        p_row.arm, p_row.model_version, p_row.outcome_model_version, p_row.weight, p_row.neural_score,
        p_row.calling_score, p_row.is_called, p_row.propensity, p_row.fallback, p_row.experiment, p_row.stage
    ) > 0
$$;

-- An agent has no say in when its report was written. Named so as to come after all that may change the row.
create function private.forget_told_time() returns trigger
language plpgsql set search_path = ''
as $$
begin
    new.reported_at := null;
    return new;
end $$;
create function private.time_report() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if tg_op = 'UPDATE' then
        new.reported_at := coalesce(old.reported_at, new.reported_at);
    end if;
    if not private.reports_decision(new) then
        new.reported_at := null;
    elsif new.reported_at is null and (tg_op = 'INSERT' or not private.reports_decision(old)) then
        new.reported_at := private.present();
    end if;
    return new;
end $$;
create function private.time_comparison() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    new.reported_at := coalesce(new.reported_at, private.present());
    return new;
end $$;
revoke all on function private.reports_decision(public.calling_score_training_data), private.forget_told_time(),
    private.time_report(), private.time_comparison() from public, anon, authenticated, service_role;

create trigger b_forget_told_time before insert on public.calling_score_training_data
    for each row when (row_security_active('public.calling_score_training_data'::regclass))
    execute function private.forget_told_time();
create trigger e_time_report before insert or update on public.calling_score_training_data
    for each row execute function private.time_report();
create trigger b_forget_told_time before insert on public.calling_score_ab_test_outcomes
    for each row when (row_security_active('public.calling_score_ab_test_outcomes'::regclass))
    execute function private.forget_told_time();
create trigger e_time_comparison before insert on public.calling_score_ab_test_outcomes
    for each row execute function private.time_comparison();

-- As before; what a phone reports of rollouts, and when it did, is not forgotten.
create or replace function private.merged_arrivals(
    p_known public.calling_score_training_data, p_told public.calling_score_training_data
) returns public.calling_score_training_data
language plpgsql stable strict set search_path = ''
as $$
declare
    said public.calling_score_training_data := private.merged_interaction(p_known, p_told);
begin
    said.first_outcome_timestamp := least(private.first_arrival(p_known), private.first_arrival(p_told));
    said.experiment := coalesce(p_told.experiment, p_known.experiment);
    said.stage := coalesce(p_told.stage, p_known.stage);
    said.reported_at := coalesce(p_known.reported_at, p_told.reported_at);
    return said;
end $$;

-- Of a row as it is sent: the rollouts that it names.
create function private.experiment_problems(p_experiment text, p_stage integer) returns text[]
language sql immutable set search_path = ''
as $$
    select private.id_problems('experiment', p_experiment)
        || case when p_stage between 1 and 1000 or p_stage is null then '{}'::text[] else array[format(
            'out_of_range: stage is %s; expected one digit from 1 for each rollout of experiment', p_stage
        )] end
$$;
revoke all on function private.experiment_problems(text, integer) from public, anon, authenticated, service_role;

-- As before, and what a phone reports of rollouts; an agent never changes that.
create or replace function private.refuse_interaction() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    found text[] := private.interaction_problems(new, case tg_op when 'UPDATE' then old end, clock_timestamp());
begin
    if tg_op = 'INSERT' then
        found := found || private.experiment_problems(new.experiment, new.stage) || private.time_problems(
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

-- As before, and what the comparison has beside.
create or replace function private.comparison_problems(
    p_row public.calling_score_ab_test_outcomes, p_now timestamptz
) returns text[]
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
        || private.fallback_problems(p_row.fallback)
        || private.experiment_problems(p_row.experiment, p_row.stage)
$$;
