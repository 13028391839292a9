"""Commands that look at the registry: `versions`, `show`, `history`."""

import json
from collections.abc import Iterable

import click

from spots_ml.cli.options import json_option, model_argument, open_versions, version_argument
from spots_ml.cli.tables import text_table
from spots_ml.models.declared import ModelType, declared_types, model_spec
from spots_ml.registry.records import HistoryEntry, ModelVersion
from spots_ml.registry.version_store import VersionLookup
from spots_ml.settings import Settings


@click.command("versions")
@click.option("--model", "model_type", type=click.Choice(declared_types()), help="Only this model.")
@json_option
def versions_command(model_type: ModelType | None, as_json: bool) -> None:
    """List the registered versions, oldest first, and say which are live."""
    store = open_versions()
    versions = store.list_versions(model_type)
    if as_json:
        click.echo(json.dumps([version.model_dump(mode="json") for version in versions], indent=2))
    elif not versions:
        click.echo("no versions yet; `make run` registers the first")
    else:
        click.echo(
            text_table(
                ["model", "version", "status", "weight", "created (UTC)", "labels", "sha256"], map(_row, versions)
            )
        )
        click.echo(_live(store, _types(versions)))


@click.command("show")
@model_argument()
@version_argument()
@json_option
def show_command(model_type: ModelType, version: str, as_json: bool) -> None:
    """Show one version: what it is, where its files lie, what happened to it."""
    from spots_ml.registry.published_files import version_directory

    settings = Settings.from_env()
    store = open_versions(settings)
    found = store.get(model_type, version)
    history = store.history(model_type, version)
    directory = version_directory(settings.places.models_dir, model_type, version)
    if as_json:
        document = found.model_dump(mode="json") | {
            "directory": str(directory),
            "history": [entry.model_dump(mode="json") for entry in history],
        }
        click.echo(json.dumps(document, indent=2))
        return
    facts = found.model_dump(mode="json", exclude={"metrics"}) | {"directory": str(directory)}
    lines = [f"{name:26}{'-' if value is None else value}" for name, value in facts.items()]
    lines += ["", *(f"{name:36}{value:.6g}" for name, value in found.metrics.items())]
    click.echo("\n".join(lines) + "\n")
    click.echo(_history_table(store, model_type, version))
    click.echo(_live(store, [model_type]))


@click.command("history")
@model_argument(required=False)
@version_argument(required=False)
@json_option
def history_command(model_type: ModelType | None, version: str | None, as_json: bool) -> None:
    """List what happened to versions, oldest first, and say which are live."""
    store = open_versions()
    if model_type and version:
        store.get(model_type, version)
    if as_json:
        entries = store.history(model_type, version)
        click.echo(json.dumps([entry.model_dump(mode="json") for entry in entries], indent=2))
    else:
        click.echo(_history_table(store, model_type, version))
        types = [model_type] if model_type else _types(store.list_versions())
        if types:
            click.echo(_live(store, types))


def _types(versions: Iterable[ModelVersion]) -> list[ModelType]:
    """The models that have versions, each once."""
    return list(dict.fromkeys(version.model_type for version in versions))


def _live(store: VersionLookup, model_types: Iterable[ModelType]) -> str:
    """Say what answers now, a line per model."""
    from spots_ml.registry.in_service import in_service, nothing_active

    lines = []
    for model_type in model_types:
        service = in_service(store, model_type)
        if service.live is None:
            told, why = f"{model_spec(model_type).stand_in} answers", f": {nothing_active(service)}"
        else:
            told, why = f"{service.live.version} is live, weight {service.live.weight:g}", ""
        since = f", since change {service.since.sequence} by {service.since.actor}" if service.since else ""
        lines.append([model_type, told + since + why])
    return "\n" + text_table(["model", "now"], lines)


def _row(version: ModelVersion) -> list[str]:
    return [
        version.model_type,
        version.version,
        version.status,
        f"{version.weight:g}",
        f"{version.created_at:%Y-%m-%d %H:%M:%S}",
        f"{version.n_labelled:,}",
        version.sha256[:12],
    ]


def _history_table(store: VersionLookup, model_type: ModelType | None, version: str | None) -> str:
    rows = [
        [
            str(entry.sequence),
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.model_type,
            entry.version,
            entry.action,
            _change(entry),
            entry.actor,
            entry.reason,
        ]
        for entry in store.history(model_type, version)
    ]
    return text_table(["number", "at (UTC)", "model", "version", "action", "change", "actor", "reason"], rows)


def _change(entry: HistoryEntry) -> str:
    forced = ", forced" if entry.forced else ""
    if entry.from_value is None:
        return f"{entry.from_status or 'new'} -> {entry.to_status}{forced}"
    return f"{entry.from_value:g} -> {entry.to_value:g}{forced}"
