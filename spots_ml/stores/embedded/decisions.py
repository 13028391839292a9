"""The decision log in SQLite: implements `scoring.decision_log.log.DecisionLog`.

What is to be logged waits in a temporary table, which holds nobody up; one short transaction takes it in.

The row of a decision holds the identity of the interaction it belongs to; the outcome stays with the interaction.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from spots_ml.errors import InputError
from spots_ml.scoring.decision_log.fields import DECISIONS, DECISIONS_WITH_OUTCOMES, FIELDS, DecisionField, asked_for
from spots_ml.scoring.decision_log.log import LogReport, check_decisions
from spots_ml.stores.embedded import decision_sql as sql
from spots_ml.stores.embedded.database import Database, identity_of, transaction
from spots_ml.stores.embedded.decision_sql import COLUMNS, HISTORY, IDENTITY
from spots_ml.stores.moments import check_period, to_microseconds, to_text

_HISTORY_DTYPE: Final = np.dtype("<f4")
_PACKED: Final = tuple(field.name for field in FIELDS if field.packing == "history")
_HISTORY_BYTES: Final = len(_PACKED) * _HISTORY_DTYPE.itemsize
_FIELDS: Final = {field.name: field for field in FIELDS}

_BATCH_ROWS: Final = 50_000


class EmbeddedDecisionLog:
    """Decisions in the embedded store.

    Args:
        database: The embedded store's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def log_decisions(self, decisions: Iterable[pa.Table], *, now: datetime) -> LogReport:
        """Add decisions, each once; what is known stays as it was made.

        All or nothing. Other processes wait only for the last step, in which all of them are made visible.

        Args:
            decisions: Tables of rows of schema `DECISIONS`, taken one after another.
            now: The present, with a time zone.

        Returns:
            How many were new, with which claims, how many were known, and which of these would be made otherwise now.

        Raises:
            InputError: When a table is refused by `check_decisions`; nothing is logged then.
        """
        logged_at = to_text(now)
        n_given = 0
        with self._database.reading() as connection:
            connection.execute(sql.STAGE)
            for table in decisions:
                for batch in check_decisions(table).to_batches(max_chunksize=_BATCH_ROWS):
                    # Not `transaction`: what is written here is this connection's own, and needs no lock.
                    connection.execute("BEGIN")
                    connection.executemany(sql.ADD, rows_of_decisions(batch, n_given))
                    connection.execute("COMMIT")
                    n_given += batch.num_rows
            connection.execute(sql.SORT)
            with transaction(connection):
                connection.execute(sql.SETTLE)
                reached = connection.execute(sql.REACHED).fetchone()[0]
                n_new = connection.execute(sql.INSERT, (logged_at,)).rowcount
                claims = {claim: count for claim, count in connection.execute(sql.CLAIMS, (reached,))}
            others = tuple(row[0] for row in connection.execute(sql.OTHERS)) if n_new < n_given else ()
        return LogReport(n_new, n_given - n_new, others, claims)

    def find_decisions(self, ids: Sequence[str]) -> pa.Table:
        """Look decisions up.

        Args:
            ids: Of decisions.

        Returns:
            Those that are logged, rows of schema `DECISIONS` in any order.
        """
        batches = []
        with self._database.consistent() as connection:
            cursor = connection.cursor()
            cursor.row_factory = None
            cursor.execute(sql.FIND, (json.dumps(list(ids)),))
            while rows := cursor.fetchmany(_BATCH_ROWS):
                batches.append(decisions_of_rows(rows))
        return pa.Table.from_batches(batches, schema=DECISIONS_WITH_OUTCOMES).select(DECISIONS.names)

    def read_decisions(self, since: datetime, until: datetime, *, columns: Collection[str] | None = None) -> pa.Table:
        """Read the decisions of a period with the outcomes that are known now, all of one moment.

        Args:
            since: Start of the period, with a time zone; inclusive.
            until: Its end; exclusive.
            columns: What is asked for; None: everything, which of a million decisions is half a gigabyte.

        Returns:
            Rows by moment and id, with these columns of schema `DECISIONS_WITH_OUTCOMES` in its order; possibly none.

        Raises:
            InputError: When a moment has no zone, the period ends before it starts, or rows are missing.
        """
        check_period(since, until)
        schema = asked_for(columns)
        limits = {"since": to_microseconds(since), "until": to_microseconds(until)}
        batches = []
        with self._database.consistent() as connection:
            expected = connection.execute(sql.COUNT, limits).fetchone()[0]
            cursor = connection.cursor()
            cursor.row_factory = None
            cursor.execute(sql.read_statement(_names(schema)), limits)
            while rows := cursor.fetchmany(_BATCH_ROWS):
                batches.append(decisions_of_rows(rows, schema))
        table = pa.Table.from_batches(batches, schema=schema)
        if table.num_rows != expected:
            raise InputError(
                f"the store {self._database.path} gave {table.num_rows:,} of {expected:,} decisions: its index and "
                "its table disagree; restore it from a backup"
            )
        return table


def rows_of_decisions(batch: pa.RecordBatch, first_position: int) -> Iterator[tuple[Any, ...]]:
    """Turn decisions into rows for SQLite.

    Args:
        batch: Rows of schema `DECISIONS` that `check_decisions` has accepted.
        first_position: Position of the first of them in the call.

    Returns:
        One tuple per row: its position, then `decision_sql.COLUMNS`; unknown is None.
    """
    content = np.stack([batch[name].to_numpy() for name in _PACKED], axis=1).astype(_HISTORY_DTYPE).tobytes()
    columns: dict[str, Any] = {field.sql_name: _kept(field, batch[field.name]) for field in FIELDS}
    columns[HISTORY] = (content[start : start + _HISTORY_BYTES] for start in range(0, len(content), _HISTORY_BYTES))
    columns[IDENTITY] = map(identity_of, columns["agent_id"], columns["opportunity_id"], columns["decided_at"])
    positions = range(first_position, first_position + batch.num_rows)
    return zip(positions, *(columns[name] for name in COLUMNS), strict=True)


def decisions_of_rows(rows: Sequence[tuple[Any, ...]], schema: pa.Schema = DECISIONS_WITH_OUTCOMES) -> pa.RecordBatch:
    """Turn rows of SQLite into decisions.

    Args:
        rows: Tuples with the columns that are kept of the schema; at least one.
        schema: Fields of decisions and outcomes.

    Returns:
        As many rows of that schema.
    """
    columns: dict[str, Any] = dict(zip(_names(schema), zip(*rows, strict=True), strict=True))
    if HISTORY in columns:
        history = np.frombuffer(b"".join(columns.pop(HISTORY)), _HISTORY_DTYPE).reshape(len(rows), -1)
    for name in schema.names:
        field = _FIELDS.get(name)
        if field is not None and field.packing == "history":
            columns[name] = np.ascontiguousarray(history[:, _PACKED.index(name)])
        elif field is not None:
            columns[name] = _told(field, columns[field.sql_name])
    return pa.RecordBatch.from_arrays([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def _names(schema: pa.Schema) -> tuple[str, ...]:
    """Name the columns that are kept of a schema: the history is one of them."""
    fields = (_FIELDS.get(name) for name in schema.names)
    kept = (
        name if field is None else HISTORY if field.packing == "history" else field.sql_name
        for name, field in zip(schema.names, fields, strict=True)
    )
    return tuple(dict.fromkeys(kept))


def _kept(field: DecisionField, values: pa.Array) -> Iterable[Any]:
    if field.packing == "history":
        return ()
    if field.packing == "bytes":
        return map(bytes.fromhex, values.to_pylist())
    kept: list[Any] = (values.cast(pa.int64()) if pa.types.is_timestamp(field.type) else values).to_pylist()
    return kept


def _told(field: DecisionField, values: Sequence[Any]) -> Any:
    if field.packing == "bytes":
        return map(bytes.hex, values)
    if pa.types.is_boolean(field.type):
        return pa.array(values, pa.int8()).cast(pa.bool_())
    return values
