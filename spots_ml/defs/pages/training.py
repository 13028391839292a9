"""What `trained_model` shows in the UI: the comparison with its baselines, curves, calibration."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs.pages import plots, tables
from spots_ml.models.declared import model_spec
from spots_ml.training.evaluation import NETWORK
from spots_ml.training.shipped import ERROR, FORMULA

if TYPE_CHECKING:
    from spots_ml.estimates.estimate import Estimate
    from spots_ml.interactions.learning.dataset import LabelledRows
    from spots_ml.release.manifest import Manifest
    from spots_ml.training.evaluation import Evaluation
    from spots_ml.training.shipped import ShippedDecision
    from spots_ml.training.trained_model import TrainedDocument, TrainedModel


def training_metadata(model: "TrainedModel", test: "LabelledRows") -> dict[str, dg.MetadataValue]:
    """Show a trained model.

    Args:
        model: The model.
        test: The test rows it was judged on.

    Returns:
        Metadata by key.
    """
    document, evaluation = model.document, model.evaluation
    headline = model_spec(model.model_type).headline
    predicted, observed = model.predict(test.inputs(model.model_type)), test.target(model.model_type)
    return {
        "verdict": tables.sentences([document.verdict.message]),
        **shipped_metadata(evaluation.shipped),
        "comparison": tables.estimates_table(
            ((name, evaluation.predictors[name].get(headline.metric)) for name in _network_first(evaluation)),
            headline.metric,
        ),
        "network_ahead_of": tables.estimates_table(evaluation.leads.items(), headline.metric),
        "comparison_plot": plots.comparison(
            {name: numbers.get(headline.metric) for name, numbers in evaluation.predictors.items()},
            NETWORK,
            f"test {headline.metric}, {headline.direction}",
        ),
        "loss_curves": plots.loss_curves(
            [epoch.train_loss for epoch in document.history],
            [epoch.validation_loss for epoch in document.history],
            document.best_epoch,
        ),
        "calibration_plot": plots.calibration(predicted, observed),
        "predicted_against_observed": plots.predicted_against_observed(predicted, observed),
        **{f"metrics/{name}": tables.number(evaluation.value(NETWORK, name)) for name in _defined(model)},
        "all_metrics": _comparison(model, list(evaluation.predictors[NETWORK])),
        "rows_by_split": tables.counts(document.n_rows_by_split, what="part"),
        **_agents_by_split(document),
        **_warm_start(document),
        **_slices(evaluation),
        "n_test_agents": dg.MetadataValue.int(evaluation.n_agents),
        "best_epoch": dg.MetadataValue.int(document.best_epoch + 1),
        "n_epochs": dg.MetadataValue.int(len(document.history)),
        "seed": dg.MetadataValue.int(document.seed),
        "config": dg.MetadataValue.json(document.config.model_dump(mode="json")),
        "ignored_inputs": tables.sentences([", ".join(document.ignored_inputs) or "none"]),
        "digests": tables.digests(
            {
                "config": document.config_digest,
                "dataset": document.dataset_digest,
                "contract": document.contract_digest,
                "weights": document.weights_digest,
            }
        ),
    }


def shipped_metadata(shipped: "Mapping[str, ShippedDecision]") -> dict[str, dg.MetadataValue]:
    """Show what ships: each decision beside the formula's, and how much it differs from that with agents paired.

    Args:
        shipped: Decisions by what decides; empty for a model without a part in them.

    Returns:
        Metadata by key; empty without any.
    """
    if not shipped:
        return {}
    names = dict.fromkeys(name for one in shipped.values() for name in one.numbers)
    return {
        f"ships: {name if name != ERROR else f'{name} of the blended score'}": tables.estimates_table(
            _beside(shipped, name), name
        )
        for name in names
    }


def _beside(shipped: "Mapping[str, ShippedDecision]", name: str) -> Iterator[tuple[str, "Estimate | None"]]:
    """One number of each decision, the formula's first, and below it how much it differs from the formula's."""
    for decides, one in sorted(shipped.items(), key=lambda item: item[0] != FORMULA):
        yield decides, one.numbers.get(name)
        if decides != FORMULA:
            yield "more than the formula", one.more_than_formula.get(name)


def decision_metadata(manifest: "Manifest") -> dict[str, dg.MetadataValue]:
    """Show what a version does to the decision, beside what answered when it was registered.

    Args:
        manifest: What is known of it.

    Returns:
        Metadata by key; empty for a version without a part in the decision, and for those of before.
    """
    if manifest.decision is None:
        return {}
    from spots_ml.registry.gates.decision_gate import EffectReport

    report = EffectReport.model_validate(manifest.decision)
    return {
        "effect_on_the_decision": tables.markdown_table(
            ["decides", "held against", "called", "called before", "changed", "blocked of the would-be calls"],
            (
                [
                    one.decides,
                    one.against,
                    *(
                        tables.interval(share, percent=True)
                        for share in (one.called, one.called_before, one.changed, one.blocked)
                    ),
                ]
                for one in report.effects
            ),
        ),
        **shipped_metadata(report.shipped),
        "filter_on": dg.MetadataValue.bool(manifest.filter_on),
    }


def _defined(model: "TrainedModel") -> list[str]:
    """The network's numbers that may be told without their intervals."""
    return [name for name, estimate in model.evaluation.predictors[NETWORK].items() if estimate.stands_alone]


def _network_first(evaluation: "Evaluation") -> list[str]:
    return sorted(evaluation.predictors, key=lambda name: name != NETWORK)


def _comparison(model: "TrainedModel", metrics: Sequence[str]) -> dg.MetadataValue:
    """Every predictor's numbers with their intervals; the network first."""
    predictors = model.evaluation.predictors
    rows: Iterable[list[str]] = (
        [name, *(tables.interval(predictors[name].get(metric)) for metric in metrics)]
        for name in _network_first(model.evaluation)
    )
    return tables.markdown_table(["test rows", *(f"{name} (95% interval)" for name in metrics)], rows)


def _warm_start(document: "TrainedDocument") -> dict[str, dg.MetadataValue]:
    told = document.warm_start
    if told is None:
        return {}
    full = "not done" if told.full_row_passes is None else f"{told.full_row_passes:,}"
    rows = [
        ["started from", told.trained_digest[:12]],
        ["weights", told.weights_digest[:12]],
        ["new rows", f"{told.n_new_rows:,}"],
        ["replayed rows", f"{told.n_replayed_rows:,}"],
        ["rows x passes", f"{told.n_row_passes:,}"],
        ["rows x passes from the beginning", full],
    ]
    return {"warm_start": tables.markdown_table(["warm start", ""], rows)}


def _agents_by_split(document: "TrainedDocument") -> dict[str, dg.MetadataValue]:
    if document.split_sizes is None:
        return {}
    parts = document.split_sizes.parts
    return {
        "agents_by_split": dg.MetadataValue.table(
            [dg.TableRecord({"part": name, **part.model_dump(mode="json")}) for name, part in parts.items()]
        )
    }


def _slices(evaluation: "Evaluation") -> dict[str, dg.MetadataValue]:
    if not evaluation.slices:
        return {}
    return {
        "slices": dg.MetadataValue.table(
            [
                dg.TableRecord(
                    {
                        "slice": name,
                        "n_rows": one.n_rows,
                        "effective_agents": one.effective_agents,
                        "decides": one.decides,
                        "network": one.network.value,
                        "formula": one.formula.value,
                        "network_ahead_by": tables.interval_in_line(one.lead),
                    }
                )
                for name, one in evaluation.slices.items()
            ]
        )
    }
