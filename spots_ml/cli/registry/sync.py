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
    """Carry every version of the embedded registry over to Supabase, with its files and its status; then its rollouts.

    Rollouts that are over are known there afterwards, under their numbers; one that is on its way stays here.

    What is there already is left as it is, so that it may be run again, also after it was killed. Exits with 1 when a
    version could not be carried over, or could not get its status.
    """
    from spots_ml.experiments.rollout import rollout_name
    from spots_ml.opening import open_store, open_supabase
    from spots_ml.stores.sync import carry_over
    from spots_ml.stores.sync_rollouts import carry_rollouts

    settings = Settings.from_env()
    target, source = open_supabase(settings), open_store(settings, "embedded")
    carried = carry_over(source.versions, settings.places.models_dir, target.versions, clock=utc_now, actor=actor)
    rollouts = carry_rollouts(source.rollouts, target.rollouts)
    if as_json:
        told = {"versions": [asdict(one) for one in carried], "rollouts": [asdict(one) for one in rollouts]}
        click.echo(json.dumps(told, indent=2))
    elif not carried:
        click.echo(f"nothing to carry over: {settings.places.database} holds no versions")
    else:
        header = ["model", "version", "outcome", "here", "on supabase", "why"]
        rows = [
            [one.model_type, one.version, one.outcome, one.source_status, one.target_status or "-", one.detail]
            for one in carried
        ]
        click.echo(text_table(header, rows))
        if rollouts:
            rows = [[rollout_name(one.number), one.outcome, one.status, one.detail] for one in rollouts]
            click.echo("\n" + text_table(["rollout", "outcome", "here", "why"], rows))
    outcomes = {one.outcome for one in carried} | {one.outcome for one in rollouts}
    context.exit(1 if outcomes & {"left", "refused"} else 0)
