"""What a person does to a rollout: pause, resume, abort, or step around the evidence. Each needs a reason."""

from datetime import datetime
from typing import Final, Literal

from spots_ml.errors import RegistryError
from spots_ml.experiments.rollout import Rollout, RolloutAction, RolloutChange
from spots_ml.models.declared import ModelType
from spots_ml.pipeline.rollouts.starting import rollouts_of
from spots_ml.stores.store import Store
from spots_ml.texts import require_line

HandAction = Literal["pause", "resume", "abort", "widen", "promote", "roll-back"]
_ACTIONS: Final[dict[HandAction, RolloutAction]] = {
    "pause": "paused",
    "resume": "resumed",
    "abort": "ended",
    "widen": "widened",
    "promote": "promoted",
    "roll-back": "rolled_back",
}


def change_by_hand(
    store: Store, model_type: ModelType, action: HandAction, *, now: datetime, actor: str, reason: str
) -> Rollout:
    """Change the rollout of a model as a person asks for it.

    Args:
        store: The rollouts.
        model_type: Which model.
        action: What is to be done.
        now: The present (UTC).
        actor: Who does it.
        reason: Why, one line.

    Returns:
        The rollout as it stands then.

    Raises:
        ConfigError: When the reason is none that can stand in a history.
        RegistryError: When there is no reason, no rollout is on its way, or the change is none that can follow.
        RolloutChangedError: When somebody else changed it meanwhile: whoever asked has not seen that.
    """
    if not reason.strip():
        raise RegistryError(f'say why: `spots-ml rollout … {model_type} --reason "..."`; it is kept with the rollout')
    running = rollouts_of(store, model_type).running
    if running is None:
        raise RegistryError(
            f"no rollout of {model_type} is on its way; `spots-ml rollout start {model_type} VERSION` starts one, and "
            f"`spots-ml rollout status {model_type}` says which may"
        )
    change = RolloutChange(action=_ACTIONS[action], cause="by_hand", reason=require_line(reason, "reason"))
    return store.rollouts.change_rollout(running.number, change, after=running.last_event, now=now, actor=actor)
