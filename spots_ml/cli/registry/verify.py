"""The command `verify`."""

import json
from dataclasses import asdict

import click

from spots_ml.cli.options import json_option, model_argument, open_versions, version_argument
from spots_ml.cli.tables import text_table
from spots_ml.errors import ArtifactError
from spots_ml.models.declared import ModelType
from spots_ml.settings import Settings


@click.command("verify")
@model_argument()
@version_argument()
@click.option("--restore", is_flag=True, help="First put a damaged or missing file back from the certified bytes.")
@json_option
def verify_command(model_type: ModelType, version: str, restore: bool, as_json: bool) -> None:
    """Recompute every digest of a version, reload it, and compare torch with both runtimes again."""
    from spots_ml.registry.restoring import restore_file
    from spots_ml.registry.verification import verify_version
    from spots_ml.release.certification.certify import default_runtimes

    settings = Settings.from_env()
    store = open_versions(settings)
    row = store.get(model_type, version)
    if restore and restore_file(row, settings.places):
        click.echo(f"the file of {model_type} {version} was put back from the certified bytes", err=True)
    checks = verify_version(
        row,
        settings.places,
        runtimes=default_runtimes(settings.client_python),
        store=store,
    )
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        rows = [["ok" if check.passed else "FAILED", check.name, check.detail] for check in checks]
        click.echo(text_table(["result", "check", "found"], rows))
    failed = [check.name for check in checks if not check.passed]
    if failed:
        raise ArtifactError(f"{model_type} {version} is not sound: {', '.join(failed)} failed")
    if not as_json:
        click.echo(f"{model_type} {version} is sound: {len(checks)} checks passed")
