"""States what accepted rows look like as a Great Expectations suite, and renders it as Data Docs.

An independent second look at what was written: `rules` judge records one by one, this judges the table.
Ranges are checked by their ends (minimum, maximum), which is as strict as checking every value and twenty
times as fast. Great Expectations takes seconds to import: it is imported here, inside functions, and nowhere
else.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pyarrow as pa

from spots_ml.features.contract import DERIVED_FEATURES, FEATURES, HISTORY_FEATURES
from spots_ml.files import publish_directory
from spots_ml.interactions.learning.data_docs import make_whole
from spots_ml.interactions.learning.report import DatasetReport
from spots_ml.interactions.schema import DATASET, OUTCOME_TYPES

if TYPE_CHECKING:
    import great_expectations as gx

Severity = Literal["critical", "warning", "info"]

_LONGEST_TEXT: Final = 200
_SITE: Final = "data_docs"
_UNIT_RANGE: Final = (*FEATURES, *HISTORY_FEATURES, "formula_score", "outcome_score")


@dataclass(frozen=True)
class ExpectationResult:
    """What one expectation found.

    Attributes:
        expectation: Its type, e.g. `expect_column_min_to_be_between`.
        column: The column it is about; `None` for the table.
        passed: Whether it holds.
        severity: `critical` blocks, `warning` and `info` are shown.
        observed: What was measured, as text; empty when nothing was.
        unexpected_count: Values that contradict it; 0 where it is not about single values.
        sample: At most five of those values, as text.
        error: Why it could not be evaluated; empty when it could. Then it has not passed.
    """

    expectation: str
    column: str | None
    passed: bool
    severity: Severity
    observed: str
    unexpected_count: int
    sample: tuple[str, ...]
    error: str


def check_expectations(
    report: DatasetReport, rows: pa.Table, *, docs_dir: Path | None = None
) -> list[ExpectationResult]:
    """Hold accepted rows against the suite.

    Args:
        report: The dataset's report; its counts are expectations too.
        rows: The accepted rows, schema `DATASET`.
        docs_dir: Where to render Data Docs (`index.html` and what it links to); left alone when it exists
            already, not rendered when absent.

    Returns:
        One result per expectation, by column (those about the table first) and type.
    """
    import great_expectations as gx

    context = _quiet_context()
    suite = context.suites.add(gx.ExpectationSuite(name="accepted_interactions", expectations=_suite(report, rows)))
    batch = (
        context.data_sources.add_pandas("datasets")
        .add_dataframe_asset("accepted")
        .add_batch_definition_whole_dataframe(report.digest[:12])
    )
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name="accepted_interactions", data=batch, suite=suite)
    )
    found = definition.run(batch_parameters={"dataframe": rows.to_pandas(split_blocks=True)}, result_format="SUMMARY")
    if docs_dir is not None:
        publish_directory(docs_dir, lambda folder: _render(context, folder))
    results = [_plain(result.to_json_dict()) for result in found.results]
    return sorted(results, key=lambda result: (result.column or "", result.expectation))


def _suite(report: DatasetReport, rows: pa.Table) -> list[Any]:
    """State the expectations; a column of which no value is known has no range to state."""
    import great_expectations.expectations as gxe
    from great_expectations.expectations.metadata_types import FailureSeverity

    warning = FailureSeverity.WARNING
    known = [name for name in _UNIT_RANGE if name not in rows.column_names or _is_known(rows[name])]
    return [
        gxe.ExpectTableColumnsToMatchOrderedList(column_list=list(DATASET.names)),
        gxe.ExpectTableRowCountToEqual(value=report.n_accepted),
        gxe.ExpectColumnValuesToBeUnique(column="position"),
        gxe.ExpectColumnValuesToBeInSet(column="outcome_type", value_set=list(OUTCOME_TYPES)),
        *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in HISTORY_FEATURES),
        *(gxe.ExpectColumnMinToBeBetween(column=name, min_value=0.0) for name in known),
        *(gxe.ExpectColumnMaxToBeBetween(column=name, max_value=1.0) for name in known),
        *(
            gxe.ExpectColumnStdevToBeBetween(column=name, min_value=0.0, strict_min=True, severity=warning)
            for name in DERIVED_FEATURES
            if name in known
        ),
    ]


def _is_known(column: pa.ChunkedArray) -> bool:
    return bool(column.null_count < len(column))


def _quiet_context() -> "gx.data_context.EphemeralDataContext":
    """Open a context that keeps nothing, draws no progress bars and sends nothing anywhere."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.enable_analytics(False)
    for name, site in list(context.list_data_docs_sites().items()):
        context.delete_data_docs_site(name)
        shutil.rmtree(site["store_backend"]["base_directory"], ignore_errors=True)
    return context


def _render(context: "gx.data_context.EphemeralDataContext", folder: Path) -> None:
    context.add_data_docs_site(
        site_name=_SITE,
        site_config={
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(folder.resolve()),
            },
        },
    )
    context.build_data_docs(site_names=[_SITE])
    make_whole(folder)


def _plain(result: dict[str, Any]) -> ExpectationResult:
    config = result["expectation_config"]
    detail = result.get("result") or {}
    error = _exception(result.get("exception_info") or {})
    observed = detail.get("observed_value")
    return ExpectationResult(
        expectation=config["type"],
        column=config["kwargs"].get("column"),
        passed=bool(result["success"]) and not error,
        severity=config.get("severity") or "critical",
        observed="" if observed is None else _shortened(str(observed)),
        unexpected_count=int(detail.get("unexpected_count") or 0),
        sample=tuple(str(value) for value in (detail.get("partial_unexpected_list") or [])[:5]),
        error=_shortened(error),
    )


def _exception(info: dict[str, Any]) -> str:
    """Find the message, which stands either directly in the information or once per metric."""
    if "exception_message" in info:
        return str(info["exception_message"] or "")
    messages = {str(each.get("exception_message") or "") for each in info.values() if isinstance(each, dict)}
    return "; ".join(sorted(messages - {""}))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
