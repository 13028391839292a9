"""What `trained_model` shows in the UI: the comparison with its baselines, curves, calibration."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs import plots, tables
from spots_ml.training.evaluation import HEADLINE, NETWORK, Estimate

if TYPE_CHECKING:
    from spots_ml.interactions.dataset import LabelledRows
    from spots_ml.training.trained_model import TrainedModel


def training_metadata(model: "TrainedModel", test: "LabelledRows") -> dict[str, dg.MetadataValue]:
    """Show a trained model.

    Args:
        model: The model.
        test: The test rows it was judged on.

    Returns:
        Metadata by key.
    """
    document, evaluation = model.document, model.evaluation
    headline = HEADLINE[model.model_type]
    predicted, observed = model.predict(test.inputs(model.model_type)), test.target(model.model_type)
    return {
        **{f"metrics/{name}": dg.MetadataValue.float(value) for name, value in model.metrics.items()},
        "comparison": _comparison(model),
        "comparison_plot": plots.bars(
            {name: evaluation.value(name, headline) for name in evaluation.predictors},
            title=f"Test {headline}, smaller is better",
            x_label=headline,
        ),
        "loss_curves": plots.loss_curves(
            [epoch.train_loss for epoch in document.history],
            [epoch.validation_loss for epoch in document.history],
            document.best_epoch,
        ),
        "calibration_plot": plots.calibration(predicted, observed),
        "predicted_against_observed": plots.predicted_against_observed(predicted, observed),
        "rows_by_split": tables.counts(document.n_rows_by_split, what="part"),
        "n_test_agents": dg.MetadataValue.int(evaluation.n_agents),
        "best_epoch": dg.MetadataValue.int(document.best_epoch),
        "epochs": dg.MetadataValue.int(len(document.history)),
        "seed": dg.MetadataValue.int(document.seed),
        "config": dg.MetadataValue.json(document.config.model_dump(mode="json")),
        "config_digest": dg.MetadataValue.text(document.config_digest),
        "dataset_digest": dg.MetadataValue.text(document.dataset_digest),
        "weights_digest": dg.MetadataValue.text(document.weights_digest),
        "ignored_inputs": dg.MetadataValue.text(", ".join(document.ignored_inputs) or "none"),
    }


def _comparison(model: "TrainedModel") -> dg.MetadataValue:
    """Every predictor's numbers with their intervals; the network first."""
    predictors = model.evaluation.predictors
    metrics = list(predictors[NETWORK])
    others = [name for name in predictors if name != NETWORK]
    rows: Iterable[list[str]] = (
        [name, *(_interval(predictors[name].get(metric)) for metric in metrics)] for name in (NETWORK, *others)
    )
    return tables.markdown_table(["predictor", *metrics], rows)


def _interval(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "undefined"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"
