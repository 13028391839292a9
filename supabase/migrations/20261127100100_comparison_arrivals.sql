-- The app's comparison gets numbers of its own, the way interactions get theirs: nobody who writes waits, the pipeline
-- numbers what has arrived when it asks how far arrival has come, and no number appears below one that somebody has.

create table public.comparison_arrivals (
    row_sequence bigint primary key,
    id uuid not null unique
);
comment on table public.comparison_arrivals is 'Rows of the app''s comparison by their arrival.';

create table private.arriving_comparisons (
    place bigint generated always as identity primary key,
    id uuid not null
);
alter table private.numbers_given add column comparisons bigint not null default 0;

alter table public.comparison_arrivals enable row level security;
alter table private.arriving_comparisons enable row level security;
revoke all on public.comparison_arrivals, private.arriving_comparisons from public, anon, authenticated, service_role;
grant select on public.comparison_arrivals, public.calling_score_ab_test_outcomes to spots_ml_reader;
grant select on public.comparison_arrivals to service_role;
create policy every_row_in_bulk on public.comparison_arrivals for select to spots_ml_reader using (true);
create policy every_row_in_bulk on public.calling_score_ab_test_outcomes for select to spots_ml_reader using (true);
select private.close_table('public.comparison_arrivals', '(select pg_has_role(''spots_ml_reader'', ''usage''))'),
    private.close_table(
        'public.calling_score_ab_test_outcomes',
        '(select pg_has_role(''spots_ml_reader'', ''usage'')) or agent_id = (select private.own_agent_id())',
        'agent_id = (select private.own_agent_id())'
    ),
    private.close_table('private.arriving_comparisons');

-- Rows that were there before arrived in the order of their moments, as far as anybody knows.
insert into public.comparison_arrivals
select row_number() over (order by "timestamp", id), id from public.calling_score_ab_test_outcomes;
update private.numbers_given set comparisons = (select count(*) from public.comparison_arrivals);

create function private.queue_comparison() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into private.arriving_comparisons (id) values (new.id);
    return null;
end $$;
create trigger f_queue_comparison after insert on public.calling_score_ab_test_outcomes
    for each row execute function private.queue_comparison();

create function private.forget_comparison() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from private.arriving_comparisons where id in (select id from gone);
    delete from public.comparison_arrivals where id in (select id from gone);
    return null;
end $$;
create trigger forget_comparison after delete on public.calling_score_ab_test_outcomes referencing old table as gone
    for each statement execute function private.forget_comparison();

-- Numbers the oldest of what waits and tells how many that were; what somebody holds is left for the next time.
create function private.number_oldest_comparisons(p_most integer) returns bigint
language plpgsql security definer set search_path = ''
as $$
declare
    given bigint;
    n_taken bigint;
begin
    select comparisons into strict given from private.numbers_given for update;
    with free as materialized (
        select place from private.arriving_comparisons order by place limit p_most for update skip locked
    ), taken as (
        delete from private.arriving_comparisons as waiting using free where waiting.place = free.place
        returning waiting.place, waiting.id
    )
    insert into public.comparison_arrivals
    select given + row_number() over (order by place), id from taken;
    get diagnostics n_taken = row_count;
    update private.numbers_given set comparisons = given + n_taken;
    return n_taken;
end $$;

-- Names the present point of arrival of the comparison, behind all that is committed. What is not reached within 20 s
-- waits for the next call.
create function public.comparison_watermark() returns bigint
language plpgsql volatile security definer set search_path = '' set jit = off set enable_seqscan = on
set statement_timeout = '60s'
as $$
declare
    since timestamptz;
begin
    perform place from private.arriving_comparisons order by place limit 1;
    if found then
        perform from private.numbers_given for update;
        since := clock_timestamp();
        while private.number_oldest_comparisons(50000) > 0 and clock_timestamp() < since + interval '20 seconds' loop
        end loop;
    end if;
    return (select comparisons from private.numbers_given where single);
end $$;
revoke all on function private.queue_comparison(), private.forget_comparison(),
    private.number_oldest_comparisons(integer), public.comparison_watermark()
    from public, anon, authenticated, service_role;
grant execute on function public.comparison_watermark() to service_role;

alter table private.arriving_comparisons set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
alter table public.comparison_arrivals set (
    autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02
);
