-- Who reads in bulk and can do nothing else: interactions and decisions, every row. The role has no login; whoever gives
-- it one, or makes a role that logs in a member of it, says so (docs/how-to/supabase.md).
do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'spots_ml_reader') then
        create role spots_ml_reader nologin;
    elsif pg_has_role('spots_ml_reader', 'service_role', 'member') then
        -- A reader of that name was once made by hand, as the service role in all but name. It keeps its login.
        revoke service_role from spots_ml_reader;
        alter role spots_ml_reader reset role;
        if pg_has_role('spots_ml_reader', 'service_role', 'member') then
            raise exception 'the role spots_ml_reader is a member of service_role, so that it may write'
                using hint = 'Whoever granted that revokes it: revoke service_role from spots_ml_reader.';
        end if;
    end if;
end $$;
-- What a slip of the hand would write, here and in what is open to everybody; it holds back no one with bad intentions,
-- which is what the grants are for.
alter role spots_ml_reader set default_transaction_read_only = on;

grant usage on schema public, private to spots_ml_reader;
grant select on public.calling_score_training_data, public.decisions, public.interactions,
    public.decisions_with_outcomes to spots_ml_reader;
-- What these views compute with, what policies ask, and where the reader stands.
grant execute on function private.own_agent_id(), private.interaction_record(public.calling_score_training_data, boolean),
    private.interaction_key(text, text, timestamptz), private.digest_id(jsonb), public.label_watermark()
    to spots_ml_reader;
create policy every_row_in_bulk on public.calling_score_training_data for select to spots_ml_reader using (true);
create policy every_row_in_bulk on public.decisions for select to spots_ml_reader using (true);

-- Which migrations there are, where somebody keeps that account.
do $$
begin
    if to_regclass('supabase_migrations.schema_migrations') is not null then
        grant usage on schema supabase_migrations to spots_ml_reader;
        grant select on supabase_migrations.schema_migrations to spots_ml_reader;
    end if;
end $$;
