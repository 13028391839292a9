"""`scored_opportunities`: the calling scores of one day, in one file, with every fallback and refusal in sight."""

from typing import TYPE_CHECKING, Final

import dagster as dg
from pydantic import Field

from spots_ml.defs.assets.keys import OWNERS, gate_check, model_key
from spots_ml.defs.assets.monitoring import alert_check
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.lineage import result
from spots_ml.defs.resources import Platform
from spots_ml.models.declared import deciding_models

if TYPE_CHECKING:
    from spots_ml.pipeline.scoring_step import DayAnswered

SCORED_OPPORTUNITIES: Final = dg.AssetKey("scored_opportunities")
SCORING_GROUP: Final = "scoring"
DAYS: Final = dg.DailyPartitionsDefinition(start_date="2024-01-01", timezone="UTC")
FALLBACK_CHECK: Final = "no_fallback"
COMPLETE_CHECK: Final = "nothing_lost"

_HARMLESS: Final = "no_version"
"""What is normal while no version is active; seen all the same."""


class ScoringOptions(dg.Config):
    """Which versions score."""

    calling_score: str | None = Field(default=None, description="Calling-score version; left out: the active one.")
    outcome: str | None = Field(default=None, description="Outcome version; left out: the active one.")
    by_confidence: bool = Field(
        default=False, description="Let the weight of the neural score follow the model's confidence in each row."
    )

    def versions(self) -> dict[str, str | None]:
        """Tell which version is wanted, by model: the fields are called after the models that a decision asks."""
        return {spec.name: getattr(self, spec.name) for spec in deciding_models()}


@dg.asset(
    key=SCORED_OPPORTUNITIES,
    deps=[model_key(spec.name, "registered_version") for spec in deciding_models()],
    group_name=SCORING_GROUP,
    partitions_def=DAYS,
    kinds={"python", "parquet"},
    owners=OWNERS,
    check_specs=[
        gate_check(
            SCORED_OPPORTUNITIES, COMPLETE_CHECK, "Rows with scores + refused rows, counted in the file, = rows read."
        ),
        alert_check(
            SCORED_OPPORTUNITIES,
            FALLBACK_CHECK,
            "Both models answered every row. A warning only while no version is active, an error otherwise.",
        ),
    ],
    description=(
        "Calling scores of one day's pairs (UTC): the candidate pairs of SPOTS_ML_OPPORTUNITIES, else the store's "
        "interactions of that day, scored again with the history of their moment. One row per pair, scored or refused "
        "with reasons; the decisions go to the decision log."
    ),
)
def scored_opportunities(
    context: dg.AssetExecutionContext, config: ScoringOptions, platform: dg.ResourceParam[Platform]
) -> dg.MaterializeResult:
    """Score the pairs of the partition's day, keep the answers, log the decisions."""
    from spots_ml.defs.pages.scoring import scoring_metadata
    from spots_ml.pipeline.scoring_step import answer_day

    day = context.partition_time_window
    with refusals_in_words():
        answered = answer_day(
            platform.places,
            platform.store(),
            day.start,
            day.end,
            name=context.partition_key,
            pairs=platform.settings.opportunities,
            versions=config.versions(),
            by_confidence=config.by_confidence,
            exploration=platform.settings.exploration,
            now=platform.now(),
        )
    scored, asked = answered.scored, answered.asked
    for sentence in answered.fallbacks:
        context.log.warning(f"FALLBACK {sentence}")
    context.log.info(
        f"{context.partition_key}: {scored.tally.n_scored:,} scored + {scored.tally.n_refused:,} refused = "
        f"{asked.count.n_read:,} read, {scored.tally.n_called:,} called, from {asked.description}"
    )
    return result(
        scored.digest,
        scoring_metadata(answered),
        checks=[_nothing_lost(answered), _no_fallback(answered)],
    )


def _nothing_lost(answered: "DayAnswered") -> dg.AssetCheckResult:
    scored, n_read = answered.scored, answered.asked.count.n_read
    n_found = scored.n_written + scored.n_written_refused
    return dg.AssetCheckResult(
        check_name=COMPLETE_CHECK,
        passed=n_found == n_read,
        description=(
            f"{scored.n_written:,} scored + {scored.n_written_refused:,} refused = {n_found:,} rows in the file; "
            f"{n_read:,} were read"
        ),
    )


def _no_fallback(answered: "DayAnswered") -> dg.AssetCheckResult:
    tally = answered.scored.tally
    reasons = {cause.partition(": ")[2] for cause in tally.fallbacks}
    return dg.AssetCheckResult(
        check_name=FALLBACK_CHECK,
        passed=not reasons,
        severity=dg.AssetCheckSeverity.ERROR if reasons - {_HARMLESS} else dg.AssetCheckSeverity.WARN,
        description="; ".join(answered.fallbacks) or f"both models answered all {tally.n_scored:,} rows",
        metadata={cause: dg.MetadataValue.int(n) for cause, n in tally.fallbacks.items()},
    )
