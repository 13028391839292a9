"""Whether a database still lets everybody do what the migrations let them do, and no more.

An app's own migrations come before and after these. What they add to tables, views and functions of this project is
named here: policies, grants, row level security that was turned off, views that show rows to whoever reads them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from spots_ml.stores.supabase.migrations.account import MIGRATIONS_DIR, migration_files
from spots_ml.stores.supabase.migrations.inventory import Inventory, read_inventory
from spots_ml.stores.supabase.migrations.rights import FUNCTION_RIGHTS, READER, RELATION_RIGHTS
from spots_ml.stores.supabase.postgres.connecting import connected
from spots_ml.stores.supabase.postgres.dsn import PostgresDsn
from spots_ml.stores.supabase.transport.refusals import Call

AT_THE_MOST: Final = tuple(f"at_the_most_{command}" for command in ("select", "insert", "update", "delete"))
"""The restrictive policies of every table."""

_OURS: Final = "namespace.nspname in ('public', 'private')"

_RELATIONS: Final = f"""
select nspname || '.' || relname as name, relkind as kind, relrowsecurity as has_security,
    coalesce('security_invoker=true' = any (reloptions), false) as asks_as_reader
from pg_catalog.pg_class join pg_catalog.pg_namespace as namespace on namespace.oid = relnamespace
where {_OURS}
"""  # noqa: S608 - constants

_SEQUENCES: Final = """
select space.nspname || '.' || counter.relname as name, table_space.nspname || '.' || counted.relname as of_table
from pg_catalog.pg_depend
join pg_catalog.pg_class as counter on counter.oid = objid and classid = 'pg_class'::regclass and counter.relkind = 'S'
join pg_catalog.pg_namespace as space on space.oid = counter.relnamespace
join pg_catalog.pg_class as counted on counted.oid = refobjid and refclassid = 'pg_class'::regclass
join pg_catalog.pg_namespace as table_space on table_space.oid = counted.relnamespace
where deptype in ('a', 'i')
"""

_RELATION_GRANTS: Final = f"""
select nspname || '.' || relname as name, relation.of_column, coalesce(rolname, 'everybody') as role, privilege_type
from (
    select oid, null as of_column, relacl as acl from pg_catalog.pg_class
    union all
    select attrelid, attname, attacl from pg_catalog.pg_attribute where attacl is not null and not attisdropped
) as relation
join pg_catalog.pg_class on pg_class.oid = relation.oid
join pg_catalog.pg_namespace as namespace on namespace.oid = relnamespace
cross join lateral aclexplode(relation.acl) as granted
left join pg_catalog.pg_roles on pg_roles.oid = granted.grantee
where {_OURS} and granted.grantee <> relowner and not coalesce(rolsuper, false)
"""  # noqa: S608 - constants

_FUNCTIONS: Final = f"""
select nspname || '.' || proname as name, pg_proc.oid::regprocedure::text as signature, prosrc as source,
    array(
        select coalesce(rolname, 'everybody')
        from aclexplode(coalesce(proacl, acldefault('f', proowner))) as granted
        left join pg_catalog.pg_roles on pg_roles.oid = granted.grantee
        where granted.grantee <> proowner and not coalesce(rolsuper, false)
    )::text[] as roles
from pg_catalog.pg_proc join pg_catalog.pg_namespace as namespace on namespace.oid = pronamespace
where {_OURS}
"""  # noqa: S608 - constants

_POLICIES: Final = """
select schemaname || '.' || tablename as name, policyname as policy, permissive = 'RESTRICTIVE' as restricts, cmd,
    roles::text[] as roles, coalesce(qual, with_check) as condition
from pg_catalog.pg_policies where schemaname in ('public', 'private')
"""

_TRIGGERS_OFF: Final = f"""
select nspname || '.' || relname as name, tgname as trigger
from pg_catalog.pg_trigger join pg_catalog.pg_class on pg_class.oid = tgrelid
join pg_catalog.pg_namespace as namespace on namespace.oid = relnamespace
where {_OURS} and not tgisinternal and tgenabled = 'D'
"""  # noqa: S608 - constants

_SHOWN_ELSEWHERE: Final = """
select distinct source_space.nspname || '.' || source.relname as name, space.nspname || '.' || shown.relname as shown
from pg_catalog.pg_depend
join pg_catalog.pg_rewrite on pg_rewrite.oid = objid and classid = 'pg_rewrite'::regclass
join pg_catalog.pg_class as shown on shown.oid = ev_class
join pg_catalog.pg_namespace as space on space.oid = shown.relnamespace
join pg_catalog.pg_class as source on source.oid = refobjid and refclassid = 'pg_class'::regclass
join pg_catalog.pg_namespace as source_space on source_space.oid = source.relnamespace
where shown.oid <> source.oid and source_space.nspname in ('public', 'private')
    and (shown.relkind = 'm' or not coalesce('security_invoker=true' = any (shown.reloptions), false))
"""

_ROLE: Final = f"""
select current_user::text as name, coalesce(bool_or(
    has_table_privilege(pg_class.oid, 'insert, update, delete, truncate')
    or has_any_column_privilege(pg_class.oid, 'update')
), false) as may_write
from pg_catalog.pg_class join pg_catalog.pg_namespace as namespace on namespace.oid = relnamespace
where {_OURS} and relkind in ('r', 'p') and nspname || '.' || relname = any(%s)
"""  # noqa: S608 - constants

_KINDS: Final = {"r": "table", "p": "table", "v": "view", "S": "sequence"}


@dataclass(frozen=True)
class DsnRole:
    """As whom a DSN reads.

    Attributes:
        name: The role.
        may_write: Whether it may change rows of any table of this project.
    """

    name: str
    may_write: bool


def foreign_access(url: str, folder: Path = MIGRATIONS_DIR) -> tuple[str, ...]:
    """Name everything by which a database lets somebody do other things than the migrations do; nothing is changed.

    Args:
        url: The project's Postgres, with all migrations; any role that may connect.
        folder: Where the migrations lie.

    Returns:
        One sentence each, with what to do; none: all is as the migrations left it. Of policies it is looked at names,
        kinds, roles and at conditions that are always true.

    Raises:
        ConfigError: When `url` is no address of a Postgres.
        CallError: When it cannot be reached, or lets nobody in.
    """
    dsn, inventory = PostgresDsn.read(url), read_inventory(migration_files(folder))
    with connected(dsn, Call("read who may do what", "pg_catalog", dsn.host)) as connection:
        look = _Look(connection, inventory)
        found = [*look.relations(), *look.grants(), *look.functions(), *look.policies(), *look.ways_around()]
    return tuple(sorted(found))


def role_of(url: str, folder: Path = MIGRATIONS_DIR) -> DsnRole:
    """Tell as whom a DSN reads.

    Args:
        url: The project's Postgres.
        folder: Where the migrations lie.

    Returns:
        The role, and whether it may do more than read.

    Raises:
        ConfigError: When `url` is no address of a Postgres.
        CallError: When it cannot be reached, or lets nobody in.
    """
    dsn, tables = PostgresDsn.read(url), read_inventory(migration_files(folder)).names["table"]
    with connected(dsn, Call("read who asks", "pg_catalog", dsn.host)) as connection:
        (row,) = connection.execute(_ROLE, (list(tables),)).fetchall()
    return DsnRole(name=row[0], may_write=row[1])


class _Look:
    """What the catalogue says of what is ours."""

    def __init__(self, connection: psycopg.Connection, inventory: Inventory) -> None:
        self._connection = connection
        self._names = inventory.names
        self._text = inventory.text
        self._tables = inventory.names["table"]

    def _rows(self, statement: str) -> list[dict[str, Any]]:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement).fetchall()

    def relations(self) -> Iterator[str]:
        known = {row["name"]: row for row in self._rows(_RELATIONS)}
        for kind in ("table", "view", "sequence"):
            for name in self._names[kind]:
                row = known.get(name)
                if row is None or _KINDS.get(row["kind"]) != kind:
                    yield f"the {kind} {name} is gone; restore it from a backup"
                elif kind == "table" and not row["has_security"]:
                    yield f"{name} has no row level security; alter table {name} enable row level security"
                elif kind == "view" and not row["asks_as_reader"]:
                    yield f"{name} shows what its owner may see; alter view {name} set (security_invoker = true)"

    def grants(self) -> Iterator[str]:
        counting = {row["name"] for row in self._rows(_SEQUENCES) if row["of_table"] in self._tables}
        ours = self._tables | self._names["view"] | counting
        found: dict[str, set[tuple[str, str]]] = {}
        for row in self._rows(_RELATION_GRANTS):
            if row["name"] in ours:
                name = row["name"] if row["of_column"] is None else f"{row['name']}.{row['of_column']}"
                found.setdefault(row["role"], set()).add((name, row["privilege_type"]))
        yield from _compared(found, RELATION_RIGHTS, ours)

    def functions(self) -> Iterator[str]:
        found: dict[str, set[tuple[str, str]]] = {}
        for row in self._rows(_FUNCTIONS):
            if row["name"] not in self._names["function"]:
                continue
            if row["source"] not in self._text:
                yield (
                    f"the function {row['signature']} does what none of the migrations says; replace it by the text of "
                    "the latest migration that makes it"
                )
            for role in row["roles"]:
                found.setdefault(role, set()).add((row["name"], "EXECUTE"))
        declared = {role: {(name, "EXECUTE") for name in names} for role, names in FUNCTION_RIGHTS.items()}
        yield from _compared(found, declared, self._names["function"])

    def policies(self) -> Iterator[str]:
        found = {f"{row['name']} {row['policy']}": row for row in self._rows(_POLICIES) if row["name"] in self._tables}
        expected = self._names["policy"] | {f"{table} {name}" for table in self._tables for name in AT_THE_MOST}
        for name in found.keys() - expected:
            table, policy = name.split(" ", 1)
            yield f'{table} has the policy "{policy}", which is none of ours; drop policy "{policy}" on {table}'
        for name in expected - found.keys():
            table, policy = name.split(" ", 1)
            yield f"the policy {policy} of {table} is gone; restore it from the migration"
        for name in expected & found.keys():
            row = found[name]
            most = row["policy"] in AT_THE_MOST
            if most and (not row["restricts"] or row["roles"] != ["public"]):
                yield f"the policy {row['policy']} of {row['name']} no longer restricts everybody; restore it"
            if row["condition"] == "true" and row["roles"] != [READER]:
                yield f"the policy {row['policy']} of {row['name']} is always true; restore it from the migration"

    def ways_around(self) -> Iterator[str]:
        ours = self._tables | self._names["view"]
        for row in self._rows(_TRIGGERS_OFF):
            if row["name"] in ours:
                yield (
                    f"the trigger {row['trigger']} of {row['name']} is turned off; alter table {row['name']} enable "
                    f"trigger {row['trigger']}"
                )
        for row in self._rows(_SHOWN_ELSEWHERE):
            if row["name"] in ours and row["shown"] not in ours:
                yield (
                    f"{row['shown']} shows rows of {row['name']} to all who may read it, whatever they may see; "
                    "drop it, or make it a view with security_invoker"
                )


def _compared(
    found: Mapping[str, set[tuple[str, str]]],
    declared: Mapping[str, frozenset[tuple[str, str]] | set[tuple[str, str]]],
    ours: frozenset[str] | set[str],
) -> Iterator[str]:
    for role in found.keys() | declared.keys():
        has, may = found.get(role, set()), declared.get(role, frozenset())
        for name, right in has - may:
            yield f"{role} has {right} on {name}; revoke {right.lower()} on it from {_sql(role)}"
        for name, right in may - has:
            if ".".join(name.split(".")[:2]) in ours:
                yield f"{role} has no {right} on {name}, which it needs; grant it again"


def _sql(role: str) -> str:
    return "public" if role == "everybody" else role
