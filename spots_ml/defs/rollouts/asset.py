"""`…/rollout`: one look at a model's rollout, what follows from it, and what there is to be seen."""

from typing import TYPE_CHECKING, Final

import dagster as dg

from spots_ml.defs.assets.keys import OWNERS, model_key
from spots_ml.defs.assets.monitoring import alert_check
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.lineage import result
from spots_ml.defs.resources import Platform
from spots_ml.models.declared import ModelType

if TYPE_CHECKING:
    from spots_ml.pipeline.rollouts.rollout_view import RolloutView

WELL_CHECK: Final = "nothing_was_taken_back"


def rollout_key(model_type: ModelType) -> dg.AssetKey:
    """Name the rollout asset of a model.

    Args:
        model_type: Which model.

    Returns:
        Its asset key.
    """
    return model_key(model_type, "rollout")


def rollout_asset(model_type: ModelType) -> dg.AssetsDefinition:
    """Build the asset for one model.

    Args:
        model_type: Which model.

    Returns:
        The asset.
    """
    key = rollout_key(model_type)

    @dg.asset(
        key=key,
        deps=[model_key(model_type, "blessing")],
        group_name=model_type,
        kinds={"python"},
        owners=OWNERS,
        check_specs=[
            alert_check(
                key,
                WELL_CHECK,
                "No version was taken back by itself of late, nothing waits for a person, agents come as assigned.",
            )
        ],
        description=(
            "A look at the rollout of a version: new units of evidence, what is known with them, and the step that "
            "follows: hold, widen, promote, roll back, end, or start the next one. Shows the evidence over time with "
            "its thresholds, who takes part, guardrails, the effect by day, and the error budget."
        ),
    )
    def build(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
        """Look, act, show."""
        from spots_ml.defs.pages.rollout import rollout_metadata
        from spots_ml.digests import digest_json
        from spots_ml.pipeline.rollouts.controller import look
        from spots_ml.pipeline.rollouts.rollout_view import rollout_view

        store, policy, now = platform.store(), platform.settings.rollout, platform.now()
        with refusals_in_words():
            found = look(store, platform.places, model_type, policy, now=now, actor=f"dagster run {context.run.run_id}")
        for sentence in found.sentences:
            context.log.info(sentence)
        view = rollout_view(store, model_type, policy, now=now)
        shown = digest_json([view.state, view.budget, [look.number for look in view.looks], list(view.needs_person)])
        return result(shown, rollout_metadata(view), checks=[_check(view)])

    return build


def _check(view: "RolloutView") -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=WELL_CHECK,
        passed=not view.needs_person,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(view.needs_person) or view.state,
    )
