"""The command `phone-manifest`."""

import click

from spots_ml.settings import Settings


@click.command("phone-manifest")
def phone_manifest_command() -> None:
    """Print what a phone is told, as JSON: per model the active version and the one rolling out, with files."""
    from spots_ml.experiments.serving import serving_challengers
    from spots_ml.opening import open_store
    from spots_ml.registry.phone_manifest import phone_manifest

    settings = Settings.from_env()
    store = open_store(settings)
    challengers = serving_challengers(store.rollouts.list_rollouts())
    manifest = phone_manifest(store.versions, settings.places.models_dir, challengers=challengers)
    click.echo(manifest.model_dump_json(indent=2))
