"""Commands about interactions: `generate` makes an export, `import` takes one into the store."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import click

from spots_ml.cli.options import json_option, utc_now
from spots_ml.interactions.kinds import StoreKind
from spots_ml.settings import Settings

if TYPE_CHECKING:
    from spots_ml.pipeline.intake.import_step import Imported


@click.command("generate")
@click.option("--kind", type=click.Choice(["seed", "hybrid"]), default="seed", show_default=True, help="Which law.")
@click.option("--rows", type=click.IntRange(1, 100_000_000), default=10_000, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(0), default=42, show_default=True, help="Same seed, same rows.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The export to write; gzip when the name ends in .gz.",
)
def generate_command(kind: Literal["seed", "hybrid"], rows: int, seed: int, out: Path) -> None:
    """Write an export with generated interactions whose law is known."""
    from spots_ml.interactions.generators.export_writing import write_export
    from spots_ml.interactions.generators.hybrid_law import HybridLaw
    from spots_ml.interactions.generators.seed_law import SeedLaw

    law = SeedLaw() if kind == "seed" else HybridLaw()
    n_written = write_export(law.generate(rows, seed=seed), out)
    click.echo(f"{n_written:,} interactions written to {out}")


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", "kind", type=click.Choice(get_args(StoreKind)), help="The store.  [default: the configured one]")
@click.option(
    "--accept-broken",
    is_flag=True,
    help="Take the good records however many others are broken; these count in what a run reads of the store.",
)
@json_option
def import_command(path: Path, kind: StoreKind | None, accept_broken: bool, as_json: bool) -> None:
    """Take an export (JSON or JSON.gz) into the store; what is known already changes nothing.

    Where too many records are broken (SPOTS_ML_MAX_BROKEN_SHARE), none is taken.
    """
    from spots_ml.interactions.judging.rules import ValidationConfig
    from spots_ml.interactions.reading.export import read_export
    from spots_ml.opening import open_store
    from spots_ml.pipeline.intake.import_step import import_export

    settings, stream = Settings.from_env(), read_export(path)
    config = ValidationConfig(max_broken_share=settings.max_broken_share)
    if accept_broken:
        config = config.model_copy(update={"max_broken_share": 1.0})
        stream = replace(stream, description=f"{stream.description}; however many are broken (--accept-broken)")
    store = open_store(settings, kind)
    imported = import_export(store, path, stream, now=utc_now(), config=config)
    n_labels = store.interactions.count_labels_after(None)
    if as_json:
        told = {
            **asdict(imported.report),
            "n_labels_in_store": n_labels,
            "n_phone_decisions": imported.n_reports,
            "outcomes": imported.linking and asdict(imported.linking),
        }
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo(_told(imported, n_labels))


def _told(imported: "Imported", n_labels: int) -> str:
    report = imported.report
    lines = [
        f"{report.n_read:,} records read: {report.n_new:,} new, {report.n_updated:,} updated, "
        f"{report.n_unchanged:,} unchanged, {report.n_repeated:,} repeated, {report.n_quarantined:,} quarantined",
        f"{report.n_new_labels:,} new labels; the store holds {n_labels:,} labelled interactions",
    ]
    if imported.n_reports:
        lines.append(f"{imported.n_reports:,} records tell what a phone decided; `spots-ml check-log` says what counts")
    if imported.linking is not None:
        lines.append(str(imported.linking))
    lines += [f"  {code}: {count:,}" for code, count in report.reasons.items()]
    lines += [f"    {key}: {count:,}" for key, count in report.keys.items()]
    lines += [f"  {example}" for example in report.examples]
    return "\n".join(lines)
