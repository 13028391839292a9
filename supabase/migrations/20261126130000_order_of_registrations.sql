-- Which version was registered last is said by the number of the history's entry, never by a clock: two machines may be a
-- day apart. What was only noted of a version that was put away does not count.

alter table public.model_versions add column last_registered_sequence bigint not null default 0;

create or replace function private.keep_version() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    -- Written again and again; everything else is what the version is.
    changing constant text[] := array[
        'status', 'weight', 'traffic', 'updated_at', 'last_registered_at', 'last_registered_sequence', 'watermark',
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

update public.model_versions as one set last_registered_sequence = coalesce((
    select max(entry.sequence) from public.version_history as entry
    where entry.model_type = one.model_type and entry.version = one.version
        and entry.action in ('registered', 'reaffirmed') and entry.to_status <> 'archived'
), 0);

create function private.number_registration() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    update public.model_versions set last_registered_sequence = new.sequence
    where model_type = new.model_type and version = new.version;
    return null;
end $$;
revoke all on function private.number_registration() from public, anon, authenticated, service_role;

create trigger registrations_are_numbered after insert on public.version_history
    for each row when (new.action in ('registered', 'reaffirmed')) execute function private.number_registration();

-- A moment that no calendar has cannot be read back.
alter table public.model_versions add constraint moments_are_finite
    check (isfinite(created_at) and isfinite(updated_at) and isfinite(last_registered_at)) not valid;
alter table public.version_history add constraint moments_are_finite check (isfinite(at)) not valid;
