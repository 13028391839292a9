"""The data assets: what was read, and what of it may be learned from."""

from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from spots_ml.defs.assets.keys import APP_TABLE, DATASET, INTERACTIONS_GROUP, OWNERS, RAW_DATA, gate_check
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.lineage import result, upstream_digest
from spots_ml.defs.pages.interactions import dataset_metadata, expectations_table
from spots_ml.defs.refusing import about_snapshot, refusals_of
from spots_ml.defs.resources import Platform
from spots_ml.interactions.kinds import Source

if TYPE_CHECKING:
    from spots_ml.pipeline.data_steps import DatasetBuilt


class SourceName(Enum):
    """The sources, so that the launchpad lists them; a test holds them against `interactions.kinds.Source`."""

    synthetic = "synthetic"
    export = "export"
    embedded = "embedded"
    supabase = "supabase"


class SourceOptions(dg.Config):
    """Which interactions to learn from."""

    source: SourceName | None = Field(
        default=None,
        description="Our generator, an export file, or the store, which must be the configured one; left out: "
        "SPOTS_ML_SOURCE.",
    )

    def chosen(self, configured: Source) -> Source:
        """Choose the source.

        Args:
            configured: What the settings say.

        Returns:
            The run's own source, or the configured one.
        """
        return configured if self.source is None else self.source.value


@dg.asset(
    key=RAW_DATA,
    deps=[APP_TABLE],
    group_name=INTERACTIONS_GROUP,
    kinds={"python", "parquet"},
    owners=OWNERS,
    description=(
        "An immutable snapshot of the interactions of the configured source, labelled or not, as they came: nothing "
        "corrected, nothing dropped. Its digest is the SHA-256 of the Parquet file."
    ),
)
def raw_training_data(
    context: dg.AssetExecutionContext, config: SourceOptions, platform: dg.ResourceParam[Platform]
) -> dg.MaterializeResult:
    """Read the configured source into a snapshot."""
    from spots_ml.defs.pages.interactions import snapshot_metadata
    from spots_ml.pipeline.data_steps import take_snapshot

    with refusals_in_words():
        taken = take_snapshot(
            platform.places, config.chosen(platform.settings.source), platform.sources(), anew=platform.anew
        )
    snapshot = taken.snapshot
    context.log.info(f"{snapshot.n_rows:,} interactions, {snapshot.n_labelled:,} labelled, from {snapshot.description}")
    return result(taken.digest, snapshot_metadata(taken), made_already=taken.made_already)


@dg.asset(
    key=DATASET,
    deps=[RAW_DATA],
    group_name=INTERACTIONS_GROUP,
    kinds={"python", "parquet"},
    owners=OWNERS,
    check_specs=[
        gate_check(
            DATASET,
            "enough_labels",
            "At least 1,000 labelled interactions, at least half of all labelled, and labels that vary.",
        ),
        gate_check(
            DATASET,
            "expectations",
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
    from spots_ml.pipeline.data_steps import import_training, make_dataset

    with refusals_in_words():
        snapshot_digest = upstream_digest(context, RAW_DATA)
        about = about_snapshot(platform, snapshot_digest)
        with refusals_of(context, platform).of("validated_dataset", about) as judged:
            built = make_dataset(
                platform.places,
                snapshot_digest,
                now=platform.now(),
                validation=platform.validation_config,
                expectations=platform.expectations,
                meanwhile=import_training,
                anew=platform.anew,
            )
            for verdict in built.verdicts:
                judged(verdict)
        report = built.report
        context.log.info(
            f"{report.n_accepted:,} accepted + {report.n_quarantined:,} quarantined = {report.n_read:,} read"
        )
        yield from _checks(built, platform)
        built.require_fit()
    metadata = dataset_metadata(built, platform.data_docs_url(built.digest))
    yield result(built.digest, metadata, made_already=built.made_already)


def _checks(built: "DatasetBuilt", platform: Platform) -> Iterator[dg.AssetCheckResult]:
    """Show both gates; without enough labels the expectations were not evaluated."""
    yield dg.AssetCheckResult(
        check_name=built.labels.gate,
        passed=built.labels.passed,
        description=built.labels.message,
        metadata={"n_labelled": built.report.n_labelled, "n_accepted": built.report.n_accepted},
    )
    if built.expectations is not None:
        yield dg.AssetCheckResult(
            check_name=built.expectations.gate,
            passed=built.expectations.passed,
            description=built.expectations.message,
            metadata={
                "results": expectations_table(built.results),
                "data_docs": platform.data_docs_url(built.digest),
            },
        )
