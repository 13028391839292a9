-- What answers by itself is taken back by name: two who find the same trouble take one version back, not two.

-- The active version, if it is still the one that is named, gives way to one that was active before it, whatever lies
-- between, or to none.
create function public.take_back_model_version(
    p_model_type text, p_version text, p_instead text, p_at timestamptz, p_actor text, p_reason text,
    p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    this constant private.change_call := private.this_call(
        'take_back_model_version', jsonb_build_array(p_model_type, p_version, p_instead), p_at, p_actor, p_reason,
        p_request_id
    );
    before public.version_change;
    active text;
begin
    before := private.before_change(this);
    if before.status is not null then
        return before;
    end if;
    select version into active from public.model_versions where model_type = p_model_type and status = 'active';
    if not found or active <> p_version then
        return private.refused(format(
            '%s %s is not the active version (that is %s), so it is not taken back; look again', p_model_type, p_version,
            coalesce(active, 'none')
        ));
    elsif private.says_nothing(p_reason) then
        return private.refused(format('say why %s %s is taken back', p_model_type, p_version));
    elsif p_instead is not null and not exists (
        select from unnest(private.promotions_not_undone(p_model_type)) as stacked (name)
        join public.model_versions as one on one.model_type = p_model_type and one.version = stacked.name
        where stacked.name = p_instead and one.status = 'deprecated'
    ) then
        return private.refused(format(
            '%s %s was not active before %s, or is not deprecated now, so it cannot answer in its place', p_model_type,
            p_instead, p_version
        ));
    end if;
    perform private.change_status(p_model_type, p_version, 'rolled_back', 'active', 'deprecated', this);
    if p_instead is null then
        return private.changed(p_model_type, p_version);
    end if;
    perform private.change_status(p_model_type, p_instead, 'restored', 'deprecated', 'active', this);
    return private.changed(p_model_type, p_instead);
end $$;

revoke all on function public.take_back_model_version(text, text, text, timestamptz, text, text, uuid)
    from public, anon, authenticated;
grant execute on function public.take_back_model_version(text, text, text, timestamptz, text, text, uuid)
    to service_role;
