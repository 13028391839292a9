"""What `feature_importance` shows in the UI: groups with intervals and the noise floor, then every input."""

from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs.pages import plots, tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spots_ml.explaining.importance import FeatureImportance, Importance


def importance_metadata(found: "FeatureImportance") -> dict[str, dg.MetadataValue]:
    """Show importances.

    Args:
        found: What was measured.

    Returns:
        Metadata by key.
    """
    what = f"increase of test {found.metric}"
    return {
        "summary": tables.sentences([found.message]),
        "groups_plot": plots.importances(found.groups, found.floor, what),
        "groups": _table((*found.groups, found.probe), what),
        "inputs": _table((*sorted(found.inputs, key=lambda one: -one.value), found.probe), what),
        **{f"importance/{one.name}": tables.number(one.value) for one in found.groups},
        **({} if found.floor is None else {"noise_floor": tables.number(found.floor)}),
        f"test_{found.metric}": tables.number(found.error),
        f"test_{found.metric}_with_probe": tables.number(found.probe_error),
        "method": tables.sentences(
            [
                f"{found.n_repeats} permutations of {found.n_rows:,} test rows; intervals over {found.n_resamples} "
                f"resamples of {found.n_agents:,} agents and of the permutations.",
                *(
                    f"{one.name}: {', '.join(one.recomputed)} computed anew after permuting."
                    for one in found.groups
                    if one.recomputed
                ),
                "match, and every single input: all others kept as they are.",
                "noise floor: upper end of the interval of an input of pure noise, in a network trained with it.",
            ]
        ),
        "digests": tables.digests({"trained model": found.trained_digest, "dataset": found.dataset_digest}),
    }


def _table(importances: "Iterable[Importance]", what: str) -> dg.MetadataValue:
    return tables.markdown_table(
        ["inputs", f"{what} (95% interval)", "above noise"],
        ([one.name, f"{one.value:.5f}{_interval(one)}", "yes" if one.above_noise else "no"] for one in importances),
    )


def _interval(one: "Importance") -> str:
    return " (no interval)" if one.low is None or one.high is None else f" ({one.low:.5f} to {one.high:.5f})"
