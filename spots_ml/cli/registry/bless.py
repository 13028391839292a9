"""The command `bless`."""

import json

import click

from spots_ml.cli.options import actor_option, json_option, model_argument, open_versions, utc_now, version_argument
from spots_ml.models.declared import ModelType
from spots_ml.settings import Settings


@click.command("bless")
@model_argument()
@version_argument()
@click.option("--anew", is_flag=True, help="Compare although the same was compared already.")
@actor_option
@json_option
@click.pass_context
def bless_command(
    context: click.Context, model_type: ModelType, version: str, anew: bool, actor: str, as_json: bool
) -> None:
    """Compare a version with the active one and with what stands in, overall and by slice, and keep what was found.

    Promotion and traffic need it. Exits with 1 when the version is not good enough, or that cannot be measured here.
    """
    from spots_ml.pipeline.before_traffic.blessing_step import bless_version
    from spots_ml.registry.in_service import way_to_promote
    from spots_ml.texts import require_line

    require_line(actor, "actor")
    settings = Settings.from_env()
    store = open_versions(settings)
    done = bless_version(settings.places, store, model_type, version, now=utc_now(), actor=actor, anew=anew)
    kept = done.kept
    if as_json:
        click.echo(json.dumps({**kept.model_dump(mode="json"), "made_already": done.made_already}, indent=2))
    else:
        verb = "is blessed" if kept.passed else "is NOT blessed"
        found = " (found, not made now)" if done.made_already else ""
        click.echo(f"{model_type} {version} {verb}, number {kept.number}{found}: {kept.blessing.sentence}")
        if kept.passed:
            click.echo(f"{way_to_promote(store, store.get(model_type, version))} makes it active")
    context.exit(0 if kept.passed else 1)
