-- How much one agent may write in a day (UTC). Who has stolen a phone, or written a loop, fills no more than that. Counted
-- in a row of each agent's own, so that no agent waits for another; who passes by row level security is not counted.

create table public.quotas (
    only_row boolean primary key default true check (only_row),
    -- A person is shown some tens of places at a time: a thousand scored pairs a day are more than the most eager has.
    rows_added_per_day bigint not null default 1000 check (rows_added_per_day > 0),
    -- Each pair's outcome, and a correction.
    rows_changed_per_day bigint not null default 2000 check (rows_changed_per_day > 0)
);
insert into public.quotas default values;
alter table public.quotas enable row level security;
revoke all on public.quotas from public, anon, authenticated, service_role;
grant select, update (rows_added_per_day, rows_changed_per_day) on public.quotas to service_role;
select private.close_table('public.quotas');

create table private.written_rows (
    agent_id text not null,
    of_table text not null,
    day date not null,
    n_added bigint not null,
    n_changed bigint not null,
    primary key (agent_id, of_table)
) with (fillfactor = 50);
alter table private.written_rows enable row level security;
revoke all on private.written_rows from public, anon, authenticated, service_role;
select private.close_table('private.written_rows');

-- Counts the rows of a statement. SQLSTATE PT429 is HTTP status 429 to the API.
create function private.count_written() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    today constant date := (now() at time zone 'UTC')::date;
    adds constant boolean := tg_op = 'INSERT';
    most constant bigint := (select case when adds then rows_added_per_day else rows_changed_per_day end from public.quotas);
    wrote record;
    so_far bigint;
begin
    for wrote in select agent_id, count(*) as n_rows from written where agent_id is not null group by agent_id loop
        insert into private.written_rows as known (agent_id, of_table, day, n_added, n_changed)
        values (
            wrote.agent_id, tg_table_name, today, case when adds then wrote.n_rows else 0 end,
            case when adds then 0 else wrote.n_rows end
        )
        on conflict (agent_id, of_table) do update set
            n_added = excluded.n_added + case known.day when today then known.n_added else 0 end,
            n_changed = excluded.n_changed + case known.day when today then known.n_changed else 0 end,
            day = today
        returning case when adds then n_added else n_changed end into so_far;
        if so_far > most then
            raise exception 'this agent % % rows of % today; at most % are taken in a day', case when adds then 'added'
                else 'changed' end, so_far, tg_table_name, most
                using errcode = 'PT429',
                hint = format('Nothing of this request was written. Send it again after %s 00:00 UTC, or ask whoever '
                    'runs the service to raise public.quotas.', today + 1);
        end if;
    end loop;
    return null;
end $$;
revoke all on function private.count_written() from public, anon, authenticated, service_role;

create trigger count_added after insert on public.calling_score_training_data referencing new table as written
    for each statement when (row_security_active('public.calling_score_training_data'::regclass))
    execute function private.count_written();
create trigger count_changed after update on public.calling_score_training_data referencing new table as written
    for each statement when (row_security_active('public.calling_score_training_data'::regclass))
    execute function private.count_written();
create trigger count_added after insert on public.calling_score_ab_test_outcomes referencing new table as written
    for each statement when (row_security_active('public.calling_score_ab_test_outcomes'::regclass))
    execute function private.count_written();
