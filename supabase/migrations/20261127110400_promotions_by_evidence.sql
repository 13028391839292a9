-- The error budget grows by promotions that evidence made; one by hand has found nothing. A rollout gets its part of the
-- budget and no other level: spots_ml/experiments/budget.py has the sequence.

create or replace function private.rollout_now(p_number bigint) returns public.rollout_change
language sql stable set search_path = '' set timezone = 'UTC'
as $$
    select ('ok', '', to_jsonb(one) || jsonb_build_object('promoted_by', (
        select event.cause from public.rollout_events as event
        where event.rollout = one.number and event.action = 'promoted'
    )))::public.rollout_change
    from public.rollouts as one where one.number = p_number
$$;

-- Why a rollout cannot start where things stand as they do; its status is null where it can.
create or replace function private.start_refusal(p_start jsonb) returns public.rollout_change
language plpgsql stable set search_path = ''
as $$
declare
    model constant text := p_start ->> 'model_type';
    n_before bigint;
    n_promoted bigint;
    level double precision;
    busy public.rollouts;
    used bigint;
    challenger public.model_versions;
    champion text;
begin
    select count(*), count(*) filter (where exists (
        select from public.rollout_events as event
        where event.rollout = one.number and event.action = 'promoted' and event.cause = 'evidence'
    )) into n_before, n_promoted from public.rollouts as one;
    if n_before <> (p_start ->> 'n_before')::bigint or n_promoted <> (p_start ->> 'n_promoted_before')::bigint then
        return private.rollout_refused(format(
            'there were %s rollouts before, %s of them promoted by evidence, and the start names %s and %s; nothing was '
            'changed, look again', n_before, n_promoted, p_start ->> 'n_before', p_start ->> 'n_promoted_before'
        ), 'changed');
    end if;
    level := (p_start -> 'policy' ->> 'lifetime_level')::double precision * (n_promoted + 1)
        / ((n_before + 1) * power(ln(n_before + 2.0::double precision), 1.5) * 4.078932);
    if abs((p_start ->> 'level')::double precision - level) > 1e-9 * level then
        return private.rollout_refused(format(
            'the level of %s %s is not its part of the error budget; expected what `budget.level_at` says of the rollouts '
            'before it', model, p_start ->> 'version'
        ));
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
