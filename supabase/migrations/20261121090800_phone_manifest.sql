-- What a phone is told, in one document and one call: which version of each model it is to use, and where the file is.
-- The caller sees of the versions what row level security lets it see. spots_ml/release/phone_manifest.py describes it.

create function public.phone_manifest() returns jsonb
language sql stable set search_path = ''
as $$
    with served as (
        select model_type, role, jsonb_build_object(
            'version', version,
            'weight', weight,
            'traffic', traffic,
            'url', '/storage/v1/object/models/' || file_path,
            'size_bytes', size_bytes,
            'sha256', sha256,
            'contract_digest', contract_digest,
            'client_runtime_floor', client_runtime_floor
        ) as document
        from public.served_models
    )
    select jsonb_build_object('format_version', 1, 'models', jsonb_object_agg(model.name, jsonb_build_object(
        'active', (select document from served where model_type = model.name and role = 'active'),
        'rolling_out', (select document from served where model_type = model.name and role = 'rolling_out')
    )))
    from (values ('calling_score'), ('outcome')) as model (name)
$$;
revoke all on function public.phone_manifest() from public, anon, authenticated, service_role;
grant execute on function public.phone_manifest() to authenticated, service_role;
