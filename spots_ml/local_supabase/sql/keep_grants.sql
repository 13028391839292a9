-- Writes down who may do what with the migrations' schemas, tables and functions, before an API starts that grants
-- everything to everybody.

create schema if not exists local_stack;
drop table if exists local_stack.grants;
create table local_stack.grants as
    with ours as (select oid, nspacl from pg_namespace where nspname in ('public', 'private'))
    select 'pg_namespace'::regclass as catalogue, oid as object, nspacl as acl from ours
    union all
    select 'pg_class'::regclass, oid, relacl from pg_class where relnamespace in (select oid from ours)
    union all
    select 'pg_proc'::regclass, oid, proacl from pg_proc where pronamespace in (select oid from ours);
