-- The life of a version, as spots_ml/registry/lifecycle.py has it; the words of a refusal are the same there.
-- Every function locks, checks, changes and answers with one row: ok and the version as it is now, or refused and why.
-- A call with the request id of an earlier one changes nothing and answers as that one did: it may be sent again.

create type public.version_change as (status text, reason text, created boolean, version jsonb);

-- One change of the registry at a time: the row stays locked until the transaction ends.
create table private.registry (only_row boolean primary key default true check (only_row));
insert into private.registry default values;
alter table private.registry enable row level security;
revoke all on private.registry from public, anon, authenticated, service_role;

create function private.lock_registry() returns void
language plpgsql set search_path = ''
as $$
begin
    perform 1 from private.registry for update;
    perform 1 from public.model_versions order by registered_order for update;
end $$;

create function private.refused(p_reason text) returns public.version_change
language sql immutable set search_path = ''
as $$ select ('refused', p_reason, false, null)::public.version_change $$;

create function private.changed(p_model_type text, p_version text, p_created boolean default false)
returns public.version_change
language sql stable set search_path = '' set timezone = 'UTC'
as $$
    select ('ok', '', p_created, to_jsonb(one))::public.version_change from public.model_versions as one
    where one.model_type = p_model_type and one.version = p_version
$$;

-- What an earlier call with this request id led to; null: there was none.
create function private.answered(p_request_id uuid) returns public.version_change
language plpgsql stable set search_path = ''
as $$
declare last record;
begin
    select model_type, version, action = 'registered' as created into last from public.version_history
    where request_id = p_request_id order by sequence desc limit 1;
    if not found then
        select model_type, version, false as created into last from public.rollout_steps
        where request_id = p_request_id order by sequence desc limit 1;
    end if;
    if not found then
        return null;
    end if;
    return private.changed(last.model_type, last.version, last.created);
end $$;

create function private.no_such_version(p_model_type text, p_version text) returns public.version_change
language sql stable set search_path = ''
as $$
    select private.refused(format('there is no %s %s; registered are: %s', p_model_type, p_version, coalesce(
        (select string_agg(version, ', ' order by registered_order) from public.model_versions
        where model_type = p_model_type), 'none yet'
    )))
$$;

create function private.change_status(
    p_model_type text, p_version text, p_action text, p_from text, p_to text, p_at timestamptz, p_actor text,
    p_reason text, p_request_id uuid
) returns void
language plpgsql set search_path = ''
as $$
begin
    update public.model_versions
    set status = p_to, updated_at = p_at, traffic = case p_to when 'active' then 1 else 0 end
    where model_type = p_model_type and version = p_version and status = p_from;
    if not found then
        raise exception '% % is no longer %', p_model_type, p_version, p_from using errcode = 'serialization_failure';
    end if;
    insert into public.version_history
        (at, model_type, version, action, from_status, to_status, actor, reason, request_id)
    values (p_at, p_model_type, p_version, p_action, p_from, p_to, p_actor, p_reason, p_request_id);
end $$;

-- The versions that were active before the active one, nearest first: promotions are stacked, a rollback takes the
-- active version off the stack with all that it passed over.
create function private.predecessors(p_model_type text) returns text[]
language plpgsql stable set search_path = ''
as $$
declare
    entry record;
    stack text[] := array[]::text[];
begin
    for entry in
        select version, action from public.version_history
        where model_type = p_model_type and action in ('promoted', 'restored') order by sequence
    loop
        if entry.action = 'promoted' then
            stack := stack || entry.version;
        else
            stack := stack[:array_position(stack, entry.version)];
        end if;
    end loop;
    return (
        select coalesce(array_agg(name order by place desc), array[]::text[])
        from unnest(stack) with ordinality as stacked (name, place) where place < cardinality(stack)
    );
end $$;

create function public.register_model_version(
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
        p_file_path, p_size_bytes, p_client_runtime_floor, 'staging', 0.1, 0, p_at, p_at, p_at, p_watermark
    );
    insert into public.version_history
        (at, model_type, version, action, from_status, to_status, actor, reason, request_id)
    values (p_at, given.model_type, given.version, 'registered', null, 'staging', p_actor, '', p_request_id);
    return private.changed(given.model_type, given.version, true);
end $$;

create function public.promote_model_version(
    p_model_type text, p_version text, p_at timestamptz, p_actor text, p_reason text, p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    before public.version_change;
    status_now text;
    active text;
begin
    perform private.lock_registry();
    before := private.answered(p_request_id);
    if before.status is not null then
        return before;
    end if;
    select status into status_now from public.model_versions
    where model_type = p_model_type and version = p_version;
    if not found then
        return private.no_such_version(p_model_type, p_version);
    elsif status_now = 'active' then
        return private.refused(format('%s %s is active already; there is nothing to promote', p_model_type, p_version));
    elsif status_now <> 'staging' then
        return private.refused(format(
            '%s %s is %s; only a staging version can be promoted. '
            'A deprecated version comes back by `spots-ml rollback %s`',
            p_model_type, p_version, status_now, p_model_type
        ));
    end if;
    select version into active from public.model_versions where model_type = p_model_type and status = 'active';
    if found then
        perform private.change_status(
            p_model_type, active, 'superseded', 'active', 'deprecated', p_at, p_actor, p_reason, p_request_id
        );
    end if;
    perform private.change_status(
        p_model_type, p_version, 'promoted', 'staging', 'active', p_at, p_actor, p_reason, p_request_id
    );
    return private.changed(p_model_type, p_version);
end $$;

create function public.rollback_model_version(
    p_model_type text, p_at timestamptz, p_actor text, p_reason text, p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    before public.version_change;
    active text;
    earlier text;
begin
    perform private.lock_registry();
    before := private.answered(p_request_id);
    if before.status is not null then
        return before;
    end if;
    select version into active from public.model_versions where model_type = p_model_type and status = 'active';
    if not found then
        return private.refused(format(
            'no version of %s is active, so there is nothing to roll back; promote one instead', p_model_type
        ));
    end if;
    select one.version into earlier
    from unnest(private.predecessors(p_model_type)) with ordinality as stacked (name, place)
    join public.model_versions as one on one.model_type = p_model_type and one.version = stacked.name
    where one.status = 'deprecated' order by stacked.place limit 1;
    if not found then
        return private.refused(format(
            'before %s %s no version was active that could take over; promote a staging version instead',
            p_model_type, active
        ));
    end if;
    perform private.change_status(
        p_model_type, active, 'rolled_back', 'active', 'deprecated', p_at, p_actor, p_reason, p_request_id
    );
    perform private.change_status(
        p_model_type, earlier, 'restored', 'deprecated', 'active', p_at, p_actor, p_reason, p_request_id
    );
    return private.changed(p_model_type, earlier);
end $$;

create function public.archive_model_version(
    p_model_type text, p_version text, p_at timestamptz, p_actor text, p_reason text, p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    before public.version_change;
    status_now text;
begin
    perform private.lock_registry();
    before := private.answered(p_request_id);
    if before.status is not null then
        return before;
    end if;
    select status into status_now from public.model_versions
    where model_type = p_model_type and version = p_version;
    if not found then
        return private.no_such_version(p_model_type, p_version);
    elsif status_now = 'active' then
        return private.refused(format(
            '%s %s is active and cannot be archived; promote another version or roll back first',
            p_model_type, p_version
        ));
    elsif status_now = 'archived' then
        return private.refused(format('%s %s is archived already', p_model_type, p_version));
    end if;
    perform private.change_status(
        p_model_type, p_version, 'archived', status_now, 'archived', p_at, p_actor, p_reason, p_request_id
    );
    return private.changed(p_model_type, p_version);
end $$;

-- A staging version is offered to a share of the hybrid group; 0 takes it back. Promotion and archiving end a rollout.
create function public.set_rollout_traffic(
    p_model_type text, p_version text, p_traffic double precision, p_at timestamptz, p_actor text, p_reason text,
    p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    before public.version_change;
    found_version public.model_versions;
    other text;
begin
    perform private.lock_registry();
    before := private.answered(p_request_id);
    if before.status is not null then
        return before;
    end if;
    if p_traffic is null or not p_traffic between 0 and 1 then
        return private.refused(format('the traffic %s is no share; expected a number in [0, 1]', p_traffic));
    end if;
    select * into found_version from public.model_versions where model_type = p_model_type and version = p_version;
    if not found then
        return private.no_such_version(p_model_type, p_version);
    elsif found_version.status <> 'staging' then
        return private.refused(format(
            '%s %s is %s; only a staging version is rolled out', p_model_type, p_version, found_version.status
        ));
    end if;
    select version into other from public.model_versions
    where model_type = p_model_type and status = 'staging' and traffic > 0 and version <> p_version;
    if found and p_traffic > 0 then
        return private.refused(format(
            '%s %s is being rolled out; promote it, archive it or take its traffic back first', p_model_type, other
        ));
    end if;
    update public.model_versions set traffic = p_traffic, updated_at = p_at
    where registered_order = found_version.registered_order;
    insert into public.rollout_steps (at, model_type, version, from_traffic, to_traffic, actor, reason, request_id)
    values (p_at, p_model_type, p_version, found_version.traffic, p_traffic, p_actor, p_reason, p_request_id);
    return private.changed(p_model_type, p_version);
end $$;

revoke all on function private.lock_registry(), private.refused(text), private.changed(text, text, boolean),
    private.answered(uuid), private.no_such_version(text, text), private.predecessors(text),
    private.change_status(text, text, text, text, text, timestamptz, text, text, uuid)
    from public, anon, authenticated, service_role;
revoke all on function
    public.register_model_version(jsonb, text, timestamptz, text, text, bigint, text, uuid),
    public.promote_model_version(text, text, timestamptz, text, text, uuid),
    public.rollback_model_version(text, timestamptz, text, text, uuid),
    public.archive_model_version(text, text, timestamptz, text, text, uuid),
    public.set_rollout_traffic(text, text, double precision, timestamptz, text, text, uuid)
    from public, anon, authenticated;
grant execute on function
    public.register_model_version(jsonb, text, timestamptz, text, text, bigint, text, uuid),
    public.promote_model_version(text, text, timestamptz, text, text, uuid),
    public.rollback_model_version(text, timestamptz, text, text, uuid),
    public.archive_model_version(text, text, timestamptz, text, text, uuid),
    public.set_rollout_traffic(text, text, double precision, timestamptz, text, text, uuid)
    to service_role;
