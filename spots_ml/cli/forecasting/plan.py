"""`spots-ml plan`: what a rollout could find at the traffic of the log, and when."""

import click

from spots_ml.cli.options import json_option, model_argument, utc_now
from spots_ml.cli.tables import text_table
from spots_ml.models.declared import ModelType
from spots_ml.settings import Settings


def _different_from_0(_context: click.Context, _parameter: click.Parameter, effects: tuple[float, ...]) -> object:
    if 0.0 in effects:
        raise click.BadParameter("is 0, which nothing can find; name an effect above or below it, such as 0.03")
    return effects


@click.command("plan")
@model_argument()
@click.option(
    "--effect",
    "effects",
    metavar="VALUE",
    type=click.FloatRange(-2.0, 2.0),
    multiple=True,
    callback=_different_from_0,
    help="In value per decision, such as 0.03 or -0.08; several may be named.  [default: -0.1, -0.05, 0.03, 0.06]",
)
@json_option
def plan_command(model_type: ModelType, effects: tuple[float, ...], as_json: bool) -> None:
    """Say what a rollout of MODEL could find at the traffic of the last weeks, and when.

    An effect is a difference of the value per decision (called x value of the outcome) of the treated and the others:
    0.03 are 3 points. Harm is found by a rollback, a benefit by a promotion.
    """
    from spots_ml.experiments.forecasting.planner import DEFAULT_EFFECTS
    from spots_ml.opening import open_store
    from spots_ml.pipeline.forecasting.plan_step import plan_next

    settings = Settings.from_env()
    found = plan_next(open_store(settings), model_type, settings.rollout, effects or DEFAULT_EFFECTS, now=utc_now())
    if as_json:
        click.echo(found.model_dump_json(indent=2))
        return
    rows = [
        [f"{one.effect:+g}", f"{one.found:.0%}", *map(_day, (one.early_day, one.day, one.late_day))]
        for one in found.effects
    ]
    click.echo(f"{found.told()}\n")
    click.echo(text_table(["effect", "found", "a quarter by day", "half by day", "three quarters by day"], rows))
    traffic = found.traffic
    click.echo(
        f"\nlevel {found.level:.3g} (promoted from e {1 / found.level:,.0f} on), spread of a unit {traffic.spread:.3f} "
        f"by {traffic.n_units:,} units, {traffic.came_by_day[-1]:,.0f} agents in {len(traffic.came_by_day) - 1} days"
    )


def _day(day: float | None) -> str:
    return "never" if day is None else f"{day:.0f}"
