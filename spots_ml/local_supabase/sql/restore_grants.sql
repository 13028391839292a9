-- Restores the grants that were written down, if any were; what the API promised for later tables is void.

do $$
begin
    if to_regclass('local_stack.grants') is null then
        return;
    end if;
    update pg_namespace set nspacl = acl
    from local_stack.grants where catalogue = 'pg_namespace'::regclass and object = pg_namespace.oid;
    update pg_class set relacl = acl
    from local_stack.grants where catalogue = 'pg_class'::regclass and object = pg_class.oid;
    update pg_proc set proacl = acl
    from local_stack.grants where catalogue = 'pg_proc'::regclass and object = pg_proc.oid;
    delete from pg_default_acl where defaclrole = 'supabase_admin'::regrole;
end $$;
