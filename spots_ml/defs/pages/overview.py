"""What `all_at_a_glance` shows: what answers first, then how it does, what comes next, what needs a person."""

from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs.pages import tables

if TYPE_CHECKING:
    from spots_ml.monitoring.status import ModelStatus
    from spots_ml.pipeline.status_step import PlatformStatus


def overview_metadata(found: "PlatformStatus") -> dict[str, dg.MetadataValue]:
    """Show the platform at one moment.

    Args:
        found: Its status.

    Returns:
        Metadata by key, in the order in which it is read.
    """
    return {
        "needs_a_person": tables.sentences(found.needs_person or ["nothing"]),
        **{f"{model.model_type}: answers": tables.sentences([model.answers]) for model in found.models},
        **{f"{model.model_type}: outcomes": _outcomes(model) for model in found.models if model.comparisons},
        **{f"{model.model_type}: rollout": tables.sentences([model.rollout]) for model in found.models},
        **{f"{model.model_type}: next": tables.sentences([model.next_step]) for model in found.models},
        "as_of": dg.MetadataValue.timestamp(found.at),
    }


def _outcomes(model: "ModelStatus") -> dg.MetadataValue:
    return tables.markdown_table(
        ["against", "live version", "the other", "what can be told"],
        (
            [
                one.other,
                tables.interval(one.ours, percent=True),
                tables.interval(one.theirs, percent=True),
                one.sentence,
            ]
            for one in model.comparisons
        ),
    )
