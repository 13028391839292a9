"""A chain of two steps as small as can be, passing a digest on as the real ones do; the second can be made to fail."""

import dagster as dg

from spots_ml.defs.lineage import result, upstream_digest


class MadeOptions(dg.Config):
    digest: str


class BuiltOptions(dg.Config):
    meanwhile: str = ""
    fail: bool = False


@dg.asset
def made(config: MadeOptions) -> dg.MaterializeResult:
    """What the other step builds on."""
    return result(config.digest, {})


@dg.asset(deps=[made])
def built(context: dg.AssetExecutionContext, config: BuiltOptions) -> dg.MaterializeResult:
    """Tells by its own digest what it was built on; somebody else may make another thing just before it looks."""
    if config.meanwhile:
        make_elsewhere(context.instance, config.meanwhile)
    if config.fail:
        raise dg.Failure("killed")
    return result(upstream_digest(context, made.key), {})


def make_elsewhere(instance: dg.DagsterInstance, digest: str) -> None:
    """Materialise the first step outside of any run of the chain."""
    metadata = {"digest": dg.MetadataValue.text(digest)}
    instance.report_runless_asset_event(dg.AssetMaterialization(made.key, metadata=metadata))


def two_steps() -> dg.JobDefinition:
    """The job over both, in this process."""
    job = dg.define_asset_job("two_steps", executor_def=dg.in_process_executor)
    return dg.Definitions(assets=[made, built], jobs=[job]).resolve_job_def("two_steps")
