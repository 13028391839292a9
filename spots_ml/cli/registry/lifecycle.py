"""Commands that change which version rules: `promote`, `rollback`, `archive`."""

import click

from spots_ml.cli.options import model_argument, open_versions, utc_now, version_argument, who_and_why
from spots_ml.models.declared import ModelType


@click.command("promote")
@model_argument()
@version_argument()
@who_and_why
def promote_command(model_type: ModelType, version: str, actor: str, reason: str) -> None:
    """Make a staging version the active one; the active one becomes deprecated."""
    changed = open_versions().promote(model_type, version, now=utc_now(), actor=actor, reason=reason)
    click.echo(f"{model_type} {changed.version} is {changed.status} now, weight {changed.weight:g}")


@click.command("rollback")
@model_argument()
@who_and_why
def rollback_command(model_type: ModelType, actor: str, reason: str) -> None:
    """Make the version active again that was active before."""
    changed = open_versions().rollback(model_type, now=utc_now(), actor=actor, reason=reason)
    click.echo(f"{model_type} {changed.version} is {changed.status} again, weight {changed.weight:g}")


@click.command("archive")
@model_argument()
@version_argument()
@who_and_why
def archive_command(model_type: ModelType, version: str, actor: str, reason: str) -> None:
    """Put a staging or deprecated version away for good."""
    changed = open_versions().archive(model_type, version, now=utc_now(), actor=actor, reason=reason)
    click.echo(f"{model_type} {changed.version} is {changed.status} now")
