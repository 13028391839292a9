-- Which kinds of models there are. spots_ml/models declares them; a further kind is one more row here, in a migration of
-- its own, and nothing else in the database: what depends on the kind asks this table.

create table public.model_kinds (
    name text primary key check (name ~ '^[a-z][a-z0-9_]{0,39}$'),
    -- Who is given the files of its versions.
    audience text not null check (audience in ('phone', 'server')),
    -- What a decision makes of its answers.
    role text not null check (role in ('neural_score', 'outcome_filter', 'none')),
    -- The weight of a version that nobody has trusted further yet.
    initial_weight double precision not null check (initial_weight between 0 and 1)
);
create unique index one_kind_per_role on public.model_kinds (role) where role <> 'none';
insert into public.model_kinds (name, audience, role, initial_weight) values
    ('calling_score', 'phone', 'neural_score', 0.1),
    ('outcome', 'phone', 'outcome_filter', 0.1);

alter table public.model_kinds enable row level security;
revoke all on public.model_kinds from public, anon, authenticated, service_role;
grant select on public.model_kinds to service_role;
-- The phone sees for which kinds there may be a file for it.
grant select (name, audience) on public.model_kinds to authenticated;
create policy kinds_of_the_phone on public.model_kinds for select to authenticated using (audience = 'phone');

alter table public.model_versions drop constraint model_versions_model_type_check;
alter table public.model_versions
    add constraint model_versions_model_type_fkey foreign key (model_type) references public.model_kinds (name);

drop policy versions_the_phone_may_be_given on public.model_versions;
create policy versions_the_phone_may_be_given on public.model_versions for select to authenticated
    using (
        file_path is not null
        and (status = 'active' or (status = 'staging' and traffic > 0))
        and exists (select 1 from public.model_kinds as kind where kind.name = model_type and kind.audience = 'phone')
    );

create or replace view public.served_models with (security_invoker = true) as
select model_type, version,
    case status when 'active' then 'active' else 'rolling_out' end as role,
    weight, traffic, file_path, size_bytes, sha256, contract_digest, client_runtime_floor
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
    content constant jsonb := private.document(p_content);
    given public.model_versions;
    known public.model_versions;
    kind public.model_kinds;
    before public.version_change;
begin
    if jsonb_typeof(content) is distinct from 'object' then
        return private.refused('the content of a version is no JSON object');
    elsif not (content ?& fields) or content - fields <> '{}'::jsonb then
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
    perform private.lock_registry();
    before := private.answered(p_request_id);
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
        update public.model_versions
        set last_registered_at = p_at, updated_at = p_at, watermark = coalesce(p_watermark, watermark),
            file_path = coalesce(file_path, p_file_path), size_bytes = coalesce(size_bytes, p_size_bytes),
            client_runtime_floor = coalesce(client_runtime_floor, p_client_runtime_floor)
        where registered_order = known.registered_order;
        insert into public.version_history
            (at, model_type, version, action, from_status, to_status, actor, reason, request_id)
        values (p_at, known.model_type, known.version, 'reaffirmed', known.status, known.status, p_actor, '', p_request_id);
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
        updated_at, last_registered_at, watermark
    ) values (
        given.model_type, given.version, given.content_digest, given.sha256, given.manifest_sha256,
        given.contract_digest, given.dataset_digest, given.source_kind, given.source, given.n_labelled, given.metrics,
        p_file_path, p_size_bytes, p_client_runtime_floor, 'staging', kind.initial_weight, 0, p_at, p_at, p_at, p_watermark
    );
    insert into public.version_history
        (at, model_type, version, action, from_status, to_status, actor, reason, request_id)
    values (p_at, given.model_type, given.version, 'registered', null, 'staging', p_actor, '', p_request_id);
    return private.changed(given.model_type, given.version, true);
end $$;
