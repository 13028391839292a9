"""The inputs of a model in groups that a person can reason about; explanations and importances are told by them.

Some groups are not independent of others: the match slots are functions of the two sides' vibes, and the timing
alignment is one of the other timing features. The agents' own groups (hybrid or not) are `scoring.assignment`.
"""

from collections.abc import Sequence
from typing import Final

from spots_ml.features.contract import (
    AGENT_VIBES,
    CONTEXT_FEATURES,
    HISTORY_FEATURES,
    MATCH_FEATURES,
    OPPORTUNITY_VIBES,
    TIMING_FEATURES,
)

AGENT_GROUP: Final = "agent vibes"
OPPORTUNITY_GROUP: Final = "opportunity vibes"
MATCH_GROUP: Final = "match"

_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    AGENT_GROUP: AGENT_VIBES,
    OPPORTUNITY_GROUP: OPPORTUNITY_VIBES,
    "context": CONTEXT_FEATURES,
    MATCH_GROUP: MATCH_FEATURES,
    "timing": (*TIMING_FEATURES, "timing_alignment"),
    "history": HISTORY_FEATURES,
}


def input_groups(inputs: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Tell which inputs belong together.

    Args:
        inputs: Names of a model's inputs, in the order of the contract.

    Returns:
        Positions in the contract by name of the group, in contract order; every input is in exactly one group.
        Without the history features there is no such group.

    >>> from spots_ml.features.contract import FEATURES
    >>> input_groups(FEATURES)["match"]
    (30, 31, 32, 33)
    """
    position = {name: index for index, name in enumerate(inputs)}
    return {
        group: tuple(position[name] for name in names)
        for group, names in _GROUPS.items()
        if all(name in position for name in names)
    }


def group_of_input(inputs: Sequence[str]) -> dict[str, str]:
    """Tell each input's group.

    Args:
        inputs: Names of a model's inputs, in the order of the contract.

    Returns:
        Name of the group by name of the input, in contract order.

    >>> from spots_ml.features.contract import FEATURES_AND_HISTORY
    >>> group_of_input(FEATURES_AND_HISTORY)["activity_level"]
    'history'
    """
    return {inputs[index]: group for group, indices in input_groups(inputs).items() for index in indices}
