"""Reading interactions in bulk: straight from Postgres where a DSN is given, else over the API, page by page.

Both ways read the same view with the same limits and give the same interactions. What a row looks like is in
`interaction_columns`.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final
from urllib.parse import quote

import pyarrow as pa

from spots_ml.interactions.columns import rebatch
from spots_ml.interactions.keeping.interaction_store import EmptyStoreError
from spots_ml.interactions.kinds import SourceKind, kind_of
from spots_ml.interactions.source import InteractionStream
from spots_ml.stores.moments import to_text
from spots_ml.stores.read_bounds import ReadBounds
from spots_ml.stores.supabase.interaction_columns import ROWS, rows_of_json, to_interactions
from spots_ml.stores.supabase.postgres.bulk_read import ConsistentRead, DirectReads
from spots_ml.stores.supabase.postgres.same_rows import newest_row, require_same_row, row_found
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.paging import (
    Filter,
    IncompleteReadError,
    KeysetRead,
    count_rows,
    one_of,
    read_pages,
)
from spots_ml.stores.watermark import Watermark

VIEW: Final = "interactions"
_KINDS: Final = "interaction_kinds"
_TABLE: Final = "training_arrivals"
_IDENTITY: Final = "id"
_BATCH_ROWS: Final = 50_000
_STATEMENT_AGENTS: Final = 10_000
_ADDRESS_SIGNS: Final = 4_000
"""How long a list of agents in an address may be: gateways take 8,000 signs for the whole."""


def read_stream(calls: Calls, direct: DirectReads | None, known: Watermark, bounds: ReadBounds) -> InteractionStream:
    """Read interactions as they were known at a point of arrival.

    Args:
        calls: The project.
        direct: Its Postgres; None: the rows come over the API.
        known: The point: outcomes and interactions that arrived later are not shown.
        bounds: Which interactions.

    Returns:
        The interactions in the order of their arrival, with the watermark. Its kind is that of all rows, `hybrid` when
        kinds are mixed. That the rows are all is proven only when the batches end: keep nothing when they raise.

    Raises:
        EmptyStoreError: When the project holds none at all.
        InputError: While reading: when rows are missing or surplus.
        CallError: When a call ends in no answer, also while reading.
    """
    host = calls.connection.host
    kinds: list[SourceKind] = calls.execute(
        "read the kinds of interactions",
        _KINDS,
        lambda client: client.rpc(_KINDS, {"p_rows": str(known.rows)}, get=True),
        repeat="read",
    ).data
    if not kinds:
        raise EmptyStoreError(f"the Supabase project at {host}")
    if bounds.is_everything:
        read = _up_to(known)
        expected = count_rows(calls, read)
        rows = _paged(calls, read) if direct is None else _streamed(calls, direct, known, expected)
        told = f"{expected:,} interactions"
    else:
        rows, told = _in_order(_within(calls, direct, known, bounds), bounds), f"interactions {bounds}"
    return InteractionStream(
        kind=kind_of(kinds),
        batches=rebatch(_numbered(rows, known), _BATCH_ROWS),
        description=f"Supabase project at {host}, {told}",
        watermark=str(known),
    )


def read_agents(
    calls: Calls, direct: DirectReads | None, known: Watermark, agents: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Read all interactions of some agents as they were known at a point of arrival.

    Args:
        calls: The project.
        direct: Its Postgres; None: the rows come over the API.
        known: The point: outcomes and interactions that arrived later are not shown.
        agents: Their ids, each once.

    Yields:
        Batches of schema `INTERACTIONS`; positions count from 0 in no meaningful order.

    Raises:
        InputError: When rows are missing or surplus.
        CallError: When a call ends in no answer.
    """
    yield from _numbered(_within(calls, direct, known, ReadBounds(agents=tuple(agents))), known)


def _within(calls: Calls, direct: DirectReads | None, known: Watermark, bounds: ReadBounds) -> Iterator[pa.RecordBatch]:
    """Read the rows within bounds, proven to be all; in the order of arrival unless agents are asked for."""
    # No interaction of an agent with such a name is ever taken in, and no query can ask for it.
    agents = None if bounds.agents is None else [agent for agent in bounds.agents if "\0" not in agent]
    if direct is not None:
        return _streamed_within(calls, direct, known, bounds, agents)
    period = tuple(Filter("scored_at", operator, text) for operator, text in _period(bounds))
    if agents is None:
        return _paged(calls, _up_to(known, *period))
    reads = (_up_to(known, *period, one_of("agent_id", chunk)) for chunk in _fitting_an_address(agents))
    return chain.from_iterable(_paged(calls, read) for read in reads)


def _period(bounds: ReadBounds) -> list[tuple[str, str]]:
    """The limits of a period, in PostgREST's words."""
    limits = (("gte", bounds.since), ("lt", bounds.until))
    return [(operator, to_text(moment)) for operator, moment in limits if moment is not None]


def _in_order(batches: Iterator[pa.RecordBatch], bounds: ReadBounds) -> Iterator[pa.RecordBatch]:
    """Put rows into the order of their arrival; those of agents, which come agent by agent, are held for that."""
    if bounds.agents is None:
        yield from batches
        return
    table = pa.Table.from_batches(list(batches), ROWS)
    yield from table.sort_by("row_sequence").to_batches(max_chunksize=_BATCH_ROWS)


def _up_to(known: Watermark, *filters: Filter) -> KeysetRead:
    cutoff = Filter("row_sequence", "lte", str(known.rows))
    return KeysetRead(VIEW, tuple(ROWS.names), ("row_sequence",), cutoff, filters)


def _paged(calls: Calls, read: KeysetRead) -> Iterator[pa.RecordBatch]:
    return map(rows_of_json, read_pages(calls, read))


def _streamed(calls: Calls, direct: DirectReads, known: Watermark, expected: int) -> Iterator[pa.RecordBatch]:
    read = _up_to(known)
    with _same_project(calls, direct, known) as snapshot:
        counted = _counted(snapshot, _limit(read))
        # Rows may be deleted at any time: what the API counts before and after has what the snapshot holds between.
        if not count_rows(calls, read) <= counted <= expected:
            raise IncompleteReadError(
                read, f"the API counted {expected:,} rows and Postgres {counted:,}, which no deletion explains"
            )
        yield from _whole(_selected(snapshot, f"{_limit(read)} order by row_sequence"), read, counted)


def _streamed_within(
    calls: Calls, direct: DirectReads, known: Watermark, bounds: ReadBounds, agents: Sequence[str] | None
) -> Iterator[pa.RecordBatch]:
    read = _up_to(known)
    signs = {"gte": ">=", "lt": "<"}
    limits = [_limit(read), *(f"scored_at {signs[operator]} '{text}'" for operator, text in _period(bounds))]
    with _same_project(calls, direct, known) as snapshot:
        if agents is None:
            condition = " and ".join(limits)
            counted = _counted(snapshot, condition)
            yield from _whole(_selected(snapshot, f"{condition} order by row_sequence"), read, counted)
            return
        for start in range(0, len(agents), _STATEMENT_AGENTS):
            condition = " and ".join([*limits, f"agent_id in ({_texts(agents[start : start + _STATEMENT_AGENTS])})"])
            yield from _whole(_selected(snapshot, condition), read, _counted(snapshot, condition))


@contextlib.contextmanager
def _same_project(calls: Calls, direct: DirectReads, known: Watermark) -> Iterator[ConsistentRead]:
    """Open a snapshot that holds the newest of the rows that are to be read."""
    while True:
        newest = newest_row(calls, _TABLE, _IDENTITY, known.rows)
        with direct.consistent() as snapshot:
            found = row_found(snapshot, _TABLE, _IDENTITY, up_to=known.rows)
            if found == newest or newest_row(calls, _TABLE, _IDENTITY, known.rows) == newest:
                require_same_row(snapshot, _TABLE, found, newest)
                yield snapshot
                return
        # That row was deleted meanwhile: another is the newest now.


def _whole(batches: Iterable[pa.RecordBatch], read: KeysetRead, expected: int) -> Iterator[pa.RecordBatch]:
    n_read = 0
    for batch in batches:
        n_read += batch.num_rows
        yield batch
    if n_read != expected:
        raise IncompleteReadError(read, f"{n_read:,} rows came, {expected:,} were counted")


def _selected(snapshot: ConsistentRead, condition: str) -> Iterator[pa.RecordBatch]:
    statement = f"select {', '.join(ROWS.names)} from public.{VIEW} where {condition}"  # noqa: S608 - see `_texts`
    for batch in snapshot.read("read the interactions", VIEW, statement):
        yield batch.cast(ROWS)


def _counted(snapshot: ConsistentRead, condition: str) -> int:
    statement = f"select count(*) as n from public.{VIEW} where {condition}"  # noqa: S608 - see `_texts`
    return sum(batch["n"][0].as_py() for batch in snapshot.read("count the interactions", VIEW, statement))


def _limit(read: KeysetRead) -> str:
    return f"row_sequence <= {int(read.cutoff.value)}"


def _texts(texts: Sequence[str]) -> str:
    """Write texts as rows of SQL; in hexadecimal, so that nothing in them can be taken for SQL."""
    document = json.dumps(list(texts)).encode().hex()
    return f"select jsonb_array_elements_text(convert_from('\\x{document}'::bytea, 'UTF8')::jsonb)"


def _fitting_an_address(texts: Sequence[str]) -> Iterator[list[str]]:
    """Cut texts into chunks that go into the address of a request."""
    chunk: list[str] = []
    size = 0
    for text in texts:
        length = len(quote(f'"{text}",', safe=""))
        if chunk and size + length > _ADDRESS_SIGNS:
            yield chunk
            chunk, size = [], 0
        chunk.append(text)
        size += length
    if chunk:
        yield chunk


def _numbered(batches: Iterator[pa.RecordBatch], known: Watermark) -> Iterator[pa.RecordBatch]:
    position = 0
    for rows in batches:
        yield to_interactions(rows, known, position)
        position += rows.num_rows
