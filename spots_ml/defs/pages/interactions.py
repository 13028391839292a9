"""What the data assets show in the UI."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs.pages import plots, tables
from spots_ml.defs.resources import Platform

if TYPE_CHECKING:
    from spots_ml.interactions.learning.expectations import ExpectationResult
    from spots_ml.interactions.learning.report import DatasetReport


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

    metadata = {
        "dagster/row_count": dg.MetadataValue.int(report.n_accepted),
        "dagster/column_schema": tables.column_schema(DATASET),
        "data_docs": platform.data_docs_url(report.digest),
        "n_read": dg.MetadataValue.int(report.n_read),
        "n_accepted": dg.MetadataValue.int(report.n_accepted),
        "n_quarantined": dg.MetadataValue.int(report.n_quarantined),
        "quarantine_reasons": tables.counts(report.reasons, what="reason"),
        "n_labelled": dg.MetadataValue.int(report.n_labelled),
        "n_agents": dg.MetadataValue.int(report.n_agents),
        "outcomes": tables.counts(report.outcomes, what="outcome"),
        "outcome_plot": plots.bars(
            {name: float(n) for name, n in report.outcomes.items()}, "outcomes of the accepted rows"
        ),
    }
    if report.reasons:
        metadata["quarantine_plot"] = plots.bars(
            {name: float(n) for name, n in report.reasons.items()}, "quarantined rows by reason"
        )
    unknown = {name: share for name, share in report.unknown_share.items() if share > 0}
    if unknown:
        metadata["unknown_plot"] = plots.bars(unknown, "share of accepted rows in which a feature is unknown")
    return {
        **metadata,
        "source": tables.sentences([report.description]),
        "kind": dg.MetadataValue.text(report.kind),
        "digests": tables.digests(
            {
                "snapshot": report.snapshot_digest,
                "contract": report.contract_digest,
                "accepted.parquet": report.accepted_sha256,
                "quarantine.parquet": report.quarantine_sha256,
            }
        ),
        "path": dg.MetadataValue.path(platform.places.datasets_dir / report.digest),
    }
