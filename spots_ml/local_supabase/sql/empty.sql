-- Takes every row away, and what is kept between calls; the registry's lock and table of changes and the kinds of models
-- are no data.

set session_replication_role = replica;
do $$
declare names text;
begin
    select string_agg(format('%I.%I', schemaname, tablename), ', ') into names
    from pg_tables
    where schemaname in ('public', 'private') and tablename not in ('registry', 'version_transitions', 'model_kinds');
    execute 'truncate ' || names || ' restart identity';
end $$;
reset session_replication_role;
