"""Commands that change which version rules and how far: `promote`, `rollback`, `archive`, `weight`, `traffic`."""

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


@click.command("weight")
@model_argument()
@version_argument()
@click.argument("weight", metavar="WEIGHT", type=float)
@who_and_why
def weight_command(model_type: ModelType, version: str, weight: float, actor: str, reason: str) -> None:
    """Set how much the neural score of a staging or active version counts, 0 to 1."""
    changed = open_versions().set_weight(model_type, version, weight, now=utc_now(), actor=actor, reason=reason)
    click.echo(f"{model_type} {changed.version} is {changed.status}, weight {changed.weight:g} now")


@click.command("traffic")
@model_argument()
@version_argument()
@click.argument("traffic", metavar="SHARE", type=float)
@who_and_why
def traffic_command(model_type: ModelType, version: str, traffic: float, actor: str, reason: str) -> None:
    """Offer a staging version to a share of the hybrid group, 0 to 1; 0 takes it back."""
    changed = open_versions().set_traffic(model_type, version, traffic, now=utc_now(), actor=actor, reason=reason)
    click.echo(f"{model_type} {changed.version} is {changed.status}, traffic {changed.traffic:g} now")
