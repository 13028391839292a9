-- Refusals name what is to be done, and what answers by its name: a version is compared with the active one or, while none
-- is, with the formula or the outcome rule. A paused rollout that is to be widened or promoted goes on first.

create function private.against(p_champion text, p_model_type text) returns text
language sql stable set search_path = ''
as $$
    select coalesce(
        'the active ' || p_champion,
        (
            select case role when 'outcome_filter' then 'the outcome rule' else 'the formula' end
            from public.model_kinds where name = p_model_type
        )
    )
$$;

-- Why a version may not be what it is to be, beside what is active now; null: it may.
create or replace function private.unblessed(
    p_model_type text, p_version text, p_to_be text, p_forced boolean, p_reason text
) returns text
language plpgsql stable set search_path = ''
as $$
declare
    champion_now text := (
        select version from public.model_versions where model_type = p_model_type and status = 'active'
    );
    newest public.blessings;
begin
    if p_forced then
        return case when private.says_nothing(p_reason) then format(
            '%s %s is to be %s without a blessing; say why: `--force --reason "..."`', p_model_type, p_version, p_to_be
        ) end;
    end if;
    select * into newest from public.blessings
    where model_type = p_model_type and version = p_version and champion is not distinct from champion_now
    order by number desc limit 1;
    if not found then
        return format(
            '%1$s %2$s cannot be %3$s: it was never compared with %4$s; `spots-ml bless %1$s %2$s` compares them, '
            '`--force --reason "..."` steps around it', p_model_type, p_version, p_to_be, private.against(champion_now, p_model_type)
        );
    elsif not newest.passed then
        return format(
            '%s %s cannot be %s: compared with %s it was not good enough (%s); train it again, or step around it by '
            '`--force --reason "..."`', p_model_type, p_version, p_to_be, private.against(champion_now, p_model_type), newest.sentence
        );
    elsif newest.after_change < private.blessing_needed_since(p_model_type, p_version) then
        return format(
            '%1$s %2$s cannot be %3$s: it was compared with %4$s before it was taken back, and not since; '
            '`spots-ml bless %1$s %2$s` compares them, `--force --reason "..."` steps around it',
            p_model_type, p_version, p_to_be, private.against(champion_now, p_model_type)
        );
    end if;
    return null;
end $$;

-- Keeps a blessing; one that is sent again with its id is kept once.
create or replace function public.bless_model_version(
    p_document text, p_at timestamptz, p_actor text, p_request_id uuid
) returns public.blessing_given
language plpgsql security definer set search_path = ''
as $$
declare
    about constant jsonb := p_document::jsonb;
    kept public.blessings;
    status_now text;
    champion_now text;
    refusal text;
begin
    if p_at is null or not isfinite(p_at) then
        refusal := format('the moment of the change is %s; expected one of the calendar', p_at);
    elsif not private.is_line(p_actor) then
        refusal := 'the actor has more than 1,000 characters, or some that cannot be printed; expected one line of text';
    end if;
    if refusal is not null then
        return ('refused', refusal, null)::public.blessing_given;
    end if;
    perform private.lock_registry();
    select * into kept from public.blessings where request_id = p_request_id;
    if found then
        if (kept.document, kept.at, kept.actor) is distinct from (p_document, p_at, p_actor) then
            return ('refused', format(
                'the request id %s belongs to another request; send this one with an id of its own', p_request_id
            ), null)::public.blessing_given;
        end if;
        return private.blessing_kept(kept);
    end if;
    select status into status_now from public.model_versions
    where model_type = about ->> 'model_type' and version = about ->> 'version';
    if not found then
        return ('refused', (private.no_such_version(about ->> 'model_type', about ->> 'version')).reason, null)
            ::public.blessing_given;
    elsif status_now not in ('staging', 'deprecated') then
        return ('refused', format(
            '%s %s is %s; only a staging or a deprecated version is blessed', about ->> 'model_type', about ->> 'version',
            status_now
        ), null)::public.blessing_given;
    end if;
    select version into champion_now from public.model_versions
    where model_type = about ->> 'model_type' and status = 'active';
    if champion_now is distinct from about ->> 'champion' then
        return ('refused', format(
            '%1$s %2$s was compared with %3$s, and by now %4$s answers; `spots-ml bless %1$s %2$s` compares it anew',
            about ->> 'model_type', about ->> 'version', private.against(about ->> 'champion', about ->> 'model_type'),
            private.against(champion_now, about ->> 'model_type')
        ), null)::public.blessing_given;
    end if;
    insert into public.blessings (after_change, at, actor, request_id, digest, document)
    select coalesce(max(sequence), 0), p_at, p_actor, p_request_id,
        encode(sha256(convert_to(p_document, 'UTF8')), 'hex'), p_document
    from public.version_history
    returning * into kept;
    return private.blessing_kept(kept);
end $$;

-- Why a change cannot follow; null: it can.
create or replace function private.step_refusal(p_rollout public.rollouts, p_action text, p_cause text, p_reason text)
returns text
language sql stable set search_path = ''
as $$
    select case
        when not exists (
            select from private.rollout_transitions
            where action = p_action and from_status = p_rollout.status
        ) then format('rollout-%s is %s and cannot be %s', p_rollout.number, p_rollout.status, p_action) || case
            when p_rollout.status = 'paused' and p_action in ('widened', 'promoted') then format(
                '; `spots-ml rollout resume %s --reason "..."` lets it go on first', p_rollout.model_type
            )
            else ''
        end
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

drop function private.against(text);
revoke all on function private.against(text, text) from public, anon, authenticated, service_role;
