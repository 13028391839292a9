"""A chain of two steps as small as can be, passing a digest on as the real ones do; either can be made to fail."""

import dagster as dg

from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.lineage import result, upstream_digest


class MadeOptions(dg.Config):
    digest: str = "first"
    fail: bool = False


class BuiltOptions(dg.Config):
    meanwhile: str = ""
    forget: str = ""
    fail: bool = False


@dg.asset
def made(config: MadeOptions) -> dg.MaterializeResult:
    """What the other step builds on."""
    if config.fail:
        raise dg.Failure("killed")
    return result(config.digest, {})


@dg.asset(deps=[made])
def built(context: dg.AssetExecutionContext, config: BuiltOptions) -> dg.MaterializeResult:
    """Tells by its own digest what it was built on; somebody may make another thing, or delete a run, just before."""
    if config.meanwhile:
        make_elsewhere(context.instance, config.meanwhile)
    if config.forget:
        context.instance.delete_run(config.forget)
    if config.fail:
        raise dg.Failure("killed")
    with refusals_in_words():
        return result(upstream_digest(context, made.key), {})


def make_elsewhere(instance: dg.DagsterInstance, digest: str) -> None:
    """Materialise the first step outside of any run of the chain."""
    metadata = {"digest": dg.MetadataValue.text(digest)}
    instance.report_runless_asset_event(dg.AssetMaterialization(made.key, metadata=metadata))


def two_steps() -> dg.JobDefinition:
    """The job over both, in this process."""
    job = dg.define_asset_job("two_steps", executor_def=dg.in_process_executor)
    return dg.Definitions(assets=[made, built], jobs=[job]).resolve_job_def("two_steps")
