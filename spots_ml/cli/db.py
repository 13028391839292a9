"""Commands about the schema of a Supabase project: `db push` applies the migrations, `db status` says which are."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spots_ml.cli.options import json_option
from spots_ml.cli.tables import text_table
from spots_ml.cli.whole_help import WholeHelpGroup
from spots_ml.errors import ConfigError
from spots_ml.settings import PREFIX, Settings

if TYPE_CHECKING:
    from spots_ml.stores.supabase.migrations.account import Migration
    from spots_ml.stores.supabase.postgres.same_project import Comparison

_MAY_WRITE = "which may write: only `db push` needs that, bulk reads take spots_ml_reader (docs/how-to/supabase.md)"


@click.group("db", cls=WholeHelpGroup)
def db_command() -> None:
    """The schema of the Supabase project: which migrations it has, and giving it those it lacks."""


@db_command.command("push")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--by-cli", is_flag=True, help="By the Supabase CLI, file by file.")
def push_command(yes: bool, by_cli: bool) -> None:
    """Apply the migrations that the project lacks, all of them or none.

    What is in the way is looked for before, and told all at once. The Supabase CLI applies file by file: where one is
    refused, those before it stay.
    """
    from spots_ml.stores.supabase.migrations.account import read_migrations, require_unchanged
    from spots_ml.stores.supabase.migrations.push import find_cli, push_migrations
    from spots_ml.stores.supabase.postgres.dsn import PostgresDsn

    dsn = _dsn(Settings.from_env())
    migrations = read_migrations(dsn)
    require_unchanged(migrations)
    _tell_others(migrations)
    pending = [one.file_name for one in migrations if one.state == "pending"]
    if not pending:
        click.echo("nothing to apply: the project has every migration")
        return
    cli = _found(find_cli()) if by_cli else None
    click.echo(f"To be applied to {PostgresDsn.read(dsn).host}, {f'by {cli}' if cli else 'directly'}:")
    click.echo("\n".join(f"  {name}" for name in pending))
    if not yes:
        click.confirm("Apply them?", abort=True)
    click.echo(f"{len(push_migrations(dsn, cli=cli))} applied")


@db_command.command("status")
@json_option
@click.pass_context
def migration_status_command(context: click.Context, as_json: bool) -> None:
    """Show which migrations are applied, pending, changed since or unknown here.

    Unknown are those of other programs, such as the app's, and those of a later version of this one. Once none is
    pending, it is told what lets somebody do more, or less, with this project's tables, views and functions than the
    migrations do. When address and key of the API are set, too, it is checked that both belong to one project. Exits
    with 1 when a migration is pending or changed, when access is another, or when they belong to two projects.
    """
    from spots_ml.stores.supabase.migrations.access import foreign_access, role_of
    from spots_ml.stores.supabase.migrations.account import read_migrations

    settings = Settings.from_env()
    migrations = read_migrations(_dsn(settings))
    complete = all(one.state in ("applied", "unknown") for one in migrations)
    foreign = foreign_access(_dsn(settings)) if complete else None
    role = role_of(_dsn(settings))
    comparison = _compared(settings) if complete else None
    if as_json:
        told = [{"version": one.version, "name": one.name, "state": one.state} for one in migrations]
        project = None if comparison is None else {"same": comparison.same, "detail": comparison.detail}
        asks = {"name": role.name, "may_write": role.may_write}
        click.echo(json.dumps({"migrations": told, "access": foreign, "role": asks, "project": project}, indent=2))
    else:
        click.echo(text_table(["version", "name", "state"], [[one.version, one.name, one.state] for one in migrations]))
        if foreign:
            click.echo(f"\nACCESS IS NOT AS THE MIGRATIONS LEFT IT, in {len(foreign)} points:")
            click.echo("\n".join(f"  {one}" for one in foreign))
        elif foreign is not None:
            click.echo("\nWho may do what: as the migrations left it")
        click.echo(f"Postgres is asked as {role.name}, {_MAY_WRITE if role.may_write else 'which can only read'}")
        if comparison is not None:
            verdict = "one project" if comparison.same else "NOT ONE PROJECT"
            click.echo(f"\nAPI and Postgres: {verdict}; {comparison.detail}")
    context.exit(0 if complete and not foreign and (comparison is None or comparison.same) else 1)


def _found(cli: Path | None) -> Path:
    if cli is None:
        raise ConfigError("the Supabase CLI is not on the PATH; install it, or push without --by-cli")
    return cli


def _dsn(settings: Settings) -> str:
    if settings.supabase_dsn is None:
        raise ConfigError(
            f"{PREFIX}SUPABASE_DSN is not set; set it to the project's Postgres, such as "
            "postgresql://user:password@host:5432/postgres (see docs/how-to/supabase.md); that of `make dev-supabase` "
            f"is found where {PREFIX}STORE=supabase is set"
        )
    return settings.supabase_dsn


def _tell_others(migrations: "tuple[Migration, ...]") -> None:
    others = [one.file_name for one in migrations if one.state == "unknown"]
    if others:
        click.echo(
            f"The project has {len(others)} that are not in supabase/migrations, of another program or a later one; "
            f"they stay: {', '.join(others)}",
            err=True,
        )


def _compared(settings: Settings) -> "Comparison | None":
    if not (settings.supabase_url and settings.supabase_key):
        return None
    from spots_ml.opening import open_calls
    from spots_ml.stores.supabase.postgres.same_project import compare_projects

    with open_calls(settings) as calls:
        return compare_projects(calls, _dsn(settings))
