"""What the data assets show in the UI."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs.pages import plots, tables

if TYPE_CHECKING:
    from spots_ml.interactions.learning.expectations import ExpectationResult
    from spots_ml.interactions.learning.report import DatasetReport
    from spots_ml.pipeline.data_steps import DatasetBuilt, SnapshotTaken


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


def snapshot_metadata(taken: "SnapshotTaken") -> dict[str, dg.MetadataValue]:
    """Show what a snapshot holds.

    Args:
        taken: What came of reading the source.

    Returns:
        Metadata by key.
    """
    from spots_ml.interactions.schema import INTERACTIONS

    snapshot = taken.snapshot
    return {
        "dagster/row_count": dg.MetadataValue.int(snapshot.n_rows),
        "source": dg.MetadataValue.text(taken.source),
        "source_description": tables.sentences([snapshot.description]),
        "kind": dg.MetadataValue.text(snapshot.kind),
        "n_labelled": dg.MetadataValue.int(snapshot.n_labelled),
        "n_unreadable": dg.MetadataValue.int(snapshot.n_unreadable),
        "label_watermark": dg.MetadataValue.text(snapshot.watermark or "none: not read from a store"),
        "size_bytes": dg.MetadataValue.int(taken.path.stat().st_size),
        "path": dg.MetadataValue.path(taken.path),
        "columns": tables.columns_table(INTERACTIONS),
    }


def dataset_metadata(built: "DatasetBuilt", data_docs: dg.MetadataValue) -> dict[str, dg.MetadataValue]:
    """Show what a dataset holds.

    Args:
        built: What came of validating the snapshot.
        data_docs: Link to its Data Docs.

    Returns:
        Metadata by key.
    """
    from spots_ml.interactions.schema import DATASET

    report = built.report
    metadata = {
        "dagster/row_count": dg.MetadataValue.int(report.n_accepted),
        "data_docs": data_docs,
        "n_read": dg.MetadataValue.int(report.n_read),
        "n_accepted": dg.MetadataValue.int(report.n_accepted),
        "n_quarantined": dg.MetadataValue.int(report.n_quarantined),
        "quarantine_reasons": tables.counts(report.reasons, what="reason"),
        "quarantine_keys": tables.counts(report.keys or {}, what="reason and key"),
        "n_labelled": dg.MetadataValue.int(report.n_labelled),
        "n_agents": dg.MetadataValue.int(report.n_agents),
        **_who_weighs_most(report),
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
        "path": dg.MetadataValue.path(built.path),
        "columns": tables.columns_table(DATASET),
    }


def _who_weighs_most(report: "DatasetReport") -> dict[str, dg.MetadataValue]:
    weighing = report.weighing
    if weighing is None:
        return {}
    shown: dict[str, dg.MetadataValue] = {"effective_agents": dg.MetadataValue.float(weighing.effective_agents)}
    if weighing.heaviest:
        shown["heaviest_agents"] = dg.MetadataValue.table(
            [dg.TableRecord(one.model_dump(mode="json")) for one in weighing.heaviest]
        )
    return shown
