-- Policies that permit add up: one `using (true)` of an app's later migration, and everybody reads everything. Those that
-- restrict hold for every policy and every grant that is still to come. Each table of ours says by them, for every
-- command, what may be done at the most; who passes by row level security, the owner and the service role, is not asked.

-- Closes a table but for these conditions; a migration that makes a table, or lets somebody do more with one, calls it.
create function private.close_table(
    p_table regclass, p_seen text default 'false', p_added text default 'false', p_changed text default 'false',
    p_deleted text default 'false'
) returns void
language plpgsql set search_path = ''
as $$
declare
    command text;
    clause text;
begin
    for command, clause in values
        ('select', format('using (%s)', p_seen)), ('insert', format('with check (%s)', p_added)),
        ('update', format('using (%1$s) with check (%1$s)', p_changed)), ('delete', format('using (%s)', p_deleted))
    loop
        execute format('drop policy if exists at_the_most_%s on %s', command, p_table);
        execute format('create policy at_the_most_%1$s on %2$s as restrictive for %1$s %3$s', command, p_table, clause);
    end loop;
end $$;
revoke all on function private.close_table(regclass, text, text, text, text)
    from public, anon, authenticated, service_role;

-- What a row that an agent sees, adds or changes must be; who reads in bulk sees all.
do $$
declare
    own constant text := 'agent_id = (select private.own_agent_id())';
    in_bulk constant text := '(select pg_has_role(''spots_ml_reader'', ''usage''))';
    signed_in constant text := '(select private.own_agent_id()) is not null';
    served constant text := $served$ and
        file_path is not null and (status = 'active' or (status = 'staging' and traffic > 0))
        and exists (select 1 from public.model_kinds as kind where kind.name = model_type and kind.audience = 'phone')
    $served$;
    name text;
begin
    perform private.close_table(
        'public.calling_score_training_data', in_bulk || ' or ' || own, own, own
    );
    perform private.close_table('public.calling_score_ab_test_outcomes', own, own);
    perform private.close_table('public.decisions', in_bulk);
    perform private.close_table('public.model_versions', signed_in || served);
    perform private.close_table('public.model_kinds', signed_in || $kinds$ and audience = 'phone'$kinds$);
    foreach name in array array[
        'public.version_history', 'public.performance', 'public.incoming_rows', 'public.quarantined_interactions',
        'private.deleted_arrivals', 'private.finished_batches', 'private.registry'
    ] loop
        perform private.close_table(name::regclass);
    end loop;
end $$;

-- Whether no row of what is read in bulk is hidden from the present role: it is not asked by row level security at all,
-- or is the reader, to whom nobody else's policies restrict.
create function private.sees_every_row() returns boolean
language sql stable set search_path = ''
as $$
    select bool_and(
        not row_security_active(read.oid)
        or pg_has_role('spots_ml_reader', 'usage') and not exists (
            select from pg_catalog.pg_policy
            where polrelid = read.oid and not polpermissive and polcmd in ('*', 'r')
                and polname <> 'at_the_most_select'
        )
    )
    from pg_catalog.pg_class as read
    where read.relnamespace = 'public'::regnamespace and read.relkind = 'r'
        and has_table_privilege('spots_ml_reader', read.oid, 'select')
$$;
revoke all on function private.sees_every_row() from public, anon, authenticated;
grant execute on function private.sees_every_row() to spots_ml_reader, service_role;
