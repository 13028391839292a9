-- Every status of a version has its way back, as spots_ml/registry/lifecycle.py has it, whose words a refusal uses. A
-- request id is bound to its whole request: for another one it is refused.

-- Every change there is: what the history calls it, the status before (null: there was no version) and after.
create table private.version_transitions (
    number smallint generated always as identity primary key,
    action text not null,
    from_status text,
    to_status text not null,
    unique nulls not distinct (action, from_status, to_status)
);
insert into private.version_transitions (action, from_status, to_status) values
    ('registered', null, 'staging'),
    ('reaffirmed', 'staging', 'staging'),
    ('reaffirmed', 'active', 'active'),
    ('reaffirmed', 'deprecated', 'deprecated'),
    ('promoted', 'staging', 'active'),
    ('promoted', 'deprecated', 'active'),
    ('superseded', 'active', 'deprecated'),
    ('rolled_back', 'active', 'deprecated'),
    ('restored', 'deprecated', 'active'),
    ('withdrawn', 'active', 'deprecated'),
    ('archived', 'staging', 'archived'),
    ('archived', 'deprecated', 'archived'),
    ('unarchived', 'archived', 'staging'),
    ('weight_set', 'staging', 'staging'),
    ('weight_set', 'active', 'active'),
    ('traffic_set', 'staging', 'staging');
alter table private.version_transitions enable row level security;
revoke all on private.version_transitions from public, anon, authenticated, service_role;

alter table public.version_history
    -- SHA-256 of the request whose id it has; null: it was made before requests were told apart.
    add column request_digest text,
    drop constraint version_history_action_check,
    add constraint version_history_action_check check (action in (
        'registered', 'reaffirmed', 'promoted', 'superseded', 'rolled_back', 'restored', 'withdrawn', 'archived',
        'unarchived', 'weight_set', 'traffic_set'
    ));

create function private.only_transitions() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if not exists (
        select 1 from private.version_transitions as allowed
        where allowed.action = new.action and allowed.from_status is not distinct from new.from_status
            and allowed.to_status = new.to_status
    ) then
        raise exception '% cannot be % from % to %', new.version, new.action, new.from_status, new.to_status
            using errcode = 'check_violation';
    end if;
    return new;
end $$;

create trigger only_transitions before insert on public.version_history
    for each row execute function private.only_transitions();

-- Who changes the registry, when and why, and by which request.
create type private.change_call as (
    at timestamptz, actor text, reason text, request_id uuid, request_digest text
);

create function private.this_call(
    p_function text, p_arguments jsonb, p_at timestamptz, p_actor text, p_reason text, p_request_id uuid
) returns private.change_call
language sql stable set search_path = ''
as $$
    select (p_at, p_actor, p_reason, p_request_id, encode(sha256(convert_to(
        jsonb_build_array(p_function, p_arguments, extract(epoch from p_at), p_actor, p_reason)::text, 'UTF8'
    )), 'hex'))::private.change_call
$$;

drop function private.answered(uuid);

-- Locks, and answers for what is not to be changed: a moment that no calendar has, or a request that was made before. Its
-- status is null where the change is to be made.
create function private.before_change(p_call private.change_call) returns public.version_change
language plpgsql set search_path = ''
as $$
declare last public.version_history;
begin
    if p_call.at is null or not isfinite(p_call.at) then
        return private.refused(format('the moment of the change is %s; expected one of the calendar', p_call.at));
    end if;
    perform private.lock_registry();
    select * into last from public.version_history
    where request_id = p_call.request_id order by sequence desc limit 1;
    if not found then
        return null;
    elsif last.request_digest is distinct from p_call.request_digest then
        return private.refused(format(
            'the request id %s belongs to another request, which left %s %s %s; send this one with an id of its own',
            p_call.request_id, last.model_type, last.version, last.to_status
        ));
    end if;
    return private.changed(last.model_type, last.version, last.action = 'registered');
end $$;

create function private.says_nothing(p_reason text) returns boolean
language sql immutable set search_path = ''
as $$ select coalesce(p_reason, '') !~ '[^[:space:]]' $$;

create function private.note_change(
    p_model_type text, p_version text, p_action text, p_from text, p_to text, p_call private.change_call,
    p_from_value double precision default null, p_to_value double precision default null
) returns void
language sql set search_path = ''
as $$
    insert into public.version_history (
        at, model_type, version, action, from_status, to_status, actor, reason, request_id, request_digest, from_value,
        to_value
    ) values (
        p_call.at, p_model_type, p_version, p_action, p_from, p_to, p_call.actor, p_call.reason, p_call.request_id,
        p_call.request_digest, p_from_value, p_to_value
    )
$$;

drop function private.change_status(text, text, text, text, text, timestamptz, text, text, uuid);
create function private.change_status(
    p_model_type text, p_version text, p_action text, p_from text, p_to text, p_call private.change_call
) returns void
language plpgsql set search_path = ''
as $$
begin
    update public.model_versions
    set status = p_to, updated_at = p_call.at, traffic = case p_to when 'active' then 1 else 0 end
    where model_type = p_model_type and version = p_version and status = p_from;
    if not found then
        raise exception '% % is no longer %', p_model_type, p_version, p_from using errcode = 'serialization_failure';
    end if;
    perform private.note_change(p_model_type, p_version, p_action, p_from, p_to, p_call);
end $$;

-- A number that changes while the status stays; p_column is weight or traffic.
drop function private.change_value(text, text, text, double precision, timestamptz, text, text, uuid);
create function private.change_value(
    p_model_type text, p_version text, p_column text, p_value double precision, p_call private.change_call
) returns void
language plpgsql set search_path = ''
as $$
declare known public.model_versions;
begin
    select * into strict known from public.model_versions where model_type = p_model_type and version = p_version;
    update public.model_versions
    set weight = case p_column when 'weight' then p_value else weight end,
        traffic = case p_column when 'traffic' then p_value else traffic end,
        updated_at = p_call.at
    where registered_order = known.registered_order;
    perform private.note_change(
        p_model_type, p_version, p_column || '_set', known.status, known.status, p_call,
        case p_column when 'weight' then known.weight else known.traffic end, p_value
    );
end $$;

-- Which versions were active one after the other, up to the one that is active now: promotions are stacked, a rollback
-- takes the active version off the stack with all that it passed over. Before a promotion that found nothing active there
-- was no version.
drop function private.predecessors(text);
create function private.promotions_not_undone(p_model_type text) returns text[]
language plpgsql stable set search_path = ''
as $$
declare
    entry record;
    stack text[] := array[]::text[];
    below text[];
    answers boolean := false;
begin
    for entry in
        select version, action from public.version_history where model_type = p_model_type order by sequence
    loop
        case entry.action
            when 'promoted' then
                stack := case when answers then stack else array[]::text[] end || entry.version;
                answers := true;
            when 'restored' then
                below := stack[:cardinality(stack) - 1];
                stack := below[:(
                    select max(place) from generate_subscripts(below, 1) as place where below[place] = entry.version
                )];
                answers := true;
            when 'rolled_back', 'withdrawn' then
                answers := false;
            else null;
        end case;
    end loop;
    return case when answers then stack else array[]::text[] end;
end $$;

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
    this private.change_call := private.this_call(
        'register_model_version',
        jsonb_build_array(content, p_watermark, p_file_path, p_size_bytes, p_client_runtime_floor),
        p_at, p_actor, '', p_request_id
    );
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
        updated_at, last_registered_at, watermark
    ) values (
        given.model_type, given.version, given.content_digest, given.sha256, given.manifest_sha256,
        given.contract_digest, given.dataset_digest, given.source_kind, given.source, given.n_labelled, given.metrics,
        p_file_path, p_size_bytes, p_client_runtime_floor, 'staging', kind.initial_weight, 0, p_at, p_at, p_at, p_watermark
    );
    perform private.note_change(given.model_type, given.version, 'registered', null, 'staging', this);
    return private.changed(given.model_type, given.version, true);
end $$;

create or replace function public.promote_model_version(
    p_model_type text, p_version text, p_at timestamptz, p_actor text, p_reason text, p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    this constant private.change_call := private.this_call(
        'promote_model_version', jsonb_build_array(p_model_type, p_version), p_at, p_actor, p_reason, p_request_id
    );
    before public.version_change;
    status_now text;
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
    perform private.change_status(p_model_type, p_version, 'promoted', status_now, 'active', this);
    return private.changed(p_model_type, p_version);
end $$;

-- What answered before the active version answers again; where no version did, nothing is active afterwards.
create or replace function public.rollback_model_version(
    p_model_type text, p_at timestamptz, p_actor text, p_reason text, p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    this constant private.change_call := private.this_call(
        'rollback_model_version', jsonb_build_array(p_model_type), p_at, p_actor, p_reason, p_request_id
    );
    before public.version_change;
    active text;
    earlier text;
begin
    before := private.before_change(this);
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
    from unnest(private.promotions_not_undone(p_model_type)) with ordinality as stacked (name, place)
    join public.model_versions as one on one.model_type = p_model_type and one.version = stacked.name
    where one.status = 'deprecated' order by stacked.place desc limit 1;
    perform private.change_status(p_model_type, active, 'rolled_back', 'active', 'deprecated', this);
    if earlier is null then
        return private.changed(p_model_type, active);
    end if;
    perform private.change_status(p_model_type, earlier, 'restored', 'deprecated', 'active', this);
    return private.changed(p_model_type, earlier);
end $$;

-- The active version is taken out of service with nothing in its place.
create or replace function public.withdraw_model_version(
    p_model_type text, p_at timestamptz, p_actor text, p_reason text, p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    this constant private.change_call := private.this_call(
        'withdraw_model_version', jsonb_build_array(p_model_type), p_at, p_actor, p_reason, p_request_id
    );
    before public.version_change;
    active text;
begin
    before := private.before_change(this);
    if before.status is not null then
        return before;
    end if;
    select version into active from public.model_versions where model_type = p_model_type and status = 'active';
    if not found then
        return private.refused(format(
            'no version of %s is active, so there is nothing to withdraw', p_model_type
        ));
    end if;
    perform private.change_status(p_model_type, active, 'withdrawn', 'active', 'deprecated', this);
    return private.changed(p_model_type, active);
end $$;

create or replace function public.archive_model_version(
    p_model_type text, p_version text, p_at timestamptz, p_actor text, p_reason text, p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    this constant private.change_call := private.this_call(
        'archive_model_version', jsonb_build_array(p_model_type, p_version), p_at, p_actor, p_reason, p_request_id
    );
    before public.version_change;
    status_now text;
begin
    before := private.before_change(this);
    if before.status is not null then
        return before;
    end if;
    select status into status_now from public.model_versions where model_type = p_model_type and version = p_version;
    if not found then
        return private.no_such_version(p_model_type, p_version);
    elsif status_now = 'active' then
        return private.refused(format(
            '%1$s %2$s is active and cannot be archived; promote another version, or take it out of service by '
            '`spots-ml rollback %1$s` or `spots-ml withdraw %1$s`', p_model_type, p_version
        ));
    elsif status_now = 'archived' then
        return private.refused(format('%s %s is archived already', p_model_type, p_version));
    end if;
    perform private.change_status(p_model_type, p_version, 'archived', status_now, 'archived', this);
    return private.changed(p_model_type, p_version);
end $$;

create or replace function public.unarchive_model_version(
    p_model_type text, p_version text, p_at timestamptz, p_actor text, p_reason text, p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    this constant private.change_call := private.this_call(
        'unarchive_model_version', jsonb_build_array(p_model_type, p_version), p_at, p_actor, p_reason, p_request_id
    );
    before public.version_change;
    status_now text;
begin
    before := private.before_change(this);
    if before.status is not null then
        return before;
    end if;
    select status into status_now from public.model_versions where model_type = p_model_type and version = p_version;
    if not found then
        return private.no_such_version(p_model_type, p_version);
    elsif status_now <> 'archived' then
        return private.refused(format(
            '%s %s is %s; only an archived version is unarchived', p_model_type, p_version, status_now
        ));
    elsif private.says_nothing(p_reason) then
        return private.refused(format(
            '%1$s %2$s was put away; say why it comes back: `spots-ml unarchive %1$s %2$s --reason "..."`',
            p_model_type, p_version
        ));
    end if;
    perform private.change_status(p_model_type, p_version, 'unarchived', 'archived', 'staging', this);
    return private.changed(p_model_type, p_version);
end $$;

-- The share of the neural score in the hybrid score, of a version that answers or may answer.
create or replace function public.set_model_weight(
    p_model_type text, p_version text, p_weight double precision, p_at timestamptz, p_actor text, p_reason text,
    p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    this constant private.change_call := private.this_call(
        'set_model_weight', jsonb_build_array(p_model_type, p_version, p_weight), p_at, p_actor, p_reason, p_request_id
    );
    before public.version_change;
    status_now text;
begin
    before := private.before_change(this);
    if before.status is not null then
        return before;
    end if;
    if p_weight is null or not p_weight between 0 and 1 then
        return private.refused(format('the weight %s is no share; expected a number in [0, 1]', p_weight));
    end if;
    select status into status_now from public.model_versions where model_type = p_model_type and version = p_version;
    if not found then
        return private.no_such_version(p_model_type, p_version);
    elsif status_now not in ('staging', 'active') then
        return private.refused(format(
            '%s %s is %s; only a staging or an active version is given a weight', p_model_type, p_version, status_now
        ));
    end if;
    perform private.change_value(p_model_type, p_version, 'weight', p_weight, this);
    return private.changed(p_model_type, p_version);
end $$;

-- A staging version is offered to a share of the hybrid group; 0 takes it back. Promotion and archiving end a rollout.
create or replace function public.set_rollout_traffic(
    p_model_type text, p_version text, p_traffic double precision, p_at timestamptz, p_actor text, p_reason text,
    p_request_id uuid default null
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    this constant private.change_call := private.this_call(
        'set_rollout_traffic', jsonb_build_array(p_model_type, p_version, p_traffic), p_at, p_actor, p_reason, p_request_id
    );
    before public.version_change;
    status_now text;
    other text;
begin
    before := private.before_change(this);
    if before.status is not null then
        return before;
    end if;
    if p_traffic is null or not p_traffic between 0 and 1 then
        return private.refused(format('the traffic %s is no share; expected a number in [0, 1]', p_traffic));
    end if;
    select status into status_now from public.model_versions where model_type = p_model_type and version = p_version;
    if not found then
        return private.no_such_version(p_model_type, p_version);
    elsif status_now <> 'staging' then
        return private.refused(format(
            '%s %s is %s; only a staging version is rolled out', p_model_type, p_version, status_now
        ));
    end if;
    select version into other from public.model_versions
    where model_type = p_model_type and status = 'staging' and traffic > 0 and version <> p_version;
    if found and p_traffic > 0 then
        return private.refused(format(
            '%s %s is being rolled out; promote it, archive it or take its traffic back first', p_model_type, other
        ));
    end if;
    perform private.change_value(p_model_type, p_version, 'traffic', p_traffic, this);
    return private.changed(p_model_type, p_version);
end $$;

revoke all on function private.only_transitions(), private.says_nothing(text), private.promotions_not_undone(text),
    private.this_call(text, jsonb, timestamptz, text, text, uuid), private.before_change(private.change_call),
    private.note_change(
        text, text, text, text, text, private.change_call, double precision, double precision
    ),
    private.change_status(text, text, text, text, text, private.change_call),
    private.change_value(text, text, text, double precision, private.change_call)
    from public, anon, authenticated, service_role;
revoke all on function
    public.withdraw_model_version(text, timestamptz, text, text, uuid),
    public.unarchive_model_version(text, text, timestamptz, text, text, uuid)
    from public, anon, authenticated;
grant execute on function
    public.withdraw_model_version(text, timestamptz, text, text, uuid),
    public.unarchive_model_version(text, text, timestamptz, text, text, uuid)
    to service_role;
