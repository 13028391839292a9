"""The command `client-kit`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spots_ml.cli.options import open_versions, version_options
from spots_ml.errors import RegistryError
from spots_ml.models.declared import ModelType, model_in
from spots_ml.models.spec import Role
from spots_ml.settings import Settings

if TYPE_CHECKING:
    from spots_ml.registry.version_store import ServableVersions
    from spots_ml.release.client_kit.published import PublishedModel


@click.command("client-kit")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@version_options("the active one")
@click.option("--force", is_flag=True, help="Replace the kit in DIR, no other files.")
def client_kit_command(directory: Path, versions: dict[str, str | None], force: bool) -> None:
    """Write what an app needs to prove that it computes the same: models, rules, golden lines, checkers."""
    from spots_ml.release.client_kit.kit import write_kit

    settings = Settings.from_env()
    store = open_versions(settings)
    models_dir = settings.places.models_dir
    names = [model_in(role).name for role in (Role.NEURAL_SCORE, Role.OUTCOME_FILTER)]
    report = write_kit(
        directory,
        *(_published(store, models_dir, name, versions[name]) for name in names),
        force=force,
    )
    click.echo(
        f"client kit of {' and '.join(f'{model} {version}' for model, version in report.versions.items())} "
        f"written to {report.directory}"
    )
    click.echo(
        f"{report.n_lines} golden lines: {report.n_called} called, {report.n_blocked} blocked by the outcome filter; "
        f"without any model {report.n_called_in_fallback} called"
    )
    click.echo(f"check it: python {report.directory / 'check.py'}")


def _published(
    store: "ServableVersions", models_dir: Path, model_type: ModelType, version: str | None
) -> "PublishedModel":
    from spots_ml.registry.in_service import in_service, nothing_active
    from spots_ml.registry.published_files import published_files
    from spots_ml.registry.serving import serving_version
    from spots_ml.release.client_kit.published import published_model

    row = store.get(model_type, version) if version else serving_version(store, model_type)
    if row is None:
        raise RegistryError(
            f"a client kit holds both models, and {nothing_active(in_service(store, model_type))}; one that nobody "
            f"promoted is taken when it is named with --{model_type.replace('_', '-')}"
        )
    files = published_files(store, models_dir, row)
    return published_model(files.onnx, files.manifest, model_type=model_type, version=row.version, weight=row.weight)
