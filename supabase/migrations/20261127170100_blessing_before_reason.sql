-- A version that was taken out of service is told first that it needs a blessing, and then a reason: whoever gave the reason
-- that was asked for was refused once more.

create or replace function public.promote_model_version(
    p_model_type text, p_version text, p_at timestamptz, p_actor text, p_reason text, p_request_id uuid default null,
    p_forced boolean default false
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    this private.change_call := private.this_call(
        'promote_model_version', jsonb_build_array(p_model_type, p_version, p_forced), p_at, p_actor, p_reason,
        p_request_id
    );
    before public.version_change;
    status_now text;
    unblessed text;
    active text;
begin
    before := private.before_change(this);
    if before.status is not null then
        return before;
    end if;
    select status into status_now from public.model_versions where model_type = p_model_type and version = p_version;
    if not found then
        return private.no_such_version(p_model_type, p_version);
    elsif status_now = 'active' then
        return private.refused(format('%s %s is active already; there is nothing to promote', p_model_type, p_version));
    elsif status_now = 'archived' then
        return private.refused(format(
            '%1$s %2$s is archived and cannot be promoted; '
            '`spots-ml unarchive %1$s %2$s --reason "..."` brings it back to staging first', p_model_type, p_version
        ));
    end if;
    unblessed := private.unblessed(p_model_type, p_version, 'promoted', p_forced, p_reason);
    if unblessed is not null then
        return private.refused(unblessed);
    elsif status_now = 'deprecated' and private.says_nothing(p_reason) then
        return private.refused(format(
            '%1$s %2$s was taken out of service; say why it is promoted again: '
            '`spots-ml promote %1$s %2$s --reason "..."`', p_model_type, p_version
        ));
    end if;
    select version into active from public.model_versions where model_type = p_model_type and status = 'active';
    if found then
        perform private.change_status(p_model_type, active, 'superseded', 'active', 'deprecated', this);
    end if;
    this.forced := p_forced;
    perform private.change_status(p_model_type, p_version, 'promoted', status_now, 'active', this);
    return private.changed(p_model_type, p_version);
end $$;
