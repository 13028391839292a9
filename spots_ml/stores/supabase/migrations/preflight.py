"""Looking before migrating: what in a database is in the way of pending migrations, all of it, before anything changes.

An app's project may hold tables, schemas and functions of the names that the migrations make, or have made the two
tables that they take over with other columns. What only the rows tell, such as one that breaks a rule, Postgres says
when the migrations are applied, which is all or nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from spots_ml.stores.supabase.migrations.inventory import Inventory, Kind, read_inventory

TAKEN_OVER: Final[dict[str, dict[str, str]]] = {
    "public.calling_score_training_data": {
        "id": "uuid",
        **dict.fromkeys(("agent_id", "opportunity_id"), "text"),
        **dict.fromkeys(
            (
                *("user_vibe_dimensions", "spot_vibe_dimensions", "context_features", "timing_features"),
                *("formula_breakdown", "metadata"),
            ),
            "jsonb",
        ),
        "formula_calling_score": "double precision",
        "formula_is_called": "boolean",
        "outcome_id": "uuid",
        "outcome_type": "text",
        "outcome_score": "double precision",
        **dict.fromkeys(("outcome_timestamp", "timestamp", "created_at", "updated_at"), "timestamp with time zone"),
    },
    "public.calling_score_ab_test_outcomes": {
        "id": "uuid",
        **dict.fromkeys(("agent_id", "opportunity_id", "test_group"), "text"),
        "calling_score": "double precision",
        "is_called": "boolean",
        "outcome_type": "text",
        "outcome_score": "double precision",
        "timestamp": "timestamp with time zone",
    },
}
"""Tables that an app may have made already: their columns and types."""

ADDED: Final[dict[str, tuple[str, ...]]] = {
    "public.calling_score_training_data": (
        *("source_kind", "identity", "model_version", "outcome_model_version", "arm", "propensity", "weight"),
        *("neural_score", "calling_score", "row_sequence", "label_sequence", "features"),
        *("first_outcome_timestamp", "is_called", "fallback", "experiment", "stage", "reported_at"),
    ),
    "public.calling_score_ab_test_outcomes": (
        *("model_version", "outcome_model_version", "propensity", "weight", "formula_score", "neural_score"),
        *("row_sequence", "outcome_id", "fallback", "experiment", "stage", "reported_at"),
    ),
}
"""Columns that the migrations add to them."""

_SAME: Final = {"character varying": "text"}
"""Types that do as well."""

_WORDS: Final = {"r": "table", "p": "partitioned table", "v": "view", "m": "materialized view", "S": "sequence"}

_SCHEMA: Final = "select 1 from pg_catalog.pg_namespace where nspname = 'private'"
_HELD: Final = """
select 'relation' as kind, nspname || '.' || relname as name, relkind::text as what
from pg_catalog.pg_class join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
where nspname in ('public', 'private') and relkind in ('r', 'p', 'v', 'm', 'S', 'f')
union all
select 'type', nspname || '.' || typname, 'type'
from pg_catalog.pg_type join pg_catalog.pg_namespace on pg_namespace.oid = typnamespace
where nspname in ('public', 'private') and typelem = 0
union all
select 'function', nspname || '.' || proname, 'function'
from pg_catalog.pg_proc join pg_catalog.pg_namespace on pg_namespace.oid = pronamespace
where nspname in ('public', 'private')
"""
_COLUMNS: Final = """
select attname, format_type(atttypid, null), attnotnull, atthasdef or attidentity <> '', typtype = 'e'
from pg_catalog.pg_attribute join pg_catalog.pg_type on pg_type.oid = atttypid
where attrelid = %s::regclass and attnum > 0 and not attisdropped
"""
_ZONES: Final = """
select distinct setting from pg_catalog.pg_db_role_setting cross join unnest(setconfig) as setting
where setting ilike 'timezone=%'
    and setdatabase in (0, (select oid from pg_database where datname = current_database()))
    and (setrole = 0 or setrole in (select oid from pg_roles where rolname in ('authenticator', 'authenticated')))
"""
_UTC: Final = ("utc", "etc/utc", "gmt", "etc/gmt", "uct", "etc/uct", "zulu")


@dataclass(frozen=True)
class Obstacle:
    """One thing that is in the way.

    Attributes:
        found: What is there.
        expected: What the migrations need there.
        remedy: What to do.
    """

    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        """Write it as one sentence."""
        return f"{self.found}; expected {self.expected}; {self.remedy}"


def find_obstacles(
    connection: psycopg.Connection, applied: Sequence[Path], pending: Sequence[Path]
) -> tuple[Obstacle, ...]:
    """Look for all that is in the way of migrations; nothing is changed.

    Args:
        connection: The database, as any role.
        applied: Migrations that it has: what they made is no obstacle.
        pending: Migrations that are to be applied, in their order.

    Returns:
        What was found, in no meaningful order; none: nothing that can be seen without reading the rows.
    """
    made, making = read_inventory(applied), read_inventory(pending)
    fresh: dict[Kind, frozenset[str]] = {kind: making.names[kind] - made.names[kind] for kind in making.names}
    return (
        *_schema(connection, made, making),
        *_names(connection, fresh, made),
        *(one for table in TAKEN_OVER if table in fresh["table"] for one in _columns(connection, table)),
        *(_zones(connection) if "private.refuse_other_zones" in fresh["function"] else ()),
    )


def _schema(connection: psycopg.Connection, made: Inventory, making: Inventory) -> Iterator[Obstacle]:
    if "create schema private" not in making.text or "create schema private" in made.text:
        return
    if connection.execute(_SCHEMA).fetchone():
        yield Obstacle(
            "the schema private is there and is none of ours",
            "none of that name",
            "rename it (alter schema private rename to …) and what refers to it, or drop it if it is empty",
        )


def _names(connection: psycopg.Connection, fresh: dict[Kind, frozenset[str]], made: Inventory) -> Iterator[Obstacle]:
    wanted = {
        "relation": {name: kind for kind in ("table", "view", "sequence") for name in fresh[kind]},
        "type": dict.fromkeys(fresh["type"], "type"),
        "function": dict.fromkeys(fresh["function"], "function"),
    }
    ours = frozenset().union(*made.names.values())
    # A table is a type of its name as well; it is told once.
    for kind, name, what in set(connection.execute(_HELD).fetchall()):
        expected = wanted[kind].get(name)
        if expected is None or name in ours or (name in TAKEN_OVER and what == "r"):
            continue
        remedy = (
            f"make it a table, or rename it (alter … {name} rename to …): the migrations take that table over"
            if name in TAKEN_OVER
            else f"rename it (alter {_WORDS.get(what, what)} {name} rename to …) and what refers to it"
        )
        yield Obstacle(
            f"the {_WORDS.get(what, what)} {name} is there and is none of ours",
            "a table" if name in TAKEN_OVER else f"none of that name, which the migrations make a {expected}",
            remedy,
        )


def _columns(connection: psycopg.Connection, table: str) -> Iterator[Obstacle]:
    if connection.execute("select to_regclass(%s)", (table,)).fetchone() == (None,):
        return
    found = {name: rest for name, *rest in connection.execute(_COLUMNS, (table,)).fetchall()}
    for name, expected in TAKEN_OVER[table].items():
        if name not in found:
            yield Obstacle(
                f"{table} has no column {name}",
                f"one of type {expected}",
                f'alter table {table} add "{name}" {expected}',
            )
            continue
        held, _, _, is_enum = found[name]
        if _SAME.get(held, held) != expected:
            yield Obstacle(
                f"the column {name} of {table} is {'the enum ' if is_enum else ''}{held}",
                expected,
                f'alter table {table} alter "{name}" type {expected}{_conversion(name, held, expected)}',
            )
    for name in ADDED[table]:
        if name in found:
            yield Obstacle(
                f"the column {name} of {table} is there and is none of ours",
                "none of that name, which the migrations add",
                f'alter table {table} rename "{name}" to …',
            )
    for name, (_, is_required, has_default, _) in found.items():
        if is_required and not has_default and name not in TAKEN_OVER[table] and name not in ADDED[table]:
            yield Obstacle(
                f"the column {name} of {table} is not null and has no default",
                "that a row may be written without it: imports do not know it",
                f'alter table {table} alter "{name}" drop not null',
            )


def _conversion(name: str, held: str, expected: str) -> str:
    if (held, expected) == ("timestamp without time zone", "timestamp with time zone"):
        return f" using \"{name}\" at time zone 'UTC' (or the zone in which the app meant it)"
    return "" if held in ("real", "numeric") else f' using "{name}"::text::{expected}'


def _zones(connection: psycopg.Connection) -> Iterator[Obstacle]:
    for (setting,) in connection.execute(_ZONES).fetchall():
        zone = setting.partition("=")[2].strip("'\"")
        if zone.lower() not in _UTC:
            yield Obstacle(
                f"sessions of the API read times in the zone {zone}",
                "UTC, in which a time without a zone is meant: agents could write nothing",
                "alter database … set timezone = 'UTC', or alter role … reset timezone where it is a role's setting",
            )


def one_per_line(obstacles: Iterable[Obstacle]) -> str:
    """Write what is in the way as a list.

    Args:
        obstacles: What was found.

    Returns:
        One line each, sorted.
    """
    return "\n".join(f"  {line}" for line in sorted(map(str, obstacles)))
