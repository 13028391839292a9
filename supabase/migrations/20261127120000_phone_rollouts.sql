-- What a phone is told of a version that is rolled out: whom it is for, and with which weight it answers them. A rollout of
-- a weight is of the active version. The salt decides who is treated; nobody who is not signed in is told it, and the
-- tables of rollouts stay closed.

create function private.rollouts_on_their_way() returns table (
    model_type text, version text, experiment text, stage integer, salt text, traffic double precision,
    weight double precision
)
language sql stable security definer set search_path = ''
as $$
    select one.model_type, one.version, 'rollout-' || one.number, one.stage::integer, one.salt,
        private.share_of_stage(one, one.stage), (one.document::jsonb ->> 'weight')::double precision
    from public.rollouts as one
    where one.status in ('running', 'paused')
$$;
revoke all on function private.rollouts_on_their_way() from public, anon, authenticated, service_role;
grant execute on function private.rollouts_on_their_way() to authenticated, service_role;

-- As before, but for what is rolled out: a version with traffic that no rollout gave it is offered to nobody, because
-- nothing says whom.
create or replace function public.phone_manifest() returns jsonb
language sql stable set search_path = ''
as $$
    with served as (
        select model_type, version, role, jsonb_build_object(
            'version', version,
            'weight', weight,
            'traffic', traffic,
            'filter_on', filter_on,
            'url', '/storage/v1/object/models/' || file_path,
            'size_bytes', size_bytes,
            'sha256', sha256,
            'contract_digest', contract_digest,
            'client_runtime_floor', client_runtime_floor
        ) as document
        from public.served_models
    ), offered as (
        select rolled.model_type, served.document || jsonb_build_object(
            'weight', rolled.weight,
            'traffic', rolled.traffic,
            'experiment', rolled.experiment,
            'stage', rolled.stage,
            'salt', rolled.salt
        ) as document
        from private.rollouts_on_their_way() as rolled
        join served on served.model_type = rolled.model_type and served.version = rolled.version
    )
    select jsonb_build_object('format_version', 2, 'models', jsonb_object_agg(kind.name, jsonb_build_object(
        'active', (select document from served where model_type = kind.name and role = 'active'),
        'rolling_out', (select document from offered where model_type = kind.name)
    )))
    from public.model_kinds as kind
    where kind.audience = 'phone'
$$;
