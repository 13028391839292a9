-- Arrival without a lock on the app's path, and outcomes as a log that only grows.
--
-- What the app writes has no number yet: a trigger puts it into a queue, which nobody waits for. The pipeline numbers what
-- it sees there when it asks how far arrival has come, one caller at a time: a number is given behind all that were handed
-- out, in a transaction that reads what is committed, so nothing numbered ever appears below a watermark that somebody
-- has. What is not committed yet, or held by somebody who deletes, is numbered the next time.
-- Numbers are in tables of their own, which no agent sees: they would tell how many rows all agents write.

create table public.training_arrivals (
    row_sequence bigint primary key,
    id uuid not null,
    source_kind text not null,
    -- The outcome that the latest entry of the log told, and the numbers of the first entry, of the latest one and of the
    -- latest that told another type or score.
    label_sequence bigint,
    outcome_sequence bigint,
    corrected_sequence bigint,
    outcome_type text,
    outcome_score double precision,
    outcome_at timestamptz,
    first_outcome_at timestamptz
);
comment on table public.training_arrivals is 'Interactions by their arrival, with the outcome known by the log.';

create table public.training_outcomes (
    sequence bigint primary key,
    id uuid not null,
    outcome_type text not null,
    outcome_score double precision not null,
    outcome_at timestamptz,
    first_outcome_at timestamptz
);
comment on table public.training_outcomes is 'What was told of outcomes, entry by entry; first_outcome_at is null in a first.';

-- What waits for its number; `source_kind` where the interaction itself is new.
create table private.arriving (
    place bigint generated always as identity primary key,
    id uuid not null,
    source_kind text,
    is_first boolean not null default false,
    outcome_type text,
    outcome_score double precision,
    outcome_at timestamptz,
    first_outcome_at timestamptz,
    writer xid8 not null default pg_current_xact_id()
);
create index arriving_by_interaction on private.arriving (id);

-- The last numbers that were given.
create table private.numbers_given (
    single boolean primary key default true check (single),
    labels bigint not null,
    rows bigint not null
);
alter table public.training_arrivals enable row level security;
alter table public.training_outcomes enable row level security;
alter table private.arriving enable row level security;
alter table private.numbers_given enable row level security;
revoke all on public.training_arrivals, public.training_outcomes, private.arriving, private.numbers_given
    from public, anon, authenticated, service_role;
grant select on public.training_arrivals, public.training_outcomes to service_role, spots_ml_reader;
create policy every_row_in_bulk on public.training_arrivals for select to spots_ml_reader using (true);
create policy every_row_in_bulk on public.training_outcomes for select to spots_ml_reader using (true);
select private.close_table('public.training_arrivals', '(select pg_has_role(''spots_ml_reader'', ''usage''))'),
    private.close_table('public.training_outcomes', '(select pg_has_role(''spots_ml_reader'', ''usage''))'),
    private.close_table('private.arriving'), private.close_table('private.numbers_given');

-- Rows that were there before keep their numbers: the outcome that is known of each is its first entry.
insert into public.training_arrivals
select row_sequence, id, source_kind, label_sequence, label_sequence, null,
    case when label_sequence is not null then outcome_type end,
    case when label_sequence is not null then outcome_score end,
    case when label_sequence is not null then outcome_timestamp end
from public.calling_score_training_data order by row_sequence;
insert into public.training_outcomes
select label_sequence, id, outcome_type, outcome_score, outcome_timestamp
from public.calling_score_training_data where label_sequence is not null order by label_sequence;
insert into private.numbers_given (labels, rows) select labels, rows from public.label_watermark();

alter table public.training_arrivals set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);
create trigger outcomes_only_grow before update or delete or truncate on public.training_outcomes
    for each statement execute function private.refuse_change();

drop view public.interactions;
drop trigger a_take_turns on public.calling_score_training_data;
drop trigger b_number_arrival on public.calling_score_training_data;
drop trigger keep_arrival on public.calling_score_training_data;
drop function private.keep_arrival();
drop table private.deleted_arrivals;
drop sequence public.training_rows;
drop sequence public.training_labels;
alter table public.calling_score_training_data drop column row_sequence, drop column label_sequence,
    add column first_outcome_timestamp timestamptz check (
        first_outcome_timestamp >= timestamptz '0001-01-01 00:00:00+00' and first_outcome_timestamp <= outcome_timestamp
    );
create unique index arrivals_by_interaction on public.training_arrivals (id);
create index arrivals_by_kind on public.training_arrivals (source_kind, row_sequence);
create unique index labels_by_arrival on public.training_arrivals (label_sequence)
    where label_sequence is not null;
create index corrections_by_arrival on public.training_arrivals (corrected_sequence, label_sequence)
    where corrected_sequence is not null;
create index outcomes_by_interaction on public.training_outcomes (id, sequence);
create index training_by_moment on public.calling_score_training_data ("timestamp");

-- The app's comparison has no number that anybody reads, and its writers wait for nobody either.
drop trigger a_take_turns on public.calling_score_ab_test_outcomes;
drop trigger b_number_arrival on public.calling_score_ab_test_outcomes;
drop sequence public.ab_test_rows;
alter table public.calling_score_ab_test_outcomes drop column row_sequence;

-- When the first of a row's outcomes arrived, whichever stands; null: it is not labelled, or nobody knows.
create function private.first_arrival(p_row public.calling_score_training_data) returns timestamptz
language sql immutable set search_path = ''
as $$
    select case when p_row.outcome_type is not null and p_row.outcome_score is not null
        then least(p_row.first_outcome_timestamp, p_row.outcome_timestamp) end
$$;

-- All that two records say together, and when the first outcome of both arrived.
create function private.merged_arrivals(
    p_known public.calling_score_training_data, p_told public.calling_score_training_data
) returns public.calling_score_training_data
language plpgsql stable strict set search_path = ''
as $$
declare
    said public.calling_score_training_data := private.merged_interaction(p_known, p_told);
begin
    said.first_outcome_timestamp := least(private.first_arrival(p_known), private.first_arrival(p_told));
    return said;
end $$;

-- Any number of them.
create or replace function private.merged_interactions(p_told public.calling_score_training_data[])
returns public.calling_score_training_data
language plpgsql stable set search_path = ''
as $$
declare
    said public.calling_score_training_data := p_told[1];
begin
    for number in 2 .. cardinality(p_told) loop
        said := private.merged_arrivals(said, p_told[number]);
    end loop;
    return said;
end $$;

-- Whatever way a row is written, it says together with what is known of it.
create or replace function private.keep_interaction() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    known_moment timestamptz;
    told_exactly text[];
begin
    if tg_op = 'UPDATE' then
        if new.id is distinct from old.id
            or (new.agent_id, new.opportunity_id, date_trunc('milliseconds', new."timestamp"))
                is distinct from (old.agent_id, old.opportunity_id, date_trunc('milliseconds', old."timestamp"))
            or (old.agent_id is null or old.opportunity_id is null or old."timestamp" is null)
                and private.raw_features(
                    new.user_vibe_dimensions, new.spot_vibe_dimensions, new.context_features, new.timing_features
                ) is distinct from private.raw_features(
                    old.user_vibe_dimensions, old.spot_vibe_dimensions, old.context_features, old.timing_features
                )
        then
            raise exception 'what makes an interaction itself may never change: id, agent, opportunity, moment'
                using errcode = 'restrict_violation',
                hint = 'An interaction that lacks one of these is told by its features, which may not change then.';
        end if;
        told_exactly := string_to_array(current_setting('spots_ml.told_exactly', true), ' ');
        if told_exactly[1] = old.identity::text then
            new."timestamp" := greatest(
                new."timestamp",
                date_trunc('milliseconds', old."timestamp") + told_exactly[2]::integer * interval '1 microsecond'
            );
        end if;
        new := private.merged_arrivals(old, new);
        new.identity := old.identity;
    else
        new.identity := private.interaction_identity(new);
        new.first_outcome_timestamp := private.first_arrival(new);
        -- Who adds to a known interaction by agent, opportunity and moment finds it, whatever its clock is worth.
        select known."timestamp" into known_moment from public.calling_score_training_data as known
        where known.identity = new.identity and known."timestamp" <> new."timestamp";
        if known_moment < new."timestamp" then
            perform set_config(
                'spots_ml.told_exactly',
                format('%s %s', new.identity, extract(microseconds from new."timestamp")::integer % 1000), true
            );
        end if;
        new."timestamp" := coalesce(known_moment, new."timestamp");
    end if;
    return new;
end $$;

-- Behind each row, so that the queue has the order of the rows, known or not, and nothing that was not written. Who
-- changes a row has waited for the one who changed it before, so the entries of one interaction are in their order.
create function private.queue_arrival() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    is_labelled boolean := new.outcome_type is not null and new.outcome_score is not null;
    was_labelled boolean := false;
begin
    if tg_op = 'UPDATE' then
        was_labelled := old.outcome_type is not null and old.outcome_score is not null;
        if not is_labelled or was_labelled and (
            new.outcome_type, new.outcome_score, new.outcome_timestamp,
            nullif(new.first_outcome_timestamp, new.outcome_timestamp)
        ) is not distinct from (
            old.outcome_type, old.outcome_score, old.outcome_timestamp,
            nullif(old.first_outcome_timestamp, old.outcome_timestamp)
        ) then
            return null;
        end if;
    end if;
    insert into private.arriving (
        id, source_kind, is_first, outcome_type, outcome_score, outcome_at, first_outcome_at
    ) values (
        new.id, case when tg_op = 'INSERT' then new.source_kind end, is_labelled and not was_labelled,
        case when is_labelled then new.outcome_type end, case when is_labelled then new.outcome_score end,
        case when is_labelled then new.outcome_timestamp end,
        case when is_labelled then nullif(new.first_outcome_timestamp, new.outcome_timestamp) end
    );
    return null;
end $$;
create trigger d_queue_arrival after insert or update on public.calling_score_training_data
    for each row execute function private.queue_arrival();

-- What is deleted has no number any more, also where it was just being numbered: that is waited for by its place in the
-- queue. Entries of the log stay: they name no agent, and nobody reads them without their interaction.
create function private.forget_arrival() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from private.arriving where id in (select id from gone);
    delete from public.training_arrivals where id in (select id from gone);
    return null;
end $$;
create trigger forget_arrival after delete on public.calling_score_training_data referencing old table as gone
    for each statement execute function private.forget_arrival();

-- Numbers all that waits; callers take turns until they commit. An interaction of which a part is held is left for the
-- next time as a whole, so that its entries stay in their order.
create function private.number_arrivals() returns public.arrival
language plpgsql security definer set search_path = ''
as $$
declare
    given public.arrival;
begin
    select labels, rows into strict given from private.numbers_given for update;
    with free as materialized (
        select place, id from private.arriving for update skip locked
    ), held as materialized (
        select distinct id from private.arriving where place not in (select place from free)
    ), taken as (
        delete from private.arriving as waiting using free
        where waiting.place = free.place and free.id not in (select id from held)
        returning waiting.*
    ), numbered as materialized (
        select *,
            case when source_kind is not null then given.rows + count(source_kind) over behind end as row_number,
            case when outcome_type is not null then given.labels + count(outcome_type) over behind end as entry
        from taken window behind as (order by place)
    ), logged as (
        insert into public.training_outcomes
        select entry, id, outcome_type, outcome_score, outcome_at, first_outcome_at
        from numbered where entry is not null order by entry
    ), compared as (
        select told.*, coalesce(lag(told.outcome_type) over entries, known.outcome_type) as type_before,
            coalesce(lag(told.outcome_score) over entries, known.outcome_score) as score_before
        from numbered as told left join public.training_arrivals as known on known.id = told.id
        where told.entry is not null window entries as (partition by told.id order by told.entry)
    ), changed as (
        select id, min(entry) as first_entry, max(entry) as last_entry,
            max(entry) filter (
                where type_before is not null and (type_before, score_before) <> (outcome_type, outcome_score)
            ) as corrected
        from compared group by id
    ), written as (
        insert into public.training_arrivals as known
        select coalesce(fresh.row_number, kept.row_sequence), coalesce(fresh.id, changed.id),
            coalesce(fresh.source_kind, kept.source_kind), first_entry, last_entry, corrected,
            latest.outcome_type, latest.outcome_score, latest.outcome_at, latest.first_outcome_at
        from (select id, row_number, source_kind from numbered where row_number is not null) as fresh
        full join changed on changed.id = fresh.id
        left join numbered as latest on latest.entry = changed.last_entry
        left join public.training_arrivals as kept on kept.id = changed.id and fresh.id is null
        order by 1
        on conflict (id) do update set
            label_sequence = coalesce(known.label_sequence, excluded.label_sequence),
            outcome_sequence = excluded.outcome_sequence,
            corrected_sequence = coalesce(excluded.corrected_sequence, known.corrected_sequence),
            outcome_type = excluded.outcome_type, outcome_score = excluded.outcome_score,
            outcome_at = excluded.outcome_at, first_outcome_at = excluded.first_outcome_at
    )
    select greatest(max(entry), given.labels), greatest(max(row_number), given.rows) into given.labels, given.rows
    from numbered;
    update private.numbers_given set labels = given.labels, rows = given.rows;
    return given;
end $$;

-- Names the present point of arrival, behind all that is committed.
create or replace function public.label_watermark() returns public.arrival
language plpgsql volatile security definer set search_path = '' set statement_timeout = '60s'
as $$
begin
    if exists (select from private.arriving) then
        return private.number_arrivals();
    end if;
    return (select (labels, rows)::public.arrival from private.numbers_given);
end $$;

-- The point that was named last, for who may only read.
create function public.reached_watermark() returns public.arrival
language sql stable security definer set search_path = ''
as $$ select (labels, rows)::public.arrival from private.numbers_given $$;

-- Interactions whose first outcome arrived behind that number; 0: all. Exact, from an index: planned without knowing the
-- number, the whole table would be read where much of it was written since the last vacuum.
create or replace function public.count_labels_after(p_label bigint) returns bigint
language plpgsql volatile set search_path = '' set enable_seqscan = off set statement_timeout = '60s'
as $$
begin
    perform public.label_watermark();
    return (select count(*) from public.training_arrivals where label_sequence > p_label);
end $$;

-- Interactions labelled by then of which another type or score was told since, each once.
create function public.count_corrections_after(p_label bigint) returns bigint
language plpgsql volatile set search_path = '' set enable_seqscan = off set statement_timeout = '60s'
as $$
begin
    perform public.label_watermark();
    return (
        select count(*) from public.training_arrivals
        where corrected_sequence > p_label and label_sequence <= p_label
    );
end $$;

create or replace function public.interaction_kinds(p_rows bigint) returns text[]
language sql stable set search_path = ''
as $$
    select coalesce(array_agg(kind), '{}') from unnest(array['synthetic', 'hybrid', 'real']) as kind
    where (select min(row_sequence) from public.training_arrivals where source_kind = kind) <= p_rows
$$;

revoke all on function private.first_arrival(public.calling_score_training_data),
    private.merged_arrivals(public.calling_score_training_data, public.calling_score_training_data),
    private.queue_arrival(), private.forget_arrival(), private.number_arrivals()
    from public, anon, authenticated, service_role;
revoke all on function public.reached_watermark(), public.count_corrections_after(bigint)
    from public, anon, authenticated;
grant execute on function public.reached_watermark(), public.count_corrections_after(bigint) to service_role;
-- Naming a point numbers what waits; who may only read is told the one that was named.
revoke execute on function public.label_watermark() from spots_ml_reader;
grant execute on function public.reached_watermark() to spots_ml_reader;

-- A row as a record of the app's export, with the outcome known by the log.
create function private.known_record(
    p_row public.calling_score_training_data, p_known public.training_arrivals
) returns text
language plpgsql stable set search_path = ''
as $$
begin
    p_row.outcome_type := p_known.outcome_type;
    p_row.outcome_score := p_known.outcome_score;
    p_row.outcome_timestamp := p_known.outcome_at;
    return private.interaction_record(p_row, true);
end $$;
revoke all on function private.known_record(public.calling_score_training_data, public.training_arrivals)
    from public, anon, authenticated, service_role;
grant execute on function private.known_record(public.calling_score_training_data, public.training_arrivals)
    to service_role, spots_ml_reader;

-- Interactions that have a number, with the outcome known by the log: one that waits is no part of them. Where more than
-- one was told, `told` has all: number, type, score and times of each. `record` and `unlabelled_record` (the same before
-- its outcome) are there for rows without plain features alone.
create view public.interactions with (security_invoker = true) as
select known.row_sequence, known.label_sequence, known.outcome_sequence, known.source_kind, data.agent_id,
    data.opportunity_id, data."timestamp" as scored_at, data.features, data.formula_calling_score as formula_score,
    data.formula_is_called as is_called, known.outcome_type, known.outcome_score, known.outcome_at,
    known.first_outcome_at,
    case when known.outcome_sequence > known.label_sequence then (
        select jsonb_agg(jsonb_build_array(
            entry.sequence, entry.outcome_type, entry.outcome_score, entry.outcome_at, entry.first_outcome_at
        ) order by entry.sequence)::text
        from public.training_outcomes as entry where entry.id = known.id
    ) end as told,
    case when data.features is null then private.known_record(data, known) end as record,
    case when data.features is null then private.interaction_record(data, false) end as unlabelled_record
from public.training_arrivals as known left join public.calling_score_training_data as data on data.id = known.id;
revoke all on public.interactions from public, anon, authenticated, service_role, spots_ml_reader;
grant select on public.interactions to service_role, spots_ml_reader;

drop view public.decisions_with_outcomes;
create view public.decisions_with_outcomes with (security_invoker = true) as
select decided.*, outcome.outcome_type, outcome.outcome_score, outcome.outcome_timestamp as outcome_at,
    nullif(outcome.first_outcome_timestamp, outcome.outcome_timestamp) as first_outcome_at
from public.decisions as decided
left join public.calling_score_training_data as outcome
    on outcome.identity = private.interaction_key(decided.agent_id, decided.opportunity_id, decided.decided_at);
revoke all on public.decisions_with_outcomes from public, anon, authenticated, service_role;
grant select on public.decisions_with_outcomes to service_role, spots_ml_reader;

-- Takes a batch in, all or nothing; the same batch again answers the same. An item is a row as the app sends it, without
-- the keys that are unknown, or a broken record: {"position", "reasons", "record"}. `n_distinct` counts the interactions
-- among the items. Labels are numbered in the order of the items, whether their interactions were known or not. Imports
-- take turns, since two may tell of the same rows in other orders; the app waits only where it writes one of these rows.
create or replace function public.import_interactions(
    p_batch uuid, p_n_rows bigint, p_source_kind text, p_source text, p_at timestamptz
) returns public.import_counts
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    report jsonb := private.batch_report(p_batch);
    n_there bigint;
    n_written bigint;
    counts public.import_counts;
begin
    if report is not null then
        return jsonb_populate_record(null::public.import_counts, report);
    end if;
    n_there := private.batch_rows(p_batch);
    if n_there is distinct from p_n_rows then
        return (
            'refused', format('%s of %s rows of the batch are there', n_there, p_n_rows), null, null, null, null
        )::public.import_counts;
    end if;
    perform pg_advisory_xact_lock(20261126, 1);

    with sent as materialized (
        select position, jsonb_populate_record(null::public.calling_score_training_data, item) as told
        from public.incoming_rows where batch = p_batch and not item ? 'reasons'
    ), once as materialized (
        select identity, min(position) as place, private.merged_interactions(array_agg(told)) as told
        from (select *, private.interaction_identity(told) as identity from sent) as identified
        group by identity
    ), merging as materialized (
        select once.place, known,
            case
                when known.id is null then once.told
                -- Mostly what is imported again says what is known.
                when (
                    (once.told)."timestamp", (once.told).user_vibe_dimensions, (once.told).spot_vibe_dimensions,
                    (once.told).context_features, (once.told).timing_features, (once.told).formula_calling_score,
                    (once.told).formula_is_called, (once.told).outcome_type, (once.told).outcome_score,
                    (once.told).outcome_timestamp, private.first_arrival(once.told)
                ) is not distinct from (
                    known."timestamp", known.user_vibe_dimensions, known.spot_vibe_dimensions,
                    known.context_features, known.timing_features, known.formula_calling_score,
                    known.formula_is_called, known.outcome_type, known.outcome_score, known.outcome_timestamp,
                    private.first_arrival(known)
                ) then known
                else private.merged_arrivals(known, once.told)
            end as said
        from once left join public.calling_score_training_data as known on known.identity = once.identity
    ), written as (
        insert into public.calling_score_training_data as known (
            source_kind, agent_id, opportunity_id, "timestamp",
            user_vibe_dimensions, spot_vibe_dimensions, context_features, timing_features,
            formula_calling_score, formula_is_called, outcome_type, outcome_score, outcome_timestamp,
            first_outcome_timestamp
        )
        select p_source_kind, (said).agent_id, (said).opportunity_id, (said)."timestamp",
            (said).user_vibe_dimensions, (said).spot_vibe_dimensions, (said).context_features, (said).timing_features,
            (said).formula_calling_score, (said).formula_is_called, (said).outcome_type, (said).outcome_score,
            (said).outcome_timestamp, private.first_arrival(said)
        from merging
        where (known).id is null or (
            (said)."timestamp", (said).user_vibe_dimensions, (said).spot_vibe_dimensions, (said).context_features,
            (said).timing_features, (said).formula_calling_score, (said).formula_is_called, (said).outcome_type,
            (said).outcome_score, (said).outcome_timestamp, private.first_arrival(said)
        ) is distinct from (
            (known)."timestamp", (known).user_vibe_dimensions, (known).spot_vibe_dimensions, (known).context_features,
            (known).timing_features, (known).formula_calling_score, (known).formula_is_called, (known).outcome_type,
            (known).outcome_score, (known).outcome_timestamp, private.first_arrival(known)
        )
        order by place
        on conflict (identity) do update set
            "timestamp" = excluded."timestamp",
            user_vibe_dimensions = excluded.user_vibe_dimensions,
            spot_vibe_dimensions = excluded.spot_vibe_dimensions,
            context_features = excluded.context_features,
            timing_features = excluded.timing_features,
            formula_calling_score = excluded.formula_calling_score,
            formula_is_called = excluded.formula_is_called,
            outcome_type = excluded.outcome_type,
            outcome_score = excluded.outcome_score,
            outcome_timestamp = excluded.outcome_timestamp,
            first_outcome_timestamp = excluded.first_outcome_timestamp,
            updated_at = excluded.updated_at
        returning known.id
    )
    select (select count(*) from written), (select count(*) from once) into n_written, counts.n_distinct;
    select count(source_kind), count(*) filter (where is_first) into counts.n_new, counts.n_new_labels
    from private.arriving where writer = pg_current_xact_id();
    counts.status := 'ok';
    counts.n_updated := n_written - counts.n_new;
    perform private.number_arrivals();

    insert into public.quarantined_interactions (identity, position, source, reasons, record, imported_at)
    select private.digest_id(jsonb_build_array(item -> 'record', item -> 'reasons')), (item ->> 'position')::bigint,
        p_source, array(select jsonb_array_elements_text(item -> 'reasons')), item ->> 'record', p_at
    from public.incoming_rows
    where batch = p_batch and item ? 'reasons'
    order by position
    on conflict (identity) do nothing;

    return jsonb_populate_record(null::public.import_counts, private.finish_batch(p_batch, to_jsonb(counts)));
end $$;
