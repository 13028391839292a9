"""`spots-ml forecast` and `forecasts`: what is predicted of a version, and how right earlier predictions were."""

import json

import click

from spots_ml.cli.options import actor_option, json_option, model_argument, utc_now, version_argument
from spots_ml.models.declared import ModelType
from spots_ml.settings import Settings


@click.command("forecast")
@model_argument()
@version_argument()
@actor_option
@json_option
def forecast_command(model_type: ModelType, version: str, actor: str, as_json: bool) -> None:
    """Predict what VERSION is worth in the place of what answers now, and keep that with it.

    By the decision log, where it allows that; otherwise it is said why not. With it the day on which a rollout would
    find it.
    """
    from spots_ml.opening import open_store
    from spots_ml.pipeline.forecasting.forecast_step import forecast_version

    settings = Settings.from_env()
    found = forecast_version(
        open_store(settings),
        settings.places.models_dir,
        model_type,
        version,
        settings.rollout,
        now=utc_now(),
        actor=actor,
    )
    click.echo(found.model_dump_json(indent=2) if as_json else f"{model_type} {version}: {found.told()}")


@click.command("forecasts")
@model_argument()
@version_argument(required=False)
@json_option
def forecasts_command(model_type: ModelType, version: str | None, as_json: bool) -> None:
    """List what was predicted of versions, newest first, and how right that was where a rollout knows."""
    from spots_ml.opening import open_store
    from spots_ml.pipeline.forecasting.forecast_step import forecast_scores

    store = open_store(Settings.from_env())
    forecasts = store.forecasts.list_forecasts(model_type, version)
    numbers = {one.number for one in forecasts}
    scores = [one for one in forecast_scores(store, model_type) if one.forecast in numbers]
    if as_json:
        documents = {
            "forecasts": [one.model_dump(mode="json") for one in forecasts],
            "scores": [one.model_dump(mode="json") for one in scores],
        }
        click.echo(json.dumps(documents, indent=2))
        return
    if not forecasts:
        click.echo(f"no forecasts yet; `spots-ml forecast {model_type} VERSION` makes one")
    for forecast in forecasts:
        click.echo(
            f"{forecast.number}. {forecast.at:%Y-%m-%d %H:%M} {model_type} {forecast.version}: {forecast.told()}"
        )
        for score in scores:
            if score.forecast == forecast.number:
                click.echo(f"   {score.told()}")
