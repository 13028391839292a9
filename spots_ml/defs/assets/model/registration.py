"""`registered_version`: only what passed every gate gets a name, a place and a row."""

from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs.assets.keys import DATASET, OWNERS, model_key
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.lineage import result, upstream_digest
from spots_ml.defs.pages import tables
from spots_ml.defs.refusing import about_model, refusals_of
from spots_ml.defs.resources import Platform
from spots_ml.models.declared import ModelType

if TYPE_CHECKING:
    from spots_ml.pipeline.registration_step import VersionRegistered


def registered_version(model_type: ModelType) -> dg.AssetsDefinition:
    """Build the asset for one model.

    Args:
        model_type: Which model.

    Returns:
        The asset.
    """
    trained_key = model_key(model_type, "trained_model")
    onnx_key = model_key(model_type, "onnx_model")
    latency_key = model_key(model_type, "latency_benchmark")

    @dg.asset(
        key=model_key(model_type, "registered_version"),
        deps=[DATASET, trained_key, onnx_key, latency_key],
        group_name=model_type,
        kinds={"python", "onnx"},
        owners=OWNERS,
        description=(
            "A version in the registry: status staging, weight 0.1, with its manifest. Refused when a verdict is "
            "missing or negative; the same content again gives the same version."
        ),
    )
    def build(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
        """Assemble the manifest, publish the files, register."""
        from spots_ml.pipeline.registration_step import register_model

        with refusals_in_words():
            onnx_digest = upstream_digest(context, onnx_key)
            latency_digest = upstream_digest(context, latency_key)
            trained_digest = upstream_digest(context, trained_key)
            about = about_model(platform, "registered_version", trained_digest)
            with refusals_of(context, platform).of("registered_version", about):
                registered = register_model(
                    platform.places,
                    platform.store().versions,
                    onnx_digest=onnx_digest,
                    latency_digest=latency_digest,
                    trained_digest=trained_digest,
                    now=platform.now(),
                    actor=f"dagster run {context.run.run_id}",
                )
        version = registered.version
        verb = "registered" if registered.created else "registered before with this very content:"
        context.log.info(f"{verb} {model_type} {version.version}, {version.status}, weight {version.weight:g}")
        return result(registered.digest, _metadata(registered))

    return build


def _metadata(registered: "VersionRegistered") -> dict[str, dg.MetadataValue]:
    from spots_ml.defs.pages.training import decision_metadata

    version = registered.version
    return {
        "version": dg.MetadataValue.text(version.version),
        "status_when_registered": tables.sentences(
            [f"{version.status}, weight {version.weight:g}; what it is now: `spots-ml status`, or all_at_a_glance"]
        ),
        "registered_at": dg.MetadataValue.timestamp(version.last_registered_at),
        "n_labelled": dg.MetadataValue.int(version.n_labelled),
        "source": tables.sentences([version.source]),
        "created": dg.MetadataValue.bool(registered.created),
        "verdicts": tables.sentences(
            f"**{gate.gate}** {'passed' if gate.passed else 'failed'}: {gate.message}"
            for gate in registered.manifest.verdicts
        ),
        **decision_metadata(registered.manifest),
        "metrics": tables.markdown_table(
            ["test rows", "value"], ([name, f"{value:.5g}"] for name, value in version.metrics.items())
        ),
        "path": dg.MetadataValue.path(registered.directory / "model.onnx"),
        "manifest": dg.MetadataValue.path(registered.directory / "manifest.json"),
        "sha256": dg.MetadataValue.text(version.sha256),
    }
