"""What a scorer and a phone need of the rollouts that are on their way."""

from collections.abc import Iterable

from spots_ml.experiments.rollout import ON_THE_WAY, Rollout
from spots_ml.models.declared import deciding_models
from spots_ml.scoring.challengers import Challenger


def serving_challengers(rollouts: Iterable[Rollout]) -> tuple[Challenger, ...]:
    """Choose what is served to a share of the agents.

    Args:
        rollouts: Of a store, over or not; at most one of each model is on its way.

    Returns:
        The challengers of those on their way, paused ones among them: they keep their traffic. In the order of the
        models that decide; those of other models decide about nobody.
    """
    found = {one.model_type: challenger_of(one) for one in rollouts if one.status in ON_THE_WAY}
    return tuple(found[spec.name] for spec in deciding_models() if spec.name in found)


def challenger_of(rollout: Rollout) -> Challenger:
    """Tell what a rollout gives to those that it treats.

    Args:
        rollout: On its way or over; nobody is treated by one that is over.

    Returns:
        Its challenger, as it stands.
    """
    return Challenger(
        experiment=rollout.name,
        stage=rollout.stage,
        share=rollout.share,
        salt=rollout.salt,
        model_type=rollout.model_type,
        version=rollout.version,
        weight=rollout.weight,
    )
