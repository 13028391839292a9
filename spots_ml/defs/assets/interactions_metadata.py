"""What the data assets show in the UI."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs import plots, tables
from spots_ml.defs.resources import Platform

if TYPE_CHECKING:
    from spots_ml.interactions.expectations import ExpectationResult
    from spots_ml.interactions.report import DatasetReport

_N_UNKNOWN_SHOWN = 12


def expectations_table(results: Sequence["ExpectationResult"]) -> dg.MetadataValue:
    """Show what every expectation found, the broken ones first.

    Args:
        results: From `check_expectations`.

    Returns:
        A table.
    """
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "passed": found.passed,
                    "severity": found.severity,
                    "column": found.column or "(table)",
                    "expectation": found.expectation,
                    "observed": found.error or found.observed,
                    "unexpected": found.unexpected_count,
                }
            )
            for found in sorted(results, key=lambda found: found.passed)
        ]
    )


def dataset_metadata(report: "DatasetReport", platform: Platform) -> dict[str, dg.MetadataValue]:
    """Show what a dataset holds.

    Args:
        report: The dataset's report.
        platform: Where it lies.

    Returns:
        Metadata by key.
    """
    from spots_ml.interactions.schema import DATASET

    unknown = {name: share for name, share in report.unknown_share.items() if share > 0}
    most_unknown = dict(sorted(unknown.items(), key=lambda item: -item[1])[:_N_UNKNOWN_SHOWN])
    metadata = {
        "dagster/row_count": dg.MetadataValue.int(report.n_accepted),
        "dagster/column_schema": tables.column_schema(DATASET),
        "n_read": dg.MetadataValue.int(report.n_read),
        "n_accepted": dg.MetadataValue.int(report.n_accepted),
        "n_quarantined": dg.MetadataValue.int(report.n_quarantined),
        "n_labelled": dg.MetadataValue.int(report.n_labelled),
        "n_agents": dg.MetadataValue.int(report.n_agents),
        "quarantine_reasons": tables.counts(report.reasons, what="reason"),
        "outcomes": tables.counts(report.outcomes, what="outcome"),
        "kind": dg.MetadataValue.text(report.kind),
        "contract_digest": dg.MetadataValue.text(report.contract_digest),
        "path": dg.MetadataValue.path(platform.datasets_dir / report.digest),
        "data_docs": platform.data_docs_url(report.digest),
        "outcome_plot": plots.bars(
            {name: float(n) for name, n in report.outcomes.items()}, title="Outcomes", x_label="accepted rows"
        ),
    }
    if report.reasons:
        metadata["quarantine_plot"] = plots.bars(
            {name: float(n) for name, n in report.reasons.items()}, title="Quarantine by reason", x_label="rows"
        )
    if most_unknown:
        metadata["unknown_plot"] = plots.bars(
            most_unknown, title="Features most often unknown", x_label="share of accepted rows"
        )
    return metadata
