"""`spots-ml explain`: one request from its raw record to the decision, with what every input and group added."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spots_ml.cli.options import json_option, utc_now
from spots_ml.cli.scoring.request_source import RequestFormat, request_options, requests_from
from spots_ml.errors import ArtifactError
from spots_ml.features.contract import FEATURES_AND_HISTORY
from spots_ml.settings import Settings

if TYPE_CHECKING:
    from spots_ml.explaining.decision_explanation import Explanation


@click.command("explain")
@click.argument(
    "source",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
@click.option(
    "--position",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Which request, from 0; in JSON lines the number of the line.",
)
@request_options
@click.option(
    "--top",
    type=click.IntRange(1, len(FEATURES_AND_HISTORY)),
    default=10,
    show_default=True,
    help="How many inputs to list per model.",
)
@json_option
def explain_command(
    source: Path,
    position: int,
    read_as: RequestFormat | None,
    versions: dict[str, str | None],
    weights: str,
    top: int,
    as_json: bool,
) -> None:
    """Explain one decision: record, features, formula, both models in torch and ONNX, and each step.

    FILE holds JSON lines, Parquet or an export of the app; - is stdin. Exits with 1 when torch and ONNX differ by more
    than 1e-6, or when contributions do not add up to the answer that they explain.
    """
    settings = Settings.from_env()
    from spots_ml.cli.scoring.explain_text import explanation_text
    from spots_ml.experiments.serving import serving_challengers
    from spots_ml.explaining.decision_explanation import explain_request
    from spots_ml.opening import open_store

    store = open_store(settings)
    explanation = explain_request(
        requests_from(source, read_as),
        position,
        store.versions,
        models_dir=settings.places.models_dir,
        trained_dir=settings.places.trained_dir,
        now=utc_now(),
        history=store.history,
        versions=versions,
        by_confidence=weights == "confidence",
        challengers=serving_challengers(store.rollouts.list_rollouts()),
    )
    click.echo(explanation.model_dump_json(indent=2) if as_json else explanation_text(explanation, top=top))
    _insist_on_checks(explanation)


def _insist_on_checks(explanation: "Explanation") -> None:
    """Refuse to end well when a check of the explanation failed."""
    if failed := explanation.failed_checks():
        raise ArtifactError(
            f"this explanation is not to be trusted: {'; '.join(failed)}; check the versions with `spots-ml verify`"
        )
