"""What the monitoring assets share: names, checks that alert but block nothing, and what was made so far."""

from typing import TYPE_CHECKING, Final

import dagster as dg

from spots_ml.defs.lineage import DIGEST_KEY

if TYPE_CHECKING:
    from spots_ml.training.evaluation import Estimate

MONITORING_GROUP: Final = "monitoring"
VERSION_PERFORMANCE: Final = dg.AssetKey("version_performance")
FORMULA_BASELINE: Final = dg.AssetKey("formula_baseline")
DATA_SUFFICIENCY: Final = dg.AssetKey("data_sufficiency")

SEED: Final = 0
"""Of every resampling and sample here: the same decisions always give the same intervals."""


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


def interval_text(estimate: "Estimate", *, percent: bool = False) -> str:
    """Write an estimate with its interval.

    Args:
        estimate: The estimate.
        percent: Whether it is a share, to be shown in percent.

    Returns:
        `value (low to high)`, as much of it as there is; `undefined` without a value.
    """
    if estimate.value is None:
        return "undefined"
    value, low, high = (
        None if number is None else f"{100 * number:.1f}" if percent else f"{number:.4f}"
        for number in (estimate.value, estimate.low, estimate.high)
    )
    interval = "" if low is None or high is None else f" ({low} to {high})"
    return f"{value}{'%' if percent else ''}{interval}"
