"""`blessing`: a version beside what is active now; a no is an answer that the page shows, and no failed run."""

from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs.assets.keys import OWNERS, model_key
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.lineage import result, upstream_digest
from spots_ml.defs.pages.blessing import blessing_metadata
from spots_ml.defs.resources import Platform
from spots_ml.errors import ArtifactError
from spots_ml.models.declared import ModelType

if TYPE_CHECKING:
    from spots_ml.registry.records import ModelVersion


def blessing(model_type: ModelType) -> dg.AssetsDefinition:
    """Build the asset for one model.

    Args:
        model_type: Which model.

    Returns:
        The asset.
    """
    registered_key = model_key(model_type, "registered_version")

    @dg.asset(
        key=model_key(model_type, "blessing"),
        deps=[registered_key],
        group_name=model_type,
        kinds={"python"},
        owners=OWNERS,
        description=(
            "The version beside the active one and what stands in, on agents that neither learned from, overall and by "
            "slice. Traffic and promotion need a yes; made again when another version is active."
        ),
    )
    def build(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
        """Compare, and keep what was found."""
        from spots_ml.pipeline.before_traffic.blessing_step import bless_version

        with refusals_in_words():
            digest = upstream_digest(context, registered_key)
            versions = platform.store().versions
            row = versions.find_content(model_type, digest)
            if row is None:
                raise ArtifactError(
                    f"the {model_type} version of the content {digest[:12]} is not in the registry that is configured; "
                    "launch the whole job"
                )
            if row.status not in ("staging", "deprecated"):
                return _nothing_to_do(context, row)
            blessed = bless_version(
                platform.places,
                versions,
                model_type,
                row.version,
                now=platform.now(),
                actor=f"dagster run {context.run.run_id}",
                anew=platform.anew,
            )
        kept = blessed.kept
        verb = "is blessed" if kept.passed else "is not blessed"
        context.log.info(f"{model_type} {row.version} {verb}: {kept.blessing.sentence}")
        return result(kept.blessing.digest, blessing_metadata(kept), made_already=blessed.made_already)

    return build


def _nothing_to_do(context: dg.AssetExecutionContext, row: "ModelVersion") -> dg.MaterializeResult:
    told = f"{row.model_type} {row.version} is {row.status}; only a staging or a deprecated version is blessed"
    context.log.info(told)
    return result(row.content_digest, {"version": dg.MetadataValue.text(row.version), "found": _text(told)})


def _text(told: str) -> dg.MetadataValue:
    from spots_ml.defs.pages import tables

    return tables.sentences([told])
