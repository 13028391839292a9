"""`spots-ml check-log`: what is missing for proof in what an app sends."""

import json
import textwrap
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from spots_ml.cli.options import json_option, utc_now
from spots_ml.settings import Settings

if TYPE_CHECKING:
    from spots_ml.monitoring.proof.finding import Finding

_WIDTH: Final = 118
_INDENT: Final = 22


@click.command("check-log")
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--store", "of_store", is_flag=True, help="What the configured store holds, instead of a file.")
@click.option("--days", type=click.IntRange(1, 3650), default=28, show_default=True, help="How far back in the store.")
@json_option
@click.pass_context
def check_log_command(ctx: click.Context, path: Path | None, of_store: bool, days: int, as_json: bool) -> None:
    """Say what is missing for proof in what phones report: columns, claims, assignment, lateness, outcomes.

    FILE is an export of the app; nothing of it is kept. Which versions were in service, and which rollouts there are,
    is known from the configured store. Exits with 1 when something is missing.
    """
    from spots_ml.opening import open_store
    from spots_ml.pipeline.intake.log_check_step import check_kept_log, check_told_export

    _require_one(path, of_store=of_store)
    settings, now = Settings.from_env(), utc_now()
    store, maturity = open_store(settings), timedelta(hours=settings.maturity_hours)
    if path is None:
        since = now - timedelta(days=days)
        found = check_kept_log(store, since=since, until=now, now=now, maturity=maturity)
    else:
        found = check_told_export(store, path, now=now, maturity=maturity)
    is_missing = any(one.verdict == "missing" for one in found)
    if as_json:
        document = {"proof": "missing" if is_missing else "possible", "findings": [asdict(one) for one in found]}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(_told(found, is_missing=is_missing))
    if is_missing:
        ctx.exit(1)


def _require_one(path: Path | None, *, of_store: bool) -> None:
    if (path is None) != of_store:
        raise click.UsageError("name a FILE, or say --store: one of them")


def _told(found: "tuple[Finding, ...]", *, is_missing: bool) -> str:
    lines = [line for one in found for line in _lines(one)]
    end = "Something is missing for proof: see MISSING above." if is_missing else "Nothing is missing for proof."
    return "\n".join([*lines, end])


def _lines(one: "Finding") -> list[str]:
    verdict = one.verdict.upper() if one.verdict == "missing" else one.verdict
    return textwrap.wrap(
        one.sentence,
        _WIDTH,
        initial_indent=f"{verdict:8}{one.topic:{_INDENT - 8}}",
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
