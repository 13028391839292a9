"""What `scored_opportunities` shows in the UI; fallbacks first."""

from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs.pages import tables

if TYPE_CHECKING:
    from spots_ml.pipeline.scoring_step import DayAnswered


def scoring_metadata(answered: "DayAnswered") -> dict[str, dg.MetadataValue]:
    """Show a scored day.

    Args:
        answered: What came of scoring it.

    Returns:
        Metadata by key; a table of fallbacks stands first when there were any.
    """
    from spots_ml.scoring.answering.score_tally import models_told

    asked, scored = answered.asked, answered.scored
    tally, metadata = scored.tally, {}
    if tally.fallbacks:
        metadata["FALLBACK"] = tables.counts(tally.fallbacks, what="fallback")
        metadata["FALLBACK_why"] = tables.sentences(answered.fallbacks)
    if not tally.n_read:
        metadata["nothing_to_score"] = tables.sentences([f"no rows of this day among the {asked.description}"])
    metadata |= {
        "dagster/row_count": dg.MetadataValue.int(tally.n_read),
        "source": tables.sentences([asked.description]),
        "n_read": dg.MetadataValue.int(asked.count.n_read),
        "n_undated": dg.MetadataValue.int(asked.count.n_undated),
        "n_of_other_days": dg.MetadataValue.int(asked.count.n_elsewhere),
        "n_scored": dg.MetadataValue.int(tally.n_scored),
        "n_refused": dg.MetadataValue.int(tally.n_refused),
        "refused": tables.counts(tally.refused, what="reason"),
        "n_called": dg.MetadataValue.int(tally.n_called),
        "n_blocked": dg.MetadataValue.int(tally.blocked),
        "n_fallback": dg.MetadataValue.int(tally.fallen_back),
        "n_unknown_features": dg.MetadataValue.int(tally.n_unknown_features),
        "groups": tables.markdown_table(
            ["group", "scored", "called", "called rate"],
            (
                [name, f"{group.n:,}", f"{group.n_called:,}", _share(group.called_rate)]
                for name, group in tally.groups.items()
            ),
        ),
    }
    for name, group in tally.groups.items():
        if group.called_rate is not None:
            metadata[f"called_rate/{name}"] = tables.number(group.called_rate)
    metadata |= {f"mean/{name}": tables.number(mean) for name, mean in tally.means().items()}
    return metadata | {
        "models": tables.sentences(f"{model}: {told}" for model, told in models_told(answered.scorer).items()),
        "decision_log": tables.sentences(scored.log.told()),
        "n_decisions_logged": dg.MetadataValue.int(scored.log.report.n_new),
        "n_decisions_known": dg.MetadataValue.int(scored.log.report.n_known),
        "n_decisions_served": dg.MetadataValue.int(scored.log.n_served),
        "n_decisions_replayed": dg.MetadataValue.int(sum(scored.log.replayed.values())),
        "n_from_log": dg.MetadataValue.int(scored.log.n_from_log),
        "n_not_logged": dg.MetadataValue.int(scored.log.n_unidentified),
        "label_watermark": dg.MetadataValue.text(asked.watermark or "none: not read from a store"),
        "path": dg.MetadataValue.path(scored.path),
    }


def _share(rate: float | None) -> str:
    return "none scored" if rate is None else f"{rate:.1%}"
