"""The command `phone-manifest`."""

import click

from spots_ml.cli.options import open_versions
from spots_ml.settings import Settings


@click.command("phone-manifest")
def phone_manifest_command() -> None:
    """Print what a phone is told, as JSON: per model the active version and the one rolling out, with files."""
    from spots_ml.registry.phone_manifest import phone_manifest

    settings = Settings.from_env()
    manifest = phone_manifest(open_versions(settings), settings.places.models_dir)
    click.echo(manifest.model_dump_json(indent=2))
