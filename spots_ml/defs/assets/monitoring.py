"""What the monitoring assets share: names, checks that alert but block nothing, and what was made so far."""

from typing import Final

import dagster as dg

from spots_ml.defs.lineage import DIGEST_KEY

MONITORING_GROUP: Final = "monitoring"
VERSION_PERFORMANCE: Final = dg.AssetKey("version_performance")
FORMULA_BASELINE: Final = dg.AssetKey("formula_baseline")
DATA_SUFFICIENCY: Final = dg.AssetKey("data_sufficiency")


def alert_check(asset: dg.AssetKey, name: str, description: str) -> dg.AssetCheckSpec:
    """Declare a check that alerts; it stops nothing, because what it finds has happened already.

    Args:
        asset: The asset that is judged.
        name: The check's name.
        description: What it takes to pass.

    Returns:
        The check.
    """
    return dg.AssetCheckSpec(name, asset=asset, blocking=False, description=description)


def newest_digest(context: dg.AssetExecutionContext, key: dg.AssetKey) -> str | None:
    """Find what an asset made last; unlike a step of the chain, monitoring has something to say when there is nothing.

    Args:
        context: Of the running step.
        key: The asset.

    Returns:
        The newest digest; None when the asset was never materialised.
    """
    records = context.instance.fetch_materializations(key, limit=1).records
    materialization = records[0].asset_materialization if records else None
    return str(materialization.metadata[DIGEST_KEY].value) if materialization else None
