"""`spots-ml drill`: rehearse that what must be taken back is, in a place of its own."""

import sys

import click

from spots_ml.cli.options import json_option, utc_now
from spots_ml.cli.tables import text_table
from spots_ml.settings import Settings


@click.command("drill")
@json_option
def drill_command(as_json: bool) -> None:
    """Rehearse a corrupt artifact, a version that does not answer, and harm; say how long taking back took.

    Everything happens in a temporary folder with two tiny versions; of production nothing is touched but the folder of
    the reports. Exits with 1 when something was not taken back in time.
    """
    from spots_ml.pipeline.rollouts.drill import rehearse, save_drill

    settings = Settings.from_env()
    report = rehearse(now=utc_now())
    path = save_drill(report, settings.places.drills_dir)
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        rows = [[one.name, "yes" if one.passed else "NO", f"{one.took_s:.2f}", one.told] for one in report.results]
        click.echo(text_table(["drill", "in time", "seconds", "what was said"], rows))
        click.echo(f"kept in {path}")
    if not report.passed:
        sys.exit(1)
