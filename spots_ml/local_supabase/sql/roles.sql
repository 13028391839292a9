-- What a Supabase project has before its first migration, as far as this project's migrations use it.
-- `postgres`, which runs the migrations, is no superuser there; neither is it here.

create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;
create role postgres login createdb createrole bypassrls;
grant anon, authenticated, service_role to postgres;
