"""The data assets: what was read, and what of it may be learned from."""

import importlib
from collections.abc import Callable, Iterator
from typing import Final, TypeVar, get_args

import dagster as dg
from pydantic import Field

from spots_ml.defs.assets.keys import DATASET, INTERACTIONS_GROUP, OWNERS, RAW_DATA, gate_check
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.lineage import result, upstream_digest
from spots_ml.defs.pages import tables
from spots_ml.defs.pages.interactions import dataset_metadata, expectations_table
from spots_ml.defs.resources import Platform
from spots_ml.errors import ConfigError, SpotsMLError
from spots_ml.interactions.kinds import Source

_T = TypeVar("_T")


class SourceOptions(dg.Config):
    """Which interactions to learn from."""

    source: str | None = Field(
        default=None,
        description="synthetic, export, or the configured store: embedded or supabase; left out: SPOTS_ML_SOURCE",
    )

    def chosen(self, configured: Source) -> Source:
        """Choose the source.

        Args:
            configured: What the settings say.

        Returns:
            The run's own source, or the configured one.

        Raises:
            ConfigError: When there is no such source.
        """
        names = get_args(Source)
        if self.source is None:
            return configured
        if self.source not in names:
            raise ConfigError(f"source is {self.source!r}; expected one of: {', '.join(names)}")
        return next(name for name in names if name == self.source)


@dg.asset(
    key=RAW_DATA,
    group_name=INTERACTIONS_GROUP,
    kinds={"python", "parquet"},
    owners=OWNERS,
    code_version="1",
    description=(
        "An immutable snapshot of the interactions of the configured source, labelled or not, as they came: nothing "
        "corrected, nothing dropped. Its digest is the SHA-256 of the Parquet file."
    ),
)
def raw_training_data(
    context: dg.AssetExecutionContext, config: SourceOptions, platform: dg.ResourceParam[Platform]
) -> dg.MaterializeResult:
    """Read the configured source into a snapshot."""
    from spots_ml.defs.sources import open_source
    from spots_ml.interactions.keeping.snapshot import INTERACTIONS_FILE, write_snapshot
    from spots_ml.interactions.schema import INTERACTIONS

    with refusals_in_words():
        source = config.chosen(platform.settings.source)
        snapshot = write_snapshot(open_source(platform, source), platform.places.snapshots_dir)
    path = platform.places.snapshots_dir / snapshot.digest / INTERACTIONS_FILE
    context.log.info(f"{snapshot.n_rows:,} interactions, {snapshot.n_labelled:,} labelled, from {snapshot.description}")
    return result(
        snapshot.digest,
        {
            "dagster/row_count": dg.MetadataValue.int(snapshot.n_rows),
            "dagster/column_schema": tables.column_schema(INTERACTIONS),
            "source": dg.MetadataValue.text(source),
            "source_description": tables.sentences([snapshot.description]),
            "kind": dg.MetadataValue.text(snapshot.kind),
            "n_labelled": dg.MetadataValue.int(snapshot.n_labelled),
            "n_unreadable": dg.MetadataValue.int(snapshot.n_unreadable),
            "label_watermark": dg.MetadataValue.text(snapshot.watermark or "none: not read from a store"),
            "size_bytes": dg.MetadataValue.int(path.stat().st_size),
            "path": dg.MetadataValue.path(path),
        },
    )


EXPECTATIONS_CHECK: Final = "expectations"
SUFFICIENCY_CHECK: Final = "enough_labels"


@dg.asset(
    key=DATASET,
    deps=[RAW_DATA],
    group_name=INTERACTIONS_GROUP,
    kinds={"python", "parquet"},
    owners=OWNERS,
    code_version="1",
    check_specs=[
        gate_check(
            DATASET,
            SUFFICIENCY_CHECK,
            "At least 1,000 labelled interactions, at least half of all labelled, and labels that vary.",
        ),
        gate_check(
            DATASET,
            EXPECTATIONS_CHECK,
            "Great Expectations on the accepted rows: the contract's ranges, the labels, the shape.",
        ),
    ],
    description=(
        "The accepted interactions with their 39 contract features and 6 point-in-time history features, and the "
        "quarantine with positions and reason codes. Accepted + quarantined = read. Materialised only when its checks "
        "pass."
    ),
)
def validated_dataset(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Validate the snapshot; publish the dataset only when it is fit to learn from."""
    from spots_ml.interactions.judging.validation_config import SufficiencyConfig
    from spots_ml.interactions.learning.expectations import require_expectations
    from spots_ml.interactions.learning.expectations_process import ExpectationsProcess
    from spots_ml.interactions.learning.fitness import judge_dataset, keep_verdict
    from spots_ml.interactions.learning.sufficiency import check_sufficiency
    from spots_ml.interactions.learning.validation import build_dataset

    with refusals_in_words():
        report = build_dataset(
            platform.places.snapshots_dir,
            upstream_digest(context, RAW_DATA),
            platform.places.datasets_dir,
            config=platform.validation_config,
            now=platform.now(),
        )
        context.log.info(
            f"{report.n_accepted:,} accepted + {report.n_quarantined:,} quarantined = {report.n_read:,} read"
        )
        warnings, shortage = _outcome_of(lambda: check_sufficiency(report))
        yield dg.AssetCheckResult(
            check_name=SUFFICIENCY_CHECK,
            passed=shortage is None,
            description=str(shortage)
            if shortage
            else "; ".join(warnings or [])
            or f"{report.n_labelled:,} labelled of {report.n_accepted:,} accepted: as much as recommended",
            metadata={"n_labelled": report.n_labelled, "n_accepted": report.n_accepted},
        )
        if shortage is not None:
            raise shortage

        with platform.expectations or ExpectationsProcess() as great_expectations:
            docs_dir = platform.places.data_docs_dir / report.digest
            great_expectations.submit(platform.places.datasets_dir, report.digest, docs_dir=docs_dir)
            _import_what_training_needs()
            results = great_expectations.results()
        _, broken = _outcome_of(lambda: require_expectations(results))
        yield dg.AssetCheckResult(
            check_name=EXPECTATIONS_CHECK,
            passed=broken is None,
            description=str(broken) if broken else f"{len(results)} expectations evaluated",
            metadata={"results": expectations_table(results), "data_docs": platform.data_docs_url(report.digest)},
        )
        if broken is not None:
            raise broken
        verdict = judge_dataset(report, results, validation=platform.validation_config, sufficiency=SufficiencyConfig())
        keep_verdict(platform.places.datasets_dir, report.digest, verdict)
    yield result(report.digest, dataset_metadata(report, platform))


def _import_what_training_needs() -> None:
    """Use the wait for Great Expectations: the steps that follow import these, which takes seconds."""
    for name in (
        "spots_ml.training.model",
        "sklearn.ensemble",
        "sklearn.linear_model",
        "torch._dynamo",  # the first step of any optimiser imports it
    ):
        importlib.import_module(name)


def _outcome_of(check: Callable[[], _T]) -> tuple[_T | None, SpotsMLError | None]:
    """Run a check that raises, so that its verdict can be reported before the step ends with it."""
    try:
        return check(), None
    except SpotsMLError as error:
        return None, error
