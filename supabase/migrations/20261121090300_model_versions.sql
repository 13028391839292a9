-- Versions, their history and the steps of their rollouts. Nobody writes these tables: the functions of the next
-- migration do, whose caller needs no more than the right to call them.

create table public.model_versions (
    registered_order bigint generated always as identity primary key,
    model_type text not null check (model_type in ('calling_score', 'outcome')),
    version text not null check (version ~ '^v[0-9]+\.[0-9]+-(synthetic|hybrid|real)$'),
    content_digest text not null check (content_digest ~ '^[0-9a-f]{64}$'),
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    manifest_sha256 text not null check (manifest_sha256 ~ '^[0-9a-f]{64}$'),
    contract_digest text not null check (contract_digest ~ '^[0-9a-f]{64}$'),
    dataset_digest text not null check (dataset_digest ~ '^[0-9a-f]{64}$'),
    source_kind text not null check (source_kind in ('synthetic', 'hybrid', 'real')),
    source text not null,
    n_labelled bigint not null check (n_labelled >= 0),
    metrics jsonb not null check (jsonb_typeof(metrics) = 'object'),
    -- Where the phone gets the file; all three are given once, at registration or when it is reaffirmed. Files are
    -- named by their digest, so that nobody can put other bytes in the place of a version's.
    file_path text check (file_path = model_type || '/' || sha256 || '.onnx'),
    size_bytes bigint check (size_bytes > 0),
    client_runtime_floor text check (client_runtime_floor ~ '^[0-9]+(\.[0-9]+)*$'),
    status text not null check (status in ('staging', 'active', 'deprecated', 'archived')),
    weight double precision not null check (weight between 0 and 1),
    -- Share of the hybrid group that is offered this version before the active one; the active one takes the rest.
    traffic double precision not null check (traffic between 0 and 1),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    last_registered_at timestamptz not null,
    watermark text,
    unique (model_type, version),
    unique (model_type, content_digest),
    check ((file_path is null) = (size_bytes is null) and (file_path is null) = (client_runtime_floor is null)),
    check (case status when 'active' then traffic = 1 when 'staging' then true else traffic = 0 end)
);
create unique index one_active_version on public.model_versions (model_type) where status = 'active';
create unique index one_rollout on public.model_versions (model_type) where status = 'staging' and traffic > 0;

create table public.version_history (
    sequence bigint generated always as identity primary key,
    at timestamptz not null,
    model_type text not null,
    version text not null,
    action text not null check (
        action in ('registered', 'reaffirmed', 'promoted', 'superseded', 'rolled_back', 'restored', 'archived')
    ),
    from_status text check (from_status in ('staging', 'active', 'deprecated', 'archived')),
    to_status text not null check (to_status in ('staging', 'active', 'deprecated', 'archived')),
    actor text not null check (actor <> ''),
    reason text not null,
    request_id uuid,
    foreign key (model_type, version) references public.model_versions (model_type, version)
);
create index history_of_version on public.version_history (model_type, version);
create index history_by_request on public.version_history (request_id) where request_id is not null;

create table public.rollout_steps (
    sequence bigint generated always as identity primary key,
    at timestamptz not null,
    model_type text not null,
    version text not null,
    from_traffic double precision not null check (from_traffic between 0 and 1),
    to_traffic double precision not null check (to_traffic between 0 and 1),
    actor text not null check (actor <> ''),
    reason text not null,
    request_id uuid,
    foreign key (model_type, version) references public.model_versions (model_type, version)
);
create index steps_of_version on public.rollout_steps (model_type, version);
create index steps_by_request on public.rollout_steps (request_id) where request_id is not null;

create function private.keep_version() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    -- Written again and again; everything else is what the version is.
    changing constant text[] := array[
        'status', 'weight', 'traffic', 'updated_at', 'last_registered_at', 'watermark',
        'file_path', 'size_bytes', 'client_runtime_floor'
    ];
begin
    if to_jsonb(new) - changing is distinct from to_jsonb(old) - changing then
        raise exception 'what a version is never changes' using errcode = 'restrict_violation';
    end if;
    if old.file_path is not null and (new.file_path, new.size_bytes, new.client_runtime_floor)
        is distinct from (old.file_path, old.size_bytes, old.client_runtime_floor) then
        raise exception 'the file of a version never changes' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
revoke all on function private.keep_version() from public, anon, authenticated, service_role;

create trigger keep_version before update on public.model_versions
    for each row execute function private.keep_version();
create trigger versions_are_not_deleted before delete or truncate on public.model_versions
    for each statement execute function private.refuse_change();
create trigger history_only_grows before update or delete or truncate on public.version_history
    for each statement execute function private.refuse_change();
create trigger steps_only_grow before update or delete or truncate on public.rollout_steps
    for each statement execute function private.refuse_change();

alter table public.model_versions enable row level security;
alter table public.version_history enable row level security;
alter table public.rollout_steps enable row level security;
revoke all on public.model_versions, public.version_history, public.rollout_steps
    from public, anon, authenticated, service_role;
-- Projects of before 2026 granted new sequences to everybody by default.
revoke all on sequence public.model_versions_registered_order_seq, public.version_history_sequence_seq,
    public.rollout_steps_sequence_seq from public, anon, authenticated, service_role;
grant select on public.model_versions, public.version_history, public.rollout_steps to service_role;

-- The phone sees the versions it may be given, of each what it needs to choose and to check the file.
grant select (model_type, version, status, weight, traffic, file_path, size_bytes, sha256, contract_digest,
    client_runtime_floor) on public.model_versions to authenticated;
create policy versions_the_phone_may_be_given on public.model_versions for select to authenticated
    using (file_path is not null and (status = 'active' or (status = 'staging' and traffic > 0)));

create view public.served_models with (security_invoker = true) as
select model_type, version,
    case status when 'active' then 'active' else 'rolling_out' end as role,
    weight, traffic, file_path, size_bytes, sha256, contract_digest, client_runtime_floor
from public.model_versions
where file_path is not null and (status = 'active' or (status = 'staging' and traffic > 0));
revoke all on public.served_models from public, anon, authenticated, service_role;
grant select on public.served_models to authenticated, service_role;
