-- The private bucket of the models: a signed-in phone downloads the files of the versions it may be given, no other.
-- Policies add up, and those that an app has for all its files may not be dropped: restrictive ones keep them out of it.
-- A Postgres without Supabase's storage has nothing to protect.

do $migration$
declare
    command text;
begin
    if to_regclass('storage.objects') is null then
        raise notice 'there is no storage here: the bucket of the models is not made';
        return;
    end if;
    insert into storage.buckets (id, name, public) values ('models', 'models', false)
    on conflict (id) do update set public = false;
    drop policy if exists models_the_phone_may_download on storage.objects;
    create policy models_the_phone_may_download on storage.objects for select to authenticated
        using (
            bucket_id = 'models'
            and exists (select 1 from public.served_models as served where served.file_path = objects.name)
        );
    drop policy if exists models_are_closed_to_the_unknown on storage.objects;
    create policy models_are_closed_to_the_unknown on storage.objects as restrictive for all to anon
        using (bucket_id is distinct from 'models');
    drop policy if exists models_are_read_when_served on storage.objects;
    create policy models_are_read_when_served on storage.objects as restrictive for select to authenticated
        using (
            bucket_id is distinct from 'models'
            or exists (select 1 from public.served_models as served where served.file_path = objects.name)
        );
    foreach command in array array['insert', 'update', 'delete'] loop
        execute format('drop policy if exists %I on storage.objects', 'models_are_closed_to_' || command);
        execute format(
            'create policy %I on storage.objects as restrictive for %s to authenticated %s',
            'models_are_closed_to_' || command, command,
            case command when 'insert' then 'with check' else 'using' end || $$ (bucket_id is distinct from 'models')$$
        );
    end loop;
end $migration$;
