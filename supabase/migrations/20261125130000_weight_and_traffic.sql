-- The weight and the traffic of a version are changed by functions, as spots_ml/registry/lifecycle.py has it, and told by
-- the one history of versions, with what they were before. The steps of rollouts move there.

alter table public.version_history
    add column from_value double precision check (from_value between 0 and 1),
    add column to_value double precision check (to_value between 0 and 1),
    drop constraint version_history_action_check,
    add constraint version_history_action_check check (action in (
        'registered', 'reaffirmed', 'promoted', 'superseded', 'rolled_back', 'restored', 'archived', 'weight_set',
        'traffic_set'
    )),
    add constraint values_of_changed_numbers check (
        (from_value is not null) = (action in ('weight_set', 'traffic_set'))
        and (to_value is not null) = (from_value is not null)
    );

insert into public.version_history
    (at, model_type, version, action, from_status, to_status, actor, reason, request_id, from_value, to_value)
select at, model_type, version, 'traffic_set', 'staging', 'staging', actor, reason, request_id, from_traffic, to_traffic
from public.rollout_steps order by sequence;
drop table public.rollout_steps;

create or replace function private.answered(p_request_id uuid) returns public.version_change
language plpgsql stable set search_path = ''
as $$
declare last record;
begin
    select model_type, version, action = 'registered' as created into last from public.version_history
    where request_id = p_request_id order by sequence desc limit 1;
    if not found then
        return null;
    end if;
    return private.changed(last.model_type, last.version, last.created);
end $$;

-- A number that changes while the status stays; p_column is weight or traffic.
create function private.change_value(
    p_model_type text, p_version text, p_column text, p_value double precision, p_at timestamptz, p_actor text,
    p_reason text, p_request_id uuid
) returns void
language plpgsql set search_path = ''
as $$
declare before public.model_versions;
begin
    select * into strict before from public.model_versions where model_type = p_model_type and version = p_version;
    update public.model_versions
    set weight = case p_column when 'weight' then p_value else weight end,
        traffic = case p_column when 'traffic' then p_value else traffic end,
        updated_at = p_at
    where registered_order = before.registered_order;
    insert into public.version_history
        (at, model_type, version, action, from_status, to_status, actor, reason, request_id, from_value, to_value)
    values (
        p_at, p_model_type, p_version, p_column || '_set', before.status, before.status, p_actor, p_reason, p_request_id,
        case p_column when 'weight' then before.weight else before.traffic end, p_value
    );
end $$;

-- The share of the neural score in the hybrid score, of a version that answers or may answer.
create function public.set_model_weight(
    p_model_type text, p_version text, p_weight double precision, p_at timestamptz, p_actor text, p_reason text,
    p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    before public.version_change;
    status_now text;
begin
    perform private.lock_registry();
    before := private.answered(p_request_id);
    if before.status is not null then
        return before;
    end if;
    if p_weight is null or not p_weight between 0 and 1 then
        return private.refused(format('the weight %s is no share; expected a number in [0, 1]', p_weight));
    end if;
    select status into status_now from public.model_versions where model_type = p_model_type and version = p_version;
    if not found then
        return private.no_such_version(p_model_type, p_version);
    elsif status_now not in ('staging', 'active') then
        return private.refused(format(
            '%s %s is %s; only a staging or an active version is given a weight', p_model_type, p_version, status_now
        ));
    end if;
    perform private.change_value(
        p_model_type, p_version, 'weight', p_weight, p_at, p_actor, p_reason, p_request_id
    );
    return private.changed(p_model_type, p_version);
end $$;

-- A staging version is offered to a share of the hybrid group; 0 takes it back. Promotion and archiving end a rollout.
create or replace function public.set_rollout_traffic(
    p_model_type text, p_version text, p_traffic double precision, p_at timestamptz, p_actor text, p_reason text,
    p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    before public.version_change;
    status_now text;
    other text;
begin
    perform private.lock_registry();
    before := private.answered(p_request_id);
    if before.status is not null then
        return before;
    end if;
    if p_traffic is null or not p_traffic between 0 and 1 then
        return private.refused(format('the traffic %s is no share; expected a number in [0, 1]', p_traffic));
    end if;
    select status into status_now from public.model_versions where model_type = p_model_type and version = p_version;
    if not found then
        return private.no_such_version(p_model_type, p_version);
    elsif status_now <> 'staging' then
        return private.refused(format(
            '%s %s is %s; only a staging version is rolled out', p_model_type, p_version, status_now
        ));
    end if;
    select version into other from public.model_versions
    where model_type = p_model_type and status = 'staging' and traffic > 0 and version <> p_version;
    if found and p_traffic > 0 then
        return private.refused(format(
            '%s %s is being rolled out; promote it, archive it or take its traffic back first', p_model_type, other
        ));
    end if;
    perform private.change_value(
        p_model_type, p_version, 'traffic', p_traffic, p_at, p_actor, p_reason, p_request_id
    );
    return private.changed(p_model_type, p_version);
end $$;

revoke all on function
    private.change_value(text, text, text, double precision, timestamptz, text, text, uuid)
    from public, anon, authenticated, service_role;
revoke all on function public.set_model_weight(text, text, double precision, timestamptz, text, text, uuid)
    from public, anon, authenticated;
grant execute on function public.set_model_weight(text, text, double precision, timestamptz, text, text, uuid)
    to service_role;
