-- The traffic of a staging version is changed by rollouts alone. Whoever changes the champion of a rollout, or archives its
-- challenger, ends it in the same transaction; the weight of what it compares stays.

drop function public.set_rollout_traffic(
    text, text, double precision, timestamptz, text, text, uuid, boolean
);

-- A version that a rollout took traffic from again needs a blessing of after that, as one that was rolled back does.
create or replace function private.blessing_needed_since(p_model_type text, p_version text) returns bigint
language sql stable set search_path = ''
as $$
    select coalesce(max(sequence), 0) from public.version_history
    where model_type = p_model_type and version = p_version
        and (action = 'rolled_back' or action = 'traffic_set' and to_value = 0)
$$;

-- Runs when all is changed and before anything is committed: what a rollout does to versions itself has closed it then.
create function private.end_overtaken_rollout() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    overtaken public.rollouts;
    told text;
begin
    perform private.lock_registry();
    select * into overtaken from public.rollouts
    where model_type = new.model_type and status in ('running', 'paused');
    if not found or new.action = 'archived' and new.version <> overtaken.version then
        return null;
    end if;
    told := format('%s was %s', new.version, new.action)
        || case when private.says_nothing(new.reason) then '' else ': ' || new.reason end;
    perform private.step_rollout(
        overtaken, 'ended', 'champion_changed', left(told, 1000), null,
        (new.at, new.actor, '', null, null, false)::private.change_call
    );
    return null;
end $$;
revoke all on function private.end_overtaken_rollout() from public, anon, authenticated, service_role;

create constraint trigger rollouts_are_overtaken after insert on public.version_history
    deferrable initially deferred for each row
    when (new.action in ('promoted', 'rolled_back', 'withdrawn', 'archived'))
    execute function private.end_overtaken_rollout();

create or replace function public.set_model_weight(
    p_model_type text, p_version text, p_weight double precision, p_at timestamptz, p_actor text, p_reason text,
    p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    this constant private.change_call := private.this_call(
        'set_model_weight', jsonb_build_array(p_model_type, p_version, p_weight), p_at, p_actor, p_reason, p_request_id
    );
    before public.version_change;
    status_now text;
    comparing bigint;
begin
    before := private.before_change(this);
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
    select number into comparing from public.rollouts
    where model_type = p_model_type and status in ('running', 'paused')
        and (version = p_version or document::jsonb ->> 'champion' = p_version);
    if found then
        return private.refused(format(
            'rollout-%s compares %s %s at the weight it has; wait until it is over, or abort it', comparing,
            p_model_type, p_version
        ));
    end if;
    perform private.change_value(p_model_type, p_version, 'weight', p_weight, this);
    return private.changed(p_model_type, p_version);
end $$;
