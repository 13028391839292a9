"""`data_sufficiency`: how much data there is, how much is missing, and when it is expected."""

from typing import TYPE_CHECKING, Final

import dagster as dg

from spots_ml.defs.assets.keys import DATASET, OWNERS, RAW_DATA
from spots_ml.defs.assets.monitoring import DATA_SUFFICIENCY, MONITORING_GROUP, alert_check, newest_digest
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.pages import tables
from spots_ml.defs.resources import Platform

if TYPE_CHECKING:
    from spots_ml.interactions.learning.report import DatasetReport
    from spots_ml.monitoring.data_forecast import Sufficiency

SUFFICIENT_CHECK: Final = "sufficient"


@dg.asset(
    key=DATA_SUFFICIENCY,
    deps=[RAW_DATA, DATASET],
    group_name=MONITORING_GROUP,
    kinds={"python"},
    owners=OWNERS,
    check_specs=[
        alert_check(
            DATA_SUFFICIENCY,
            SUFFICIENT_CHECK,
            "10,000 labelled interactions (recommended; below it a warning), and at least 1,000 and half of all "
            "labelled (needed to train; below it an error).",
        )
    ],
    description=(
        "Present, required and missing, per requirement, of what was validated last, also when it was too little to "
        "train on; and when the rest is expected at the rate of the 14 days up to the newest label. A silent feed "
        "(for three times its longest gap, and two days at least) promises nothing."
    ),
)
def data_sufficiency(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Hold what was validated last against what is needed."""
    from spots_ml.pipeline.monitoring_steps import measure_data

    with refusals_in_words():
        measured = measure_data(
            platform.places,
            platform.store().interactions,
            snapshot_digest=newest_digest(context, RAW_DATA),
            dataset_digest=newest_digest(context, DATASET),
            validation=platform.validation_config,
            now=platform.now(),
        )
    found, report, message = measured.found, measured.report, measured.message
    context.log.info(message)
    return dg.MaterializeResult(
        metadata={
            "state": tables.sentences([message]),
            "requirements": _table(found),
            "n_labelled": dg.MetadataValue.int(found.n_labelled),
            "n_interactions": dg.MetadataValue.int(found.n_interactions),
            "labels_in_store": dg.MetadataValue.int(measured.n_in_store),
            **({"labels_per_day": tables.number(found.rate.per_day)} if found.rate.per_day is not None else {}),
            **({"newest_label_at": dg.MetadataValue.timestamp(found.rate.as_of)} if found.rate.as_of else {}),
            **(_about(report) if report else {}),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=SUFFICIENT_CHECK,
                passed=not found.missing,
                severity=dg.AssetCheckSeverity.WARN if found.trainable else dg.AssetCheckSeverity.ERROR,
                description=message,
            )
        ],
    )


def _about(report: "DatasetReport") -> dict[str, dg.MetadataValue]:
    return {
        "kind": dg.MetadataValue.text(report.kind),
        "source": tables.sentences([report.description]),
        "digests": tables.digests({"dataset": report.digest, "snapshot": report.snapshot_digest}),
    }


def _table(found: "Sufficiency") -> dg.MetadataValue:
    return tables.markdown_table(
        ["requirement", "present", "required", "labels missing", "expected"],
        (
            [
                requirement.name,
                requirement.present_text,
                requirement.required_text,
                f"{requirement.missing_labels:,}",
                "met"
                if requirement.met
                else f"{requirement.reached_at:%Y-%m-%d}"
                if requirement.reached_at
                else "unknown",
            ]
            for requirement in found.requirements
        ),
    )
