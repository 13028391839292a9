"""Shows a gate's verdict as an asset check."""

import dagster as dg

from spots_ml.defs.pages import tables
from spots_ml.verdicts import Verdict


def verdict_check(verdict: Verdict) -> dg.AssetCheckResult:
    """Turn a verdict into the result of the check of the same name.

    Args:
        verdict: What the gate found.

    Returns:
        The check's result, with everything measured and required as numbers.
    """
    return dg.AssetCheckResult(
        check_name=verdict.gate,
        passed=verdict.passed,
        description=verdict.message,
        metadata={
            **{f"measured/{name}": tables.number(value) for name, value in verdict.measured.items()},
            **{f"required/{name}": tables.number(value) for name, value in verdict.required.items()},
        },
    )
