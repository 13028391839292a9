-- What several tables share: whose rows an agent sees, numbering by arrival, what only grows.
-- The API shows the schema public alone, so nothing in here can be called from outside.

create schema private;
revoke all on schema private from public;
grant usage on schema private to authenticated, service_role;

-- The pseudonymous id of the signed-in user. `app_metadata` is written by the server alone (`user_metadata` is not);
-- a project that pseudonymises elsewhere puts `agent_id` into it, the others' agents are their users' ids.
create function private.own_agent_id() returns text
language sql stable set search_path = ''
as $$ select coalesce(auth.jwt() -> 'app_metadata' ->> 'agent_id', auth.uid()::text) $$;
revoke all on function private.own_agent_id() from public, anon;
grant execute on function private.own_agent_id() to authenticated, service_role;

-- Writers of one table take turns until they commit. A number that is given while this lock is held becomes visible
-- before any higher number is given: who has read up to a number has missed none below it. A sequence or a clock alone
-- does not promise that. Taken before the statement locks any row, so that two writers of one table cannot deadlock.
create function private.take_turns() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform pg_advisory_xact_lock(20261121, tg_relid::integer);
    return null;
end $$;

-- Numbers a row by its arrival, whatever the writer sent; the sequence's name is the trigger's argument.
create function private.number_arrival() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    new.row_sequence := nextval(tg_argv[0]::regclass);
    return new;
end $$;

create function private.refuse_change() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;

-- A document that a client sent as a text is the document.
create function private.document(p_sent jsonb) returns jsonb
language sql immutable set search_path = ''
as $$ select case jsonb_typeof(p_sent) when 'string' then (p_sent #>> '{}')::jsonb else p_sent end $$;

revoke all on function private.document(jsonb), private.take_turns(), private.number_arrival(), private.refuse_change()
    from public, anon, authenticated, service_role;
