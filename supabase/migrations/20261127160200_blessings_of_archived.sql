-- A version that was archived was put away by somebody: when it comes back it needs a blessing of after that, as one that
-- was rolled back does. Otherwise a rollout that ended because its challenger was archived would start again by itself.

create or replace function private.blessing_needed_since(p_model_type text, p_version text) returns bigint
language sql stable set search_path = ''
as $$
    select coalesce(max(sequence), 0) from public.version_history
    where model_type = p_model_type and version = p_version
        and (action in ('rolled_back', 'archived') or action = 'traffic_set' and to_value = 0)
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
            '`--force --reason "..."` steps around it', p_model_type, p_version, p_to_be, private.against(champion_now)
        );
    elsif not newest.passed then
        return format(
            '%s %s cannot be %s: compared with %s it was not good enough (%s); train it again, or step around it by '
            '`--force --reason "..."`', p_model_type, p_version, p_to_be, private.against(champion_now), newest.sentence
        );
    elsif newest.after_change < private.blessing_needed_since(p_model_type, p_version) then
        return format(
            '%1$s %2$s cannot be %3$s: it was compared with %4$s before it was taken back, and not since; '
            '`spots-ml bless %1$s %2$s` compares them, `--force --reason "..."` steps around it',
            p_model_type, p_version, p_to_be, private.against(champion_now)
        );
    end if;
    return null;
end $$;

