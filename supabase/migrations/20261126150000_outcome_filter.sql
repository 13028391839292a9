-- An outcome model whose filter would take away too many calls is registered with the filter off: it says how probable a
-- positive outcome is, and blocks nothing. The phone is told beside the version.

alter table public.model_versions add column filter_on boolean not null default true;
grant select (filter_on) on public.model_versions to authenticated;

create or replace view public.served_models with (security_invoker = true) as
select model_type, version,
    case status when 'active' then 'active' else 'rolling_out' end as role,
    weight, traffic, file_path, size_bytes, sha256, contract_digest, client_runtime_floor, filter_on
from public.model_versions
where file_path is not null and (status = 'active' or (status = 'staging' and traffic > 0))
    and exists (select 1 from public.model_kinds as kind where kind.name = model_type and kind.audience = 'phone');

create or replace function public.phone_manifest() returns jsonb
language sql stable set search_path = ''
as $$
    with served as (
        select model_type, role, jsonb_build_object(
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
    )
    select jsonb_build_object('format_version', 1, 'models', jsonb_object_agg(kind.name, jsonb_build_object(
        'active', (select document from served where model_type = kind.name and role = 'active'),
        'rolling_out', (select document from served where model_type = kind.name and role = 'rolling_out')
    )))
    from public.model_kinds as kind
    where kind.audience = 'phone'
$$;

create or replace function public.register_model_version(
    p_content jsonb, p_watermark text, p_at timestamptz, p_actor text, p_file_path text default null,
    p_size_bytes bigint default null, p_client_runtime_floor text default null, p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    fields constant text[] := array[
        'model_type', 'version', 'content_digest', 'sha256', 'manifest_sha256', 'contract_digest', 'dataset_digest',
        'source_kind', 'source', 'n_labelled', 'metrics'
    ];
    -- A program that does not know of it registers no filter that is off.
    optional constant text[] := array['filter_on'];
    content constant jsonb := private.document(p_content);
    given public.model_versions;
    known public.model_versions;
    kind public.model_kinds;
    this private.change_call := private.this_call(
        'register_model_version',
        jsonb_build_array(content, p_watermark, p_file_path, p_size_bytes, p_client_runtime_floor),
        p_at, p_actor, '', p_request_id
    );
    before public.version_change;
begin
    if jsonb_typeof(content) is distinct from 'object' then
        return private.refused('the content of a version is no JSON object');
    elsif not (content ?& fields) or content - fields - optional <> '{}'::jsonb then
        return private.refused(format(
            'the content of a version has the fields %s; expected are %s. Apply the migrations of the program that sent it',
            (select string_agg(key, ', ' order by key) from jsonb_object_keys(content) as key),
            array_to_string(fields, ', ')
        ));
    end if;
    select * into kind from public.model_kinds where name = content ->> 'model_type';
    if not found then
        return private.refused(format(
            'there is no kind of model %s; known are %s. Apply the migrations of the program that sent it',
            coalesce(content ->> 'model_type', 'null'), (select string_agg(name, ', ' order by name) from public.model_kinds)
        ));
    end if;
    before := private.before_change(this);
    if before.status is not null then
        return before;
    end if;
    given := jsonb_populate_record(null::public.model_versions, content);
    select * into known from public.model_versions
    where model_type = given.model_type and content_digest = given.content_digest;
    if found then
        -- The same model may come in another file, made by a later program: the version stays what it is.
        if given.sha256 is distinct from known.sha256 then
            p_file_path := null;
            p_size_bytes := null;
            p_client_runtime_floor := null;
        end if;
        if known.status = 'archived' then
            this.reason := 'the same content was registered again';
            perform private.change_status(known.model_type, known.version, 'unarchived', 'archived', 'staging', this);
            this.reason := '';
            known.status := 'staging';
        end if;
        update public.model_versions
        set last_registered_at = p_at, updated_at = p_at, watermark = coalesce(p_watermark, watermark),
            file_path = coalesce(file_path, p_file_path), size_bytes = coalesce(size_bytes, p_size_bytes),
            client_runtime_floor = coalesce(client_runtime_floor, p_client_runtime_floor)
        where registered_order = known.registered_order;
        perform private.note_change(known.model_type, known.version, 'reaffirmed', known.status, known.status, this);
        return private.changed(known.model_type, known.version);
    end if;
    perform 1 from public.model_versions where model_type = given.model_type and version = given.version;
    if found then
        return private.refused(format(
            'the name %s of %s belongs to something else by now (another registered version); '
            'materialise onnx_model again: it is built with the next free name', given.version, given.model_type
        ));
    end if;
    insert into public.model_versions (
        model_type, version, content_digest, sha256, manifest_sha256, contract_digest, dataset_digest, source_kind,
        source, n_labelled, metrics, file_path, size_bytes, client_runtime_floor, status, weight, traffic, created_at,
        updated_at, last_registered_at, watermark, filter_on
    ) values (
        given.model_type, given.version, given.content_digest, given.sha256, given.manifest_sha256,
        given.contract_digest, given.dataset_digest, given.source_kind, given.source, given.n_labelled, given.metrics,
        p_file_path, p_size_bytes, p_client_runtime_floor, 'staging', kind.initial_weight, 0, p_at, p_at, p_at, p_watermark,
        coalesce(given.filter_on, true)
    );
    perform private.note_change(given.model_type, given.version, 'registered', null, 'staging', this);
    return private.changed(given.model_type, given.version, true);
end $$;
