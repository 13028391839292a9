"""The command that carries the embedded registry over to Supabase: `sync`."""

import json
from dataclasses import asdict

import click

from spots_ml.cli.options import actor_option, json_option, utc_now
from spots_ml.cli.tables import text_table
from spots_ml.settings import Settings


@click.command("sync")
@actor_option
@json_option
@click.pass_context
def sync_command(context: click.Context, actor: str, as_json: bool) -> None:
    """Carry every version of the embedded registry over to Supabase, with its files and its status.

    What is there already is left as it is, so that it may be run again, also after it was killed. Exits with 1 when a
    version could not be carried over, or could not get its status.
    """
    from spots_ml.opening import open_store, open_supabase
    from spots_ml.stores.sync import carry_over

    settings = Settings.from_env()
    target = open_supabase(settings).versions
    source = open_store(settings, "embedded").versions
    carried = carry_over(source, settings.places.models_dir, target, clock=utc_now, actor=actor)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in carried], indent=2))
    elif not carried:
        click.echo(f"nothing to carry over: {settings.places.database} holds no versions")
    else:
        header = ["model", "version", "outcome", "here", "on supabase", "why"]
        rows = [
            [one.model_type, one.version, one.outcome, one.source_status, one.target_status or "-", one.detail]
            for one in carried
        ]
        click.echo(text_table(header, rows))
    context.exit(1 if any(one.outcome in ("left", "refused") for one in carried) else 0)
