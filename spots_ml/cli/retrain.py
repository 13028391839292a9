"""`spots-ml retrain`: ask for a retraining, which the model's sensor takes up; it starts nothing itself."""

import click

from spots_ml.cli.options import actor_option, model_argument, utc_now
from spots_ml.models.declared import ModelType
from spots_ml.settings import Settings


def _told(_context: click.Context, _parameter: click.Parameter, reason: str) -> str:
    if not reason.strip():
        raise click.BadParameter("is empty; say in a few words why")
    return reason


@click.command("retrain")
@model_argument()
@click.option("--reason", required=True, callback=_told, help="Why, for who looks at the run.")
@click.option("--anew", is_flag=True, help="Also where a gate refused this very data, code and configuration.")
@actor_option
def retrain_command(model_type: ModelType, reason: str, anew: bool, actor: str) -> None:
    """Ask for a retraining of MODEL; its sensor takes it up within a minute, and `spots-ml due` says how it stands.

    It is open until a version is registered, or refused by a gate, after it was taken; a run that fails is tried again.
    What a gate refused is not tried again on the same data, code and configuration, unless --anew says so.
    """
    from spots_ml.monitoring.causes.requests import RetrainingRequest
    from spots_ml.opening import open_store

    requests = open_store(Settings.from_env()).retraining_requests
    number = requests.ask(
        RetrainingRequest.model_construct(model_type=model_type, reason=reason, actor=actor, anew=anew), now=utc_now()
    )
    click.echo(f"request {number}: {model_type} is trained again when its sensor has taken it (make dev; spots-ml due)")
