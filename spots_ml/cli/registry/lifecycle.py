"""Commands that change which version rules and how far: `promote`, `rollback`, `archive`, `weight` and so on."""

from functools import partial
from typing import TYPE_CHECKING

import click

from spots_ml.cli.options import force_option, model_argument, open_versions, utc_now, version_argument, who_and_why
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.settings import Settings
from spots_ml.texts import require_line

if TYPE_CHECKING:
    from spots_ml.registry.records import ModelVersion
    from spots_ml.registry.version_store import VersionLookup


@click.command("promote")
@model_argument()
@version_argument()
@force_option
@who_and_why
def promote_command(model_type: ModelType, version: str, force: bool, actor: str, reason: str) -> None:
    """Make a staging version the active one, or a deprecated one again; the active one becomes deprecated.

    It needs a blessing against the version that is active now, see `bless`. First says what it changes for people,
    measured on the version's test rows beside what answers now.
    """
    settings = Settings.from_env()
    store = open_versions(settings)
    if not force:
        from spots_ml.pipeline.before_traffic.promotion_step import promotion_effect
        from spots_ml.registry.lifecycle import RegistryState, promotion

        for told, what in ((actor, "actor"), (reason, "reason")):
            require_line(told, what)  # before anything takes its time, and so is what the registry will refuse
        blessings = partial(store.newest_blessing, model_type)
        promotion(model_type, version, reason=reason)(
            RegistryState(store.list_versions(model_type), store.history(model_type), blessings)
        )
        click.echo(promotion_effect(settings.places, store, model_type, version))
    changed = store.promote(model_type, version, now=utc_now(), actor=actor, reason=reason, forced=force)
    click.echo(f"{model_type} {changed.version} is {changed.status} now, weight {changed.weight:g}")


@click.command("rollback")
@model_argument()
@who_and_why
def rollback_command(model_type: ModelType, actor: str, reason: str) -> None:
    """Make what answered before answer again: the version that was active then, or none."""
    store = open_versions()
    changed = store.rollback(model_type, now=utc_now(), actor=actor, reason=reason)
    if changed.status == "active":
        click.echo(f"{model_type} {changed.version} is {changed.status} again, weight {changed.weight:g}")
    else:
        click.echo(_without(store, changed))


@click.command("withdraw")
@model_argument()
@who_and_why
def withdraw_command(model_type: ModelType, actor: str, reason: str) -> None:
    """Leave no version active: the formula answers, or the outcome rule, until a version is promoted."""
    store = open_versions()
    changed = store.withdraw(model_type, now=utc_now(), actor=actor, reason=reason)
    click.echo(_without(store, changed))


def _without(store: "VersionLookup", version: "ModelVersion") -> str:
    from spots_ml.registry.in_service import way_to_promote

    return (
        f"{version.model_type} {version.version} is deprecated now, no version is active: "
        f"{model_spec(version.model_type).stand_in} answers; {way_to_promote(store, version)} makes it active again"
    )


@click.command("archive")
@model_argument()
@version_argument()
@who_and_why
def archive_command(model_type: ModelType, version: str, actor: str, reason: str) -> None:
    """Put a staging or deprecated version away."""
    changed = open_versions().archive(model_type, version, now=utc_now(), actor=actor, reason=reason)
    click.echo(f"{model_type} {changed.version} is {changed.status} now")


@click.command("unarchive")
@model_argument()
@version_argument()
@who_and_why
def unarchive_command(model_type: ModelType, version: str, actor: str, reason: str) -> None:
    """Bring an archived version back to staging; a reason is needed."""
    changed = open_versions().unarchive(model_type, version, now=utc_now(), actor=actor, reason=reason)
    click.echo(f"{model_type} {changed.version} is in {changed.status} again")


@click.command("weight")
@model_argument()
@version_argument()
@click.argument("weight", metavar="WEIGHT", type=float)
@who_and_why
def weight_command(model_type: ModelType, version: str, weight: float, actor: str, reason: str) -> None:
    """Set how much the neural score of a staging or active version counts, 0 to 1."""
    changed = open_versions().set_weight(model_type, version, weight, now=utc_now(), actor=actor, reason=reason)
    click.echo(f"{model_type} {changed.version} is {changed.status}, weight {changed.weight:g} now")
