-- The private bucket of the models: a signed-in phone downloads the files of the versions it may be given, no other.
-- A Postgres without Supabase's storage has nothing to protect.

do $migration$
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
end $migration$;
