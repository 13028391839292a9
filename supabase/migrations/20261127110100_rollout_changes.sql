-- The life of a rollout, as spots_ml/experiments/changes has it; the words of a refusal are the same there. Every function
-- locks, checks, changes rollout and versions, and answers with one row: ok and the rollout as it stands now, changed where
-- somebody else was first, or refused, and why. A call with the request id of an earlier one changes nothing and answers
-- how the rollout stands: it may be sent again.

create type public.rollout_change as (status text, reason text, rollout jsonb);

create function private.rollout_refused(p_reason text, p_status text default 'refused') returns public.rollout_change
language sql immutable set search_path = ''
as $$ select (p_status, p_reason, null)::public.rollout_change $$;

create function private.rollout_now(p_number bigint) returns public.rollout_change
language sql stable set search_path = '' set timezone = 'UTC'
as $$ select ('ok', '', to_jsonb(one))::public.rollout_change from public.rollouts as one where one.number = p_number $$;

-- Locks, and answers for what is not to be changed; its status is null where the change is to be made.
create function private.before_rollout_change(p_call private.change_call) returns public.rollout_change
language plpgsql set search_path = ''
as $$
declare
    before constant public.version_change := private.before_change(p_call);
    known private.rollout_requests;
begin
    if before.status = 'refused' then
        return private.rollout_refused(before.reason);
    end if;
    select * into known from private.rollout_requests where request_id = p_call.request_id;
    if not found then
        return null;
    elsif known.request_digest is distinct from p_call.request_digest then
        return private.rollout_refused(format(
            'the request id %s belongs to another request, which changed rollout-%s; send this one with an id of its own',
            p_call.request_id, known.rollout
        ));
    end if;
    return private.rollout_now(known.rollout);
end $$;

create function private.note_request(p_rollout bigint, p_call private.change_call) returns void
language sql set search_path = ''
as $$
    insert into private.rollout_requests
    select p_call.request_id, p_call.request_digest, p_rollout where p_call.request_id is not null
$$;

create function private.share_of_stage(p_rollout public.rollouts, p_stage integer) returns double precision
language sql immutable set search_path = ''
as $$ select (p_rollout.document::jsonb -> 'policy' -> 'shares' ->> (p_stage - 1))::double precision $$;

-- Writes what happened to a rollout, and where it stands since.
create function private.note_rollout_event(
    p_rollout bigint, p_action text, p_cause text, p_reason text, p_status text, p_stage integer,
    p_share double precision, p_look bigint, p_call private.change_call
) returns void
language plpgsql set search_path = ''
as $$
declare added bigint;
begin
    insert into public.rollout_events (rollout, at, action, cause, reason, stage, share, actor, look)
    values (p_rollout, p_call.at, p_action, p_cause, p_reason, p_stage, p_share, p_call.actor, p_look)
    returning number into added;
    update public.rollouts set status = p_status, stage = p_stage, last_event = added where number = p_rollout;
end $$;

-- What the history of versions says of a change that a rollout made.
create function private.of_rollout(p_call private.change_call, p_rollout bigint, p_reason text)
returns private.change_call
language sql immutable set search_path = ''
as $$
    select (
        p_call.at, p_call.actor, left(format('rollout-%s: %s', p_rollout, p_reason), 1000), p_call.request_id,
        p_call.request_digest, false
    )::private.change_call
$$;

-- Whether a person has stepped around the blessing, by this change or when the rollout started.
create function private.is_forced(p_rollout bigint, p_cause text) returns boolean
language sql stable set search_path = ''
as $$
    select p_cause = 'by_hand' or exists (
        select from public.rollout_events where rollout = p_rollout and action = 'started' and cause = 'by_hand'
    )
$$;

-- Why nothing may change a rollout that is to be changed by somebody who has seen its event p_after; its status is null
-- where it may be changed.
create function private.rollout_refusal(p_rollout bigint, p_after bigint) returns public.rollout_change
language plpgsql stable set search_path = ''
as $$
declare known public.rollouts;
begin
    select * into known from public.rollouts where number = p_rollout;
    if not found then
        return private.rollout_refused(format(
            'there is no rollout-%s; there are %s rollouts', p_rollout, (select count(*) from public.rollouts)
        ));
    elsif known.last_event is distinct from p_after then
        return private.rollout_refused(format(
            'the last event of rollout-%s is number %s, and number %s was seen: somebody else was first; nothing was '
            'changed, look again', known.number, known.last_event, p_after
        ), 'changed');
    elsif known.status not in ('running', 'paused') then
        return private.rollout_refused(format(
            'rollout-%s is %s; nothing changes it any more', known.number, known.status
        ));
    end if;
    return null;
end $$;

-- Why a change cannot follow; null: it can.
create function private.step_refusal(p_rollout public.rollouts, p_action text, p_cause text, p_reason text)
returns text
language sql stable set search_path = ''
as $$
    select case
        when not exists (
            select from private.rollout_transitions
            where action = p_action and from_status = p_rollout.status
        ) then format('rollout-%s is %s and cannot be %s', p_rollout.number, p_rollout.status, p_action)
        when p_action = 'widened' and private.share_of_stage(p_rollout, p_rollout.stage + 1) is null then format(
            'rollout-%s is in its last stage and cannot be widened; promote it, or let it go on as it is',
            p_rollout.number
        )
        when p_rollout.document::jsonb ->> 'kind' = 'version' and p_action in ('widened', 'promoted')
        then private.unblessed(
            p_rollout.model_type, p_rollout.version,
            case p_action when 'promoted' then 'promoted' else 'offered to a share of the agents' end,
            private.is_forced(p_rollout.number, p_cause), p_reason
        )
    end
$$;

-- Changes a rollout, and the versions as that says; step_refusal has nothing against it.
create function private.step_rollout(
    p_rollout public.rollouts, p_action text, p_cause text, p_reason text, p_look bigint, p_call private.change_call
) returns void
language plpgsql set search_path = ''
as $$
declare
    told private.change_call := private.of_rollout(p_call, p_rollout.number, p_reason);
    kind constant text := p_rollout.document::jsonb ->> 'kind';
    stage_then constant integer := p_rollout.stage + case p_action when 'widened' then 1 else 0 end;
    status_then text;
    share_then double precision := 0;
    active text;
begin
    select to_status into strict status_then from private.rollout_transitions
    where action = p_action and from_status = p_rollout.status;
    if status_then in ('running', 'paused') then
        share_then := private.share_of_stage(p_rollout, stage_then);
    end if;
    if kind = 'weight' then
        if p_action = 'promoted' then
            perform private.change_value(
                p_rollout.model_type, p_rollout.version, 'weight',
                (p_rollout.document::jsonb ->> 'weight')::double precision, told
            );
        end if;
    elsif p_action = 'promoted' then
        select version into active from public.model_versions
        where model_type = p_rollout.model_type and status = 'active';
        if found then
            perform private.change_status(p_rollout.model_type, active, 'superseded', 'active', 'deprecated', told);
        end if;
        told.forced := private.is_forced(p_rollout.number, p_cause);
        perform private.change_status(
            p_rollout.model_type, p_rollout.version, 'promoted', 'staging', 'active', told
        );
    elsif share_then <> private.share_of_stage(p_rollout, p_rollout.stage) and exists (
        select from public.model_versions
        where model_type = p_rollout.model_type and version = p_rollout.version and status = 'staging'
    ) then
        told.forced := share_then > 0 and private.is_forced(p_rollout.number, p_cause);
        perform private.change_value(p_rollout.model_type, p_rollout.version, 'traffic', share_then, told);
    end if;
    perform private.note_rollout_event(
        p_rollout.number, p_action, p_cause, p_reason, status_then, stage_then, share_then, p_look, p_call
    );
end $$;

-- Why a rollout cannot start where things stand as they do; its status is null where it can.
create function private.start_refusal(p_start jsonb) returns public.rollout_change
language plpgsql stable set search_path = ''
as $$
declare
    model constant text := p_start ->> 'model_type';
    n_before bigint;
    n_promoted bigint;
    busy public.rollouts;
    used bigint;
    challenger public.model_versions;
    champion text;
begin
    select count(*), count(*) filter (where status = 'promoted') into n_before, n_promoted from public.rollouts;
    if n_before <> (p_start ->> 'n_before')::bigint or n_promoted <> (p_start ->> 'n_promoted_before')::bigint then
        return private.rollout_refused(format(
            'there were %s rollouts before, %s of them promoted, and the start names %s and %s; nothing was changed, look '
            'again', n_before, n_promoted, p_start ->> 'n_before', p_start ->> 'n_promoted_before'
        ), 'changed');
    end if;
    select * into busy from public.rollouts where model_type = model and status in ('running', 'paused');
    if found then
        return private.rollout_refused(format(
            'rollout-%s of %s %s is %s, and a model has one rollout at a time; wait until it is over, or abort it',
            busy.number, model, busy.version, busy.status
        ));
    end if;
    select number into used from public.rollouts where salt = p_start ->> 'salt';
    if found then
        return private.rollout_refused(format(
            'the salt of rollout-%s was used before; every rollout has a new one: draw again', used
        ));
    end if;
    select * into challenger from public.model_versions where model_type = model and version = p_start ->> 'version';
    if not found then
        return private.rollout_refused((private.no_such_version(model, p_start ->> 'version')).reason);
    end if;
    select version into champion from public.model_versions where model_type = model and status = 'active';
    if champion is distinct from p_start ->> 'champion' then
        return private.rollout_refused(format(
            'of %s, %s is active, and the start names %s; nothing was changed, look again', model,
            coalesce(champion, 'no version'), coalesce(p_start ->> 'champion', 'no version')
        ), 'changed');
    elsif p_start ->> 'kind' = 'version' and challenger.status <> 'staging' then
        return private.rollout_refused(format(
            '%s %s is %s; only a staging version is rolled out', model, challenger.version, challenger.status
        ));
    elsif p_start ->> 'kind' = 'weight' and challenger.status <> 'active' then
        return private.rollout_refused(format(
            '%s %s is %s; only the active version is tried at another weight', model, challenger.version,
            challenger.status
        ));
    elsif p_start ->> 'kind' = 'weight' and challenger.weight = (p_start ->> 'weight')::double precision then
        return private.rollout_refused(format(
            '%s %s has that weight already; there is nothing to try', model, challenger.version
        ));
    end if;
    return null;
end $$;

create function public.start_rollout(
    p_document text, p_at timestamptz, p_actor text, p_reason text, p_request_id uuid default null,
    p_forced boolean default false
) returns public.rollout_change
language plpgsql security definer set search_path = ''
as $$
declare
    this constant private.change_call := private.this_call(
        'start_rollout', jsonb_build_array(p_document, p_forced), p_at, p_actor, p_reason, p_request_id
    );
    start constant jsonb := p_document::jsonb;
    model constant text := start ->> 'model_type';
    before public.rollout_change;
    told private.change_call;
    added public.rollouts;
    other text;
    unblessed text;
    share double precision;
begin
    if private.says_nothing(p_reason) then
        return private.rollout_refused(format(
            'say why %s %s is rolled out; a start has a reason', model, start ->> 'version'
        ));
    end if;
    before := private.before_rollout_change(this);
    if before.status is not null then
        return before;
    end if;
    before := private.start_refusal(start);
    if before.status is not null then
        return before;
    end if;
    if start ->> 'kind' = 'version' then
        unblessed := private.unblessed(
            model, start ->> 'version', 'offered to a share of the agents', p_forced, p_reason
        );
        if unblessed is not null then
            return private.rollout_refused(unblessed);
        end if;
    end if;
    insert into public.rollouts (
        number, model_type, version, salt, status, stage, started_at, last_event, document, digest
    ) values (
        (select count(*) + 1 from public.rollouts), model, start ->> 'version', start ->> 'salt', 'running', 1, p_at, 0,
        p_document, encode(sha256(convert_to(p_document, 'UTF8')), 'hex')
    ) returning * into added;
    share := private.share_of_stage(added, 1);
    if start ->> 'kind' = 'version' then
        told := private.of_rollout(this, added.number, p_reason);
        for other in
            select version from public.model_versions
            where model_type = model and status = 'staging' and traffic > 0 and version <> added.version
            order by registered_order
        loop
            perform private.change_value(model, other, 'traffic', 0, told);
        end loop;
        if exists (
            select from public.model_versions where model_type = model and version = added.version
                and weight <> (start ->> 'weight')::double precision
        ) then
            perform private.change_value(
                model, added.version, 'weight', (start ->> 'weight')::double precision, told
            );
        end if;
        told.forced := p_forced;
        perform private.change_value(model, added.version, 'traffic', share, told);
    end if;
    perform private.note_rollout_event(
        added.number, 'started', case when p_forced then 'by_hand' else 'evidence' end, p_reason, 'running', 1, share, null, this
    );
    perform private.note_request(added.number, this);
    return private.rollout_now(added.number);
end $$;

create function public.record_rollout_look(
    p_rollout bigint, p_after bigint, p_units jsonb, p_document text, p_at timestamptz, p_actor text,
    p_request_id uuid default null
) returns public.rollout_change
language plpgsql security definer set search_path = ''
as $$
declare
    units constant jsonb := private.document(p_units);
    look constant jsonb := p_document::jsonb;
    change constant jsonb := nullif(look -> 'change', 'null');
    this constant private.change_call := private.this_call(
        'record_rollout_look', jsonb_build_array(p_rollout, p_after, units, p_document), p_at, p_actor,
        coalesce(change ->> 'reason', ''), p_request_id
    );
    before public.rollout_change;
    known public.rollouts;
    there record;
    n_before bigint;
    added bigint;
    unfit text;
begin
    before := private.before_rollout_change(this);
    if before.status is not null then
        return before;
    end if;
    before := private.rollout_refusal(p_rollout, p_after);
    if before.status is not null then
        return before;
    end if;
    select * into strict known from public.rollouts where number = p_rollout;
    select count(*) into n_before from public.rollout_units where rollout = p_rollout;
    if n_before + jsonb_array_length(units) <> (look ->> 'n_units')::bigint then
        return private.rollout_refused(format(
            'rollout-%s has %s units with the new ones, and the look has seen %s: somebody else was first; nothing was '
            'changed, look again', p_rollout, n_before + jsonb_array_length(units), look ->> 'n_units'
        ), 'changed');
    end if;
    unfit := case when change is not null then private.step_refusal(
        known, change ->> 'action', change ->> 'cause', change ->> 'reason'
    ) end;
    if unfit is not null then
        return private.rollout_refused(unfit);
    end if;
    select one.agent_id, one.stage into there
    from jsonb_array_elements(units) with ordinality as given (unit, place)
    join public.rollout_units as one on one.rollout = p_rollout
        and one.stage = (given.unit ->> 'stage')::smallint and one.agent_id = given.unit ->> 'agent_id'
    order by given.place limit 1;
    if found then
        return private.rollout_refused(format(
            'rollout-%s has a unit of the agent %s in stage %s already; units are kept once and stay', p_rollout,
            there.agent_id, there.stage
        ));
    end if;
    if exists (select from jsonb_array_elements(units) as unit where (unit ->> 'stage')::smallint > known.stage) then
        return private.rollout_refused(format(
            'units are of stages that rollout-%s has not reached; it is at %s', p_rollout, known.stage
        ));
    end if;
    insert into public.rollout_units (rollout, number, stage, agent_id, document)
    select p_rollout, n_before + place, (unit ->> 'stage')::smallint, unit ->> 'agent_id', unit
    from jsonb_array_elements(units) with ordinality as given (unit, place);
    insert into public.rollout_looks (rollout, at, actor, document, digest)
    values (p_rollout, p_at, p_actor, p_document, encode(sha256(convert_to(p_document, 'UTF8')), 'hex'))
    returning number into added;
    if change is not null then
        perform private.step_rollout(
            known, change ->> 'action', change ->> 'cause', change ->> 'reason', added, this
        );
    end if;
    perform private.note_request(p_rollout, this);
    return private.rollout_now(p_rollout);
end $$;

create function public.change_rollout(
    p_rollout bigint, p_after bigint, p_action text, p_cause text, p_reason text, p_at timestamptz, p_actor text,
    p_request_id uuid default null
) returns public.rollout_change
language plpgsql security definer set search_path = ''
as $$
declare
    this constant private.change_call := private.this_call(
        'change_rollout', jsonb_build_array(p_rollout, p_after, p_action, p_cause), p_at, p_actor, p_reason, p_request_id
    );
    before public.rollout_change;
    known public.rollouts;
    unfit text;
begin
    before := private.before_rollout_change(this);
    if before.status is not null then
        return before;
    end if;
    before := private.rollout_refusal(p_rollout, p_after);
    if before.status is not null then
        return before;
    end if;
    select * into strict known from public.rollouts where number = p_rollout;
    unfit := private.step_refusal(known, p_action, p_cause, p_reason);
    if unfit is not null then
        return private.rollout_refused(unfit);
    end if;
    perform private.step_rollout(known, p_action, p_cause, p_reason, null, this);
    perform private.note_request(p_rollout, this);
    return private.rollout_now(p_rollout);
end $$;

revoke all on function private.rollout_refused(text, text), private.rollout_now(bigint),
    private.before_rollout_change(private.change_call), private.note_request(bigint, private.change_call),
    private.share_of_stage(public.rollouts, integer),
    private.note_rollout_event(
        bigint, text, text, text, text, integer, double precision, bigint, private.change_call
    ),
    private.of_rollout(private.change_call, bigint, text), private.rollout_refusal(bigint, bigint),
    private.step_refusal(public.rollouts, text, text, text), private.is_forced(bigint, text),
    private.step_rollout(public.rollouts, text, text, text, bigint, private.change_call),
    private.start_refusal(jsonb)
    from public, anon, authenticated, service_role;
revoke all on function public.start_rollout(text, timestamptz, text, text, uuid, boolean),
    public.record_rollout_look(bigint, bigint, jsonb, text, timestamptz, text, uuid),
    public.change_rollout(bigint, bigint, text, text, text, timestamptz, text, uuid)
    from public, anon, authenticated;
grant execute on function public.start_rollout(text, timestamptz, text, text, uuid, boolean),
    public.record_rollout_look(bigint, bigint, jsonb, text, timestamptz, text, uuid),
    public.change_rollout(bigint, bigint, text, text, text, timestamptz, text, uuid)
    to service_role;
