-- What an export tells of phones' decisions, beside the interactions that it brought: each is written where nothing is known
-- yet, for what was told first stands. Sent again, a batch answers the same. Status `ok`, or `incomplete`: n_rows are there.
create function public.keep_phone_reports(p_batch uuid, p_n_rows bigint) returns jsonb
language plpgsql security definer set search_path = '' set timezone = 'UTC' set statement_timeout = '60s'
as $$
declare
    report jsonb := private.batch_report(p_batch);
    n_there bigint;
    n_written bigint;
begin
    if report is not null then
        return report;
    end if;
    n_there := private.batch_rows(p_batch);
    if n_there is distinct from p_n_rows then
        return jsonb_build_object('status', 'incomplete', 'n_rows', n_there);
    end if;
    -- Imports take turns.
    perform pg_advisory_xact_lock(20261126, 1);

    with sent as materialized (
        select position, typed, private.interaction_key(typed.agent_id, typed.opportunity_id, typed."timestamp") as identity
        from public.incoming_rows
        cross join lateral jsonb_populate_record(null::public.calling_score_training_data, item) as typed
        where batch = p_batch
    ), told as materialized (
        select identity,
            (array_agg((typed).outcome_id order by position) filter (where (typed).outcome_id is not null))[1] as outcome_id,
            (array_agg((typed).arm order by position) filter (where (typed).arm is not null))[1] as arm,
            (array_agg((typed).model_version order by position) filter (where (typed).model_version is not null))[1]
                as model_version,
            (array_agg((typed).outcome_model_version order by position)
                filter (where (typed).outcome_model_version is not null))[1] as outcome_model_version,
            (array_agg((typed).weight order by position) filter (where (typed).weight is not null))[1] as weight,
            (array_agg((typed).neural_score order by position) filter (where (typed).neural_score is not null))[1]
                as neural_score,
            (array_agg((typed).calling_score order by position) filter (where (typed).calling_score is not null))[1]
                as calling_score,
            (array_agg((typed).is_called order by position) filter (where (typed).is_called is not null))[1] as is_called,
            (array_agg((typed).propensity order by position) filter (where (typed).propensity is not null))[1] as propensity,
            (array_agg((typed).fallback order by position) filter (where (typed).fallback is not null))[1] as fallback,
            (array_agg((typed).experiment order by position) filter (where (typed).experiment is not null))[1] as experiment,
            (array_agg((typed).stage order by position) filter (where (typed).stage is not null))[1] as stage,
            (array_agg((typed).reported_at order by position) filter (where (typed).reported_at is not null))[1]
                as reported_at
        from sent group by identity
    )
    update public.calling_score_training_data as known set
        outcome_id = coalesce(known.outcome_id, told.outcome_id),
        arm = coalesce(known.arm, told.arm),
        model_version = coalesce(known.model_version, told.model_version),
        outcome_model_version = coalesce(known.outcome_model_version, told.outcome_model_version),
        weight = coalesce(known.weight, told.weight),
        neural_score = coalesce(known.neural_score, told.neural_score),
        calling_score = coalesce(known.calling_score, told.calling_score),
        is_called = coalesce(known.is_called, told.is_called),
        propensity = coalesce(known.propensity, told.propensity),
        fallback = coalesce(known.fallback, told.fallback),
        experiment = coalesce(known.experiment, told.experiment),
        stage = coalesce(known.stage, told.stage),
        reported_at = coalesce(known.reported_at, told.reported_at)
    from told where known.identity = told.identity and known.source_kind = 'real';
    get diagnostics n_written = row_count;
    return private.finish_batch(p_batch, jsonb_build_object('status', 'ok', 'n_written', n_written));
end $$;
revoke all on function public.keep_phone_reports(uuid, bigint) from public, anon, authenticated;
grant execute on function public.keep_phone_reports(uuid, bigint) to service_role;
