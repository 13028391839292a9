-- Tables of the private schema that were made without it: nobody but the functions reaches them, now and later.
select private.close_table(made.oid::regclass) from pg_class as made
where relnamespace = 'private'::regnamespace and relkind = 'r' and not exists (
    select from pg_policy where polrelid = made.oid and polname = 'at_the_most_select'
);
