"""`formula_baseline`: what the hand-written formula manages, and what a model therefore has to reach."""

from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs.assets.keys import DATASET, OWNERS
from spots_ml.defs.assets.monitoring import (
    FORMULA_BASELINE,
    MONITORING_GROUP,
    newest_digest,
)
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.lineage import result
from spots_ml.defs.pages import tables
from spots_ml.defs.resources import Platform

if TYPE_CHECKING:
    from spots_ml.monitoring.formula_baseline import FormulaBaseline, FormulaMeasured


@dg.asset(
    key=FORMULA_BASELINE,
    deps=[DATASET],
    group_name=MONITORING_GROUP,
    kinds={"python"},
    owners=OWNERS,
    description=(
        "Accuracy, precision, recall and F1 of called against positive outcomes and the mean distance of score and "
        "outcome, for the formula as recorded and as the app computes it; accuracy and AUC of the outcome rule; with "
        "intervals over agents, on the matured labelled rows of the newest dataset, and the targets for the models."
    ),
)
def formula_baseline(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Measure the formula on the newest dataset, keep what was found."""
    from datetime import timedelta

    from spots_ml.pipeline.monitoring_steps import measure_formula

    with refusals_in_words():
        kept = measure_formula(
            platform.places,
            newest_digest(context, DATASET),
            now=platform.now(),
            maturity=timedelta(hours=platform.settings.maturity_hours),
        )
    if isinstance(kept, str):
        context.log.info(kept)
        return dg.MaterializeResult(metadata={"state": tables.sentences([kept])})
    context.log.info(_headline(kept.baseline))
    return result(kept.digest, {**_metadata(kept.baseline), "path": dg.MetadataValue.path(kept.path)})


def _headline(baseline: "FormulaBaseline") -> str:
    found = baseline.recomputed.metrics
    values = ", ".join(f"{name} {tables.interval(estimate)}" for name, estimate in found.items())
    return f"the formula on {baseline.n_labelled:,} matured labelled rows of {baseline.n_agents:,} agents: {values}"


def _metadata(baseline: "FormulaBaseline") -> dict[str, dg.MetadataValue]:
    measured = {
        "recorded": baseline.recorded,
        "recomputed": baseline.recomputed,
        "outcome_rule": baseline.outcome_rule,
    }
    return {
        "state": tables.sentences([_headline(baseline)]),
        **{name: _table(found) for name, found in measured.items()},
        **{
            f"{name}/{metric}": tables.number(estimate.value)
            for name, found in measured.items()
            for metric, estimate in found.metrics.items()
            if estimate.stands_alone and estimate.value is not None
        },
        "n_labelled": dg.MetadataValue.int(baseline.n_labelled),
        "n_matured": dg.MetadataValue.int(baseline.n_matured),
        "n_without_time": dg.MetadataValue.int(baseline.n_without_time),
        "n_agents": dg.MetadataValue.int(baseline.n_agents),
        "maturity_hours": dg.MetadataValue.float(baseline.maturity_hours),
        "kind": dg.MetadataValue.text(baseline.kind),
        "digests": tables.digests({"dataset": baseline.dataset_digest}),
    }


def _table(found: "FormulaMeasured") -> dg.MetadataValue:
    return tables.markdown_table(
        [f"{found.n_rows:,} rows", "value (95% interval)", "a model's target"],
        (
            [name, tables.interval(estimate), f"{found.targets[name]:.4f}" if name in found.targets else "undefined"]
            for name, estimate in found.metrics.items()
        ),
    )
