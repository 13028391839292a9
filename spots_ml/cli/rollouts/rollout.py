"""`spots-ml rollout …`: how a version is rolled out, and a person's hand on it."""

import json
from typing import TYPE_CHECKING, Any

import click

from spots_ml.cli.options import actor_option, json_option, model_argument, utc_now, version_argument
from spots_ml.cli.whole_help import WholeHelpGroup
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.settings import Settings

if TYPE_CHECKING:
    from spots_ml.experiments.rollout import Rollout
    from spots_ml.pipeline.rollouts.by_hand import HandAction
    from spots_ml.pipeline.rollouts.controller import Looked
    from spots_ml.pipeline.rollouts.rollout_view import RolloutView

_why = click.option("--reason", required=True, help="Why; it is kept with the rollout.")


@click.group("rollout", cls=WholeHelpGroup)
def rollout_command() -> None:
    """Roll versions out: start, look, and step in."""


@rollout_command.command("start")
@model_argument()
@version_argument(required=False)
@click.option("--force", "forced", is_flag=True, help="Step around a blessing that is missing; needs a reason.")
@click.option("--reason", default="", help="Why, for the history.")
@actor_option
@json_option
def start_command(
    model_type: ModelType, version: str | None, forced: bool, reason: str, actor: str, as_json: bool
) -> None:
    """Start the rollout of a version in staging: the one named, or the newest that waits."""
    from spots_ml.pipeline.forecasting.forecast_step import forecast_before_start
    from spots_ml.pipeline.rollouts.starting import chosen_by_hand, rollouts_of, start_upcoming
    from spots_ml.texts import require_line

    settings = Settings.from_env()
    store = _open(settings)
    models_dir = settings.places.models_dir
    upcoming = chosen_by_hand(rollouts_of(store, model_type), version)
    if upcoming.kind == "version":
        forecast_before_start(
            store, models_dir, model_type, upcoming.version, settings.rollout, now=utc_now(), actor=actor
        )
    started = start_upcoming(
        store,
        models_dir,
        model_type,
        upcoming,
        settings.rollout,
        now=utc_now(),
        actor=actor,
        reason=require_line(reason, "reason"),
        forced=forced,
    )
    _tell(started, as_json)


@rollout_command.command("status")
@model_argument(required=False)
@json_option
def rollout_status_command(model_type: ModelType | None, as_json: bool) -> None:
    """Say where rollouts stand, what is known, when more will be, and what the error budget is."""
    from spots_ml.pipeline.rollouts.rollout_view import rollout_view

    settings = Settings.from_env()
    store, now = _open(settings), utc_now()
    views = [rollout_view(store, one, settings.rollout, now=now) for one in ([model_type] if model_type else _all())]
    if as_json:
        click.echo(json.dumps([view_document(view) for view in views], indent=2))
        return
    for view in views:
        click.echo(f"{view.model_type}: {view.state}")
        for need in view.needs_person:
            click.echo(f"  PERSON  {need}")
        for event in view.events:
            click.echo(
                f"  {event.at:%Y-%m-%d %H:%M}  {event.action:11} {event.reach:4.0%}  {event.told_cause}, "
                f"{event.actor}: {event.reason}"
            )
    click.echo(f"error budget: {views[0].budget}")


@rollout_command.command("look")
@model_argument()
@actor_option
@json_option
def look_command(model_type: ModelType, actor: str, as_json: bool) -> None:
    """Look now, as it is done every day, and do what follows from it."""
    from spots_ml.pipeline.rollouts.controller import look

    settings = Settings.from_env()
    found = look(_open(settings), settings.places, model_type, settings.rollout, now=utc_now(), actor=actor)
    click.echo(json.dumps(_looked(found), indent=2) if as_json else "\n".join(found.sentences))


@rollout_command.command("pause")
@model_argument()
@_why
@actor_option
@json_option
def pause_command(model_type: ModelType, reason: str, actor: str, as_json: bool) -> None:
    """Widen and promote nothing for now; its traffic stays, and harm still takes it back."""
    _change(model_type, "pause", reason, actor, as_json)


@rollout_command.command("resume")
@model_argument()
@_why
@actor_option
@json_option
def resume_command(model_type: ModelType, reason: str, actor: str, as_json: bool) -> None:
    """Let a paused rollout go on."""
    _change(model_type, "resume", reason, actor, as_json)


@rollout_command.command("abort")
@model_argument()
@_why
@actor_option
@json_option
def abort_command(model_type: ModelType, reason: str, actor: str, as_json: bool) -> None:
    """End a rollout; its traffic goes back to what answers now."""
    _change(model_type, "abort", reason, actor, as_json)


@rollout_command.command("force")
@model_argument()
@click.argument("step", metavar="STEP", type=click.Choice(["widen", "promote", "roll-back"]))
@_why
@actor_option
@json_option
def force_command(model_type: ModelType, step: "HandAction", reason: str, actor: str, as_json: bool) -> None:
    """Take a step that the evidence does not ask for: widen, promote or roll-back."""
    _change(model_type, step, reason, actor, as_json)


def view_document(view: "RolloutView") -> dict[str, Any]:
    """Write what is shown of a model's rollouts as JSON.

    Args:
        view: What there is.

    Returns:
        Plain values.
    """
    return {
        "model_type": view.model_type,
        "state": view.state,
        "rollout": None if view.rollout is None else view.rollout.model_dump(mode="json"),
        "on_its_way": view.is_on_its_way,
        "events": [event.model_dump(mode="json") for event in view.events],
        "last_look": view.looks[-1].model_dump(mode="json") if view.looks else None,
        "upcoming": view.upcoming,
        "budget": {
            "n_rollouts": view.n_rollouts,
            "n_promoted": view.n_promoted,
            "next_level": view.next_level,
            "told": view.budget,
        },
        "forecasts": [one.model_dump(mode="json") for one in view.forecasts],
        "needs_person": list(view.needs_person),
    }


def _all() -> tuple[ModelType, ...]:
    return declared_types()


def _open(settings: Settings) -> Any:
    from spots_ml.opening import open_store

    return open_store(settings)


def _change(model_type: ModelType, action: "HandAction", reason: str, actor: str, as_json: bool) -> None:
    from spots_ml.pipeline.rollouts.by_hand import change_by_hand

    changed = change_by_hand(_open(Settings.from_env()), model_type, action, now=utc_now(), actor=actor, reason=reason)
    _tell(changed, as_json)


def _tell(rollout: "Rollout", as_json: bool) -> None:
    if as_json:
        click.echo(rollout.model_dump_json(indent=2))
        return
    click.echo(
        f"{rollout.name} of {rollout.model_type} {rollout.version} is {rollout.status}, stage {rollout.stage}, "
        f"{rollout.reach:.0%} of the hybrid group, weight {rollout.weight:g}"
    )


def _looked(found: "Looked") -> dict[str, Any]:
    return {
        "model_type": found.model_type,
        "taken_back": None if found.taken_back is None else vars(found.taken_back),
        "rollout": None if found.looked_at is None else found.looked_at.model_dump(mode="json"),
        "change": None if found.change is None else found.change.model_dump(mode="json"),
        "told": found.told,
        "started": None if found.started is None else found.started.model_dump(mode="json"),
        "waits": found.waits,
        "sentences": list(found.sentences),
    }
