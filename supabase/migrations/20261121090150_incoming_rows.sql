-- Where rows wait that are sent in several calls and must become visible all at once: a client sends them page by page
-- under the id of a batch, then calls the function that takes the batch in, in one transaction. Sending a page or
-- calling that function again changes nothing. A batch that is never taken in is swept away a day later.

create table public.incoming_rows (
    batch uuid not null,
    position bigint not null check (position >= 0),
    item jsonb not null check (jsonb_typeof(item) = 'object'),
    sent_at timestamptz not null default now(),
    primary key (batch, position)
);
create index incoming_by_time on public.incoming_rows (sent_at);
alter table public.incoming_rows enable row level security;
revoke all on public.incoming_rows from public, anon, authenticated, service_role;
grant select, insert on public.incoming_rows to service_role;

create table private.finished_batches (
    batch uuid primary key,
    report jsonb not null,
    finished_at timestamptz not null default now()
);
alter table private.finished_batches enable row level security;
revoke all on private.finished_batches from public, anon, authenticated, service_role;

-- What taking this batch in led to; null: it is not taken in. Callers of one batch wait for each other.
create function private.batch_report(p_batch uuid) returns jsonb
language plpgsql set search_path = ''
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended(p_batch::text, 20261121));
    return (select report from private.finished_batches where batch = p_batch);
end $$;

-- How many rows of a batch are there; an answer other than what the client sent means that pages are missing.
create function private.batch_rows(p_batch uuid) returns bigint
language sql stable set search_path = ''
as $$ select count(*) from public.incoming_rows where batch = p_batch $$;

-- Of abandoned batches some are swept away that nobody is taking in; who comes later waits, and finds them gone. Each
-- takes a place in the server's table of locks, which is not large.
create function private.finish_batch(p_batch uuid, p_report jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
begin
    delete from public.incoming_rows where batch = p_batch or batch = any(array(
        select batch from (
            select distinct batch from public.incoming_rows where sent_at < now() - interval '1 day' limit 100
        ) as abandoned
        where pg_try_advisory_xact_lock(hashtextextended(batch::text, 20261121))
    ));
    delete from private.finished_batches where finished_at < now() - interval '30 days';
    insert into private.finished_batches (batch, report) values (p_batch, p_report);
    return p_report;
end $$;
revoke all on function private.batch_report(uuid), private.batch_rows(uuid), private.finish_batch(uuid, jsonb)
    from public, anon, authenticated, service_role;
