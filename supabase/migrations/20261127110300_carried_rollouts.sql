-- A rollout of another store that is over is kept under its number, with all that belongs to it; versions stay as they are.
-- spots_ml/experiments/changes/transitions.py has the words of a refusal.

create function public.carry_rollout(
    p_number bigint, p_status text, p_stage integer, p_started_at timestamptz, p_document text, p_events jsonb,
    p_looks jsonb, p_units jsonb, p_request_id uuid default null
) returns public.rollout_change
language plpgsql security definer set search_path = ''
as $$
declare
    start constant jsonb := p_document::jsonb;
    events constant jsonb := private.document(p_events);
    looks constant jsonb := private.document(p_looks);
    there public.rollouts;
    n_there bigint;
    used bigint;
    event_numbers bigint[];
    look_numbers bigint[];
begin
    perform private.lock_registry();
    select * into there from public.rollouts where number = p_number;
    if found and there.salt = start ->> 'salt' then
        return private.rollout_now(p_number);
    elsif p_status in ('running', 'paused') then
        return private.rollout_refused(format(
            'rollout-%s is %s; it is carried over when it is over', p_number, p_status
        ));
    end if;
    select count(*) into n_there from public.rollouts;
    if p_number <> n_there + 1 then
        return private.rollout_refused(format(
            'rollout-%s is not the next one: %s rollouts are there; what is before it is carried over first, and nothing '
            'where others have started since', p_number, n_there
        ));
    end if;
    select number into used from public.rollouts where salt = start ->> 'salt';
    if found then
        return private.rollout_refused(format('the salt of rollout-%s is that of rollout-%s there', p_number, used));
    end if;
    perform 1 from public.model_versions
    where model_type = start ->> 'model_type' and version = start ->> 'version';
    if not found then
        return private.rollout_refused((private.no_such_version(start ->> 'model_type', start ->> 'version')).reason);
    end if;
    select array_agg(nextval('public.rollout_events_number_seq') order by place) into event_numbers
    from generate_series(1, jsonb_array_length(events)) as place;
    select array_agg(nextval('public.rollout_looks_number_seq') order by place) into look_numbers
    from generate_series(1, jsonb_array_length(looks)) as place;
    insert into public.rollouts (
        number, model_type, version, salt, status, stage, started_at, last_event, document, digest
    ) values (
        p_number, start ->> 'model_type', start ->> 'version', start ->> 'salt', p_status, p_stage, p_started_at,
        event_numbers[cardinality(event_numbers)], p_document, encode(sha256(convert_to(p_document, 'UTF8')), 'hex')
    );
    insert into public.rollout_looks (number, rollout, at, actor, document, digest) overriding system value
    select look_numbers[place], p_number, (look ->> 'at')::timestamptz, look ->> 'actor', look ->> 'document',
        encode(sha256(convert_to(look ->> 'document', 'UTF8')), 'hex')
    from jsonb_array_elements(looks) with ordinality as given (look, place);
    insert into public.rollout_events (number, rollout, at, action, cause, reason, stage, share, actor, look)
    overriding system value
    select event_numbers[place], p_number, (event ->> 'at')::timestamptz, event ->> 'action', event ->> 'cause',
        event ->> 'reason', (event ->> 'stage')::smallint, (event ->> 'share')::double precision, event ->> 'actor',
        look_numbers[(event ->> 'look')::integer + 1]
    from jsonb_array_elements(events) with ordinality as given (event, place);
    insert into public.rollout_units (rollout, number, stage, agent_id, document)
    select p_number, place, (unit ->> 'stage')::smallint, unit ->> 'agent_id', unit
    from jsonb_array_elements(private.document(p_units)) with ordinality as given (unit, place);
    return private.rollout_now(p_number);
end $$;

revoke all on function public.carry_rollout(
    bigint, text, integer, timestamptz, text, jsonb, jsonb, jsonb, uuid
) from public, anon, authenticated;
grant execute on function public.carry_rollout(
    bigint, text, integer, timestamptz, text, jsonb, jsonb, jsonb, uuid
) to service_role;
