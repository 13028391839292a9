"""What `version_performance` shows of watching the versions in service: their promise, and drift column by column."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import dagster as dg

from spots_ml.defs.pages import tables

if TYPE_CHECKING:
    from spots_ml.monitoring.causes.watches import Watch

_SHOWN: Final = 15


def watch_check(name: str, watches: "Sequence[Watch]") -> dg.AssetCheckResult:
    """Show what was found as a check.

    Args:
        name: Of the check.
        watches: What was found, one per model that has a version in service.

    Returns:
        The check; it fails, as a warning, where something was found that is watched for.
    """
    return dg.AssetCheckResult(
        check_name=name,
        passed=not any(one.found for one in watches),
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{one.model_type}: {one.told}" for one in watches)
        or "no version was in service, so none was watched",
        metadata={
            f"{one.model_type}/{number}": tables.number(value)
            for one in watches
            for number, value in one.numbers.items()
        },
    )


def drift_metadata(watches: "Sequence[Watch]") -> dict[str, dg.MetadataValue]:
    """Show the columns whose shift is largest.

    Args:
        watches: What was found of drift, one per model.

    Returns:
        A table by model; none where nothing could be told.
    """
    from spots_ml.pipeline.watching.drift import drift_columns

    return {
        f"drift ({watch.model_type})": tables.markdown_table(
            ["column", "learned", "now", "shift", "p", "drift"],
            [
                [
                    column["name"],
                    f"{column['learned_mean']:.3f}",
                    f"{column['now_mean']:.3f}",
                    f"{column['shift']:.3f}",
                    f"{column['p_value']:.2g}",
                    "yes" if column["found"] else "",
                ]
                for column in sorted(drift_columns(watch), key=lambda one: -float(one["shift"]))[:_SHOWN]
            ],
        )
        for watch in watches
        if drift_columns(watch)
    }
