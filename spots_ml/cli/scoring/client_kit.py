"""The command `client-kit`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spots_ml.cli.options import open_versions
from spots_ml.errors import RegistryError
from spots_ml.models.declared import ModelType
from spots_ml.settings import Settings

if TYPE_CHECKING:
    from spots_ml.registry.version_store import VersionStore
    from spots_ml.release.client_kit.published import PublishedModel


@click.command("client-kit")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--calling-score", metavar="VERSION", help="Calling-score version.  [default: the one that serves]")
@click.option("--outcome", metavar="VERSION", help="Outcome version.  [default: the one that serves]")
@click.option("--force", is_flag=True, help="Replace the kit that is in DIR.")
def client_kit_command(directory: Path, calling_score: str | None, outcome: str | None, force: bool) -> None:
    """Write what an app needs to prove that it computes the same: models, rules, golden lines, checkers."""
    from spots_ml.release.client_kit.kit import write_kit

    settings = Settings.from_env()
    store = open_versions(settings)
    models_dir = settings.places.models_dir
    report = write_kit(
        directory,
        _published(store, models_dir, "calling_score", calling_score),
        _published(store, models_dir, "outcome", outcome),
        force=force,
    )
    click.echo(
        f"client kit of calling_score {report.versions['calling_score']} and outcome {report.versions['outcome']} "
        f"written to {report.directory}"
    )
    click.echo(
        f"{report.n_lines} golden lines: {report.n_called} called, {report.n_blocked} blocked by the outcome filter; "
        f"without any model {report.n_called_in_fallback} called"
    )
    click.echo(f"check it: python {report.directory / 'check.py'}")


def _published(store: "VersionStore", models_dir: Path, model_type: ModelType, version: str | None) -> "PublishedModel":
    from spots_ml.registry.published_files import published_files
    from spots_ml.registry.serving import serving_version
    from spots_ml.release.client_kit.published import published_model

    row = store.get(model_type, version) if version else serving_version(store, model_type)
    if row is None:
        raise RegistryError(
            f"no {model_type} version is active or staging, and a client kit holds both models; "
            f"`make run` registers them, or name one with --{model_type.replace('_', '-')}"
        )
    files = published_files(store, models_dir, row)
    return published_model(files.onnx, files.manifest, model_type=model_type, version=row.version, weight=row.weight)
