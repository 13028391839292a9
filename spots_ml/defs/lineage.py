"""What passes between assets: the digest of what a step made, read back from Dagster's own event log.

No IO manager and no pickle: files lie under their digest (see `data/README.md`), and a step asks which digest its
upstream materialised in this run or, when the step runs alone, last.
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from spots_ml.errors import ArtifactError

DIGEST_KEY: Final = "digest"
_LOOK_BACK: Final = 25


def upstream_digest(context: dg.AssetExecutionContext, key: dg.AssetKey) -> str:
    """Find the digest of an upstream asset.

    Args:
        context: Of the running step.
        key: The upstream asset.

    Returns:
        The digest that this run materialised or, when this run did not, the newest one.

    Raises:
        ArtifactError: When the asset was never materialised.
    """
    records = context.instance.fetch_materializations(key, limit=_LOOK_BACK).records
    if not records:
        raise ArtifactError(
            f"{key.to_user_string()} was never materialised in this Dagster instance, but this step builds on it; "
            "materialise it first, or launch the whole job"
        )
    chosen = next((record for record in records if record.run_id == context.run.run_id), records[0])
    materialization = chosen.asset_materialization
    assert materialization is not None  # fetch_materializations returns nothing else
    return str(materialization.metadata[DIGEST_KEY].value)


def result(
    digest: str,
    metadata: dict[str, dg.MetadataValue],
    *,
    checks: Sequence[dg.AssetCheckResult] = (),
) -> dg.MaterializeResult:
    """Report a step's output by its digest, which is also its data version.

    Args:
        digest: Identity of what was made.
        metadata: What to show in the UI.
        checks: Results of the checks the asset declared.

    Returns:
        The result to return from the asset.
    """
    return dg.MaterializeResult(
        metadata={**metadata, DIGEST_KEY: dg.MetadataValue.text(digest)},
        data_version=dg.DataVersion(digest[:16]),
        check_results=list(checks),
    )
