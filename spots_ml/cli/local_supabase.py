"""`spots-ml local-supabase`: a Supabase project on this machine, as long as a command runs on it."""

import os
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from spots_ml.cli.options import utc_now
from spots_ml.places import LOCAL_PROJECT_ENV
from spots_ml.settings import PREFIX, Settings, environment

if TYPE_CHECKING:
    from spots_ml.interactions.judging.intake import ImportReport
    from spots_ml.local_supabase.stack import LocalProject

_STORE: Final = {f"{PREFIX}STORE": "supabase"}
_URL: Final = f"{PREFIX}SUPABASE_URL"
_KEY: Final = f"{PREFIX}SUPABASE_KEY"


@click.command("local-supabase")
@click.option("--rows", type=click.IntRange(0, 1_000_000), default=5_000, show_default=True, help="To begin with.")
@click.option("--api-port", type=click.IntRange(1, 65_535), help="Of the API.  [default: as in supabase/config.toml]")
@click.option("--database-port", type=click.IntRange(1, 65_535), help="Of Postgres.  [default: likewise]")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def local_supabase_command(
    rows: int, api_port: int | None, database_port: int | None, command: tuple[str, ...]
) -> None:
    """Start a Supabase project on this machine and run COMMAND with it as the store; write -- before it.

    Rows and keys stay in the folder local_supabase of the data folder, and the next start goes on from there. The first
    start takes generated interactions in. Ends when COMMAND does, with its exit status, or at Ctrl-C.
    """
    from spots_ml.local_supabase.ports import LOOPBACK, declared_ports

    declared_api, declared_database = declared_ports()
    api_port, database_port = api_port or declared_api, database_port or declared_database
    # As the command will find them; what is wrong with them is better said before anything is started.
    stand_in = {_URL: f"http://{LOOPBACK}:{api_port}", _KEY: "drawn-later"}
    settings = Settings.from_env(environment() | _STORE | stand_in)
    from spots_ml.local_supabase.seeding import seed_project
    from spots_ml.local_supabase.stack import project_running

    folder = settings.places.local_supabase_dir
    for ended in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ended, _leave)
    with project_running(folder=folder, api_port=api_port, database_port=database_port) as project:
        report = seed_project(project, rows, now=utc_now()) if rows else None
        click.echo(_told(project, folder, report), err=True)
        status = _status_of(command, project)
    click.echo(f"The local Supabase project has stopped; its rows stay in {folder}", err=True)
    click.get_current_context().exit(status)


def _leave(number: int, frame: object) -> NoReturn:
    """End as after Ctrl-C: what was started is stopped in its order."""
    raise SystemExit(128 + number)


def _told(project: "LocalProject", folder: Path, report: "ImportReport | None") -> str:
    lines = [
        f"A local Supabase project runs: {project.url} (API), {project.owner_dsn} (Postgres).",
        f"Rows and keys stay in {folder}; remove that folder to begin anew.",
    ]
    if report is not None:
        lines.append(f"It was empty: {report.n_new:,} generated interactions were taken in.")
    typed = "SPOTS_ML_STORE=supabase make run"
    if environment().get(_URL, "").strip() not in ("", project.url):
        lines.append(f"{_URL} names another project, which other commands use; to make them use this one:")
        typed = f"env $(cat {shlex.quote(str(folder / LOCAL_PROJECT_ENV.name))}) {typed}"
    return "\n".join([*lines, f"In another terminal:  {typed}", "Ctrl-C here stops everything.", ""])


def _status_of(command: tuple[str, ...], project: "LocalProject") -> int:
    """Run the command; Ctrl-C ends it, and is no error."""
    from spots_ml.local_supabase.supervision import Ending, supervised

    # Dagster stops its own processes, one after the other.
    ending = Ending(signal.SIGINT, 30)
    variables = {**os.environ, **project.environment(), **_STORE}
    with supervised(command, ending=ending, cwd=Path.cwd(), env=variables) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            return 0
