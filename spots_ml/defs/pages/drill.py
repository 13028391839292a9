"""What `rollback_drill` shows: how long each drill took, and the drills of the past."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs.pages import tables

if TYPE_CHECKING:
    from spots_ml.pipeline.rollouts.drill import DrillReport


def drill_metadata(report: "DrillReport", past: Sequence["DrillReport"], path: Path) -> dict[str, dg.MetadataValue]:
    """Show a report and those before it.

    Args:
        report: Of these drills.
        past: Reports, the newest first; this one may be among them.
        path: Where this one is kept.

    Returns:
        Metadata by key.
    """
    return {
        "state": tables.sentences(
            ["everything was taken back in time" if report.passed else "NOT EVERYTHING WAS TAKEN BACK IN TIME"]
        ),
        "drills": tables.markdown_table(
            ["drill", "in time", "seconds", "what was said"],
            [[one.name, "yes" if one.passed else "NO", f"{one.took_s:.2f}", one.told] for one in report.results],
        ),
        **{f"{one.name}_s": tables.number(one.took_s) for one in report.results},
        "past": tables.markdown_table(
            ["at (UTC)", *(one.name for one in report.results)],
            [
                [
                    f"{one.at:%Y-%m-%d %H:%M}",
                    *(f"{each.took_s:.2f}{'' if each.passed else ' NO'}" for each in one.results),
                ]
                for one in past
            ],
        ),
        "report": dg.MetadataValue.path(path),
    }
