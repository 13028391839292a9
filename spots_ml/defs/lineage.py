"""What passes between assets: the digest of what a step made, read back from Dagster's own event log.

No IO manager and no pickle: files lie under their digest (see `data/README.md`). A step builds on what its own run made
or, in a run that goes on where another stopped, on what that one made; what anybody else made meanwhile is none of its
business. Only where none of these runs was to make it, as when a step is launched alone, it is what was there last when
the first of them started: all of its steps build on the same, whatever is made while they work.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import dagster as dg

from spots_ml.errors import ArtifactError

DIGEST_KEY: Final = "digest"
MADE_ALREADY_KEY: Final = "made_already"
_MADE: Final = dg.DagsterEventType.ASSET_MATERIALIZATION
_PLANNED: Final = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
_STARTED: Final = dg.DagsterEventType.RUN_START


def upstream_digest(context: dg.AssetExecutionContext, key: dg.AssetKey) -> str:
    """Find the digest of an upstream asset, and say in the log who made it when it was not this run.

    Args:
        context: Of the running step.
        key: The upstream asset.

    Returns:
        What this run made, else what the nearest of the runs made that it goes on from. When none of them was to make
        the asset: what was there last, by whomever, when the first of them started.

    Raises:
        ArtifactError: When one of these runs was to make the asset and did not, or its history was deleted, or when
            the asset was never materialised.
    """
    name, started_at = key.to_user_string(), None
    for run in _with_ancestors(context, name):
        events = context.instance.all_logs(run.run_id, of_type={_MADE, _PLANNED, _STARTED})
        about = [event for event in events if event.dagster_event and event.dagster_event.asset_key == key]
        made = [event.asset_materialization for event in about if event.asset_materialization is not None]
        if made:
            if run is not context.run:
                context.log.info(f"builds on the {name} of run {run.run_id}, on which this run goes on")
            return _digest(made[-1])
        if about:
            raise ArtifactError(
                f"{name} was to be made by run {run.run_id} and was not, and what others made is not taken instead; "
                "launch the whole job"
            )
        # Not when it was launched: what the run before it in the queue makes is there when it starts.
        started = [event.timestamp for event in events if event.dagster_event_type == _STARTED]
        started_at = min(started, default=started_at)
    return _of_anybody(context, key, before=started_at)


def _with_ancestors(context: dg.AssetExecutionContext, name: str) -> Iterator[dg.DagsterRun]:
    """Give this run, then the one it goes on from, and so on; as far as they are asked for."""
    run = context.run
    yield run
    while (parent_id := run.parent_run_id) is not None:
        parent = context.instance.get_run_by_id(parent_id)
        if parent is None:
            raise ArtifactError(
                f"the history of run {parent_id}, on which this run goes on, was deleted, and with it which {name} it "
                "made; launch the whole job"
            )
        run = parent
        yield run


def _of_anybody(context: dg.AssetExecutionContext, key: dg.AssetKey, *, before: float | None) -> str:
    """Take what was made last, before a moment when one is given."""
    name = key.to_user_string()
    wanted = dg.AssetRecordsFilter(asset_key=key, before_timestamp=before)
    records = context.instance.fetch_materializations(wanted, limit=1).records
    materialization = records[0].asset_materialization if records else None
    if materialization is None:
        raise ArtifactError(
            f"{name} was never materialised in this Dagster instance, but this step builds on it; "
            "materialise it first, or launch the whole job"
        )
    run_id = records[0].run_id
    context.log.info(
        f"builds on the {name} that was made last, {f'by run {run_id}' if run_id else 'outside of any run'}"
    )
    return _digest(materialization)


def _digest(materialization: dg.AssetMaterialization) -> str:
    return str(materialization.metadata[DIGEST_KEY].value)


def result(
    digest: str,
    metadata: dict[str, dg.MetadataValue],
    *,
    checks: Sequence[dg.AssetCheckResult] = (),
    made_already: bool | None = None,
) -> dg.MaterializeResult:
    """Report a step's output by its digest, which is also its data version.

    Args:
        digest: Identity of what was made.
        metadata: What to show in the UI.
        checks: Results of the checks the asset declared.
        made_already: Whether it was found, not made by this step; None: it cannot be found.

    Returns:
        The result to return from the asset.
    """
    found = {} if made_already is None else {MADE_ALREADY_KEY: dg.MetadataValue.bool(made_already)}
    return dg.MaterializeResult(
        metadata={**metadata, **found, DIGEST_KEY: dg.MetadataValue.text(digest)},
        data_version=dg.DataVersion(digest[:16]),
        check_results=list(checks),
    )
