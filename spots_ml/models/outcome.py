"""The outcome model: how probable a positive outcome is, from the features and the agent's history."""

from typing import Final

from spots_ml.features.contract import FEATURES_AND_HISTORY
from spots_ml.models.spec import (
    Audience,
    Calibration,
    Demand,
    Headline,
    Loss,
    ModelSpec,
    Rival,
    Role,
    StandIn,
    Target,
    Unit,
)

OUTCOME: Final = ModelSpec(
    name="outcome",
    title="outcome",
    answer="P(positive)",
    inputs=FEATURES_AND_HISTORY,
    target=Target.POSITIVE,
    unit=Unit.PROBABILITY,
    hidden=(128, 64, 32),
    loss=Loss.CROSS_ENTROPY,
    calibration=Calibration.PLATT,
    headline=Headline("brier", told="Brier score"),
    rivals={
        Rival.CONSTANT: Demand.BEAT,
        Rival.FORMULA: Demand.NOTHING,
        Rival.RECORDED_SCORE: Demand.NOTHING,
        Rival.LOGISTIC: Demand.COME_NEAR,
        Rival.GRADIENT_BOOSTING: Demand.COME_NEAR,
    },
    has_confidence=False,
    role=Role.OUTCOME_FILTER,
    stand_in=StandIn.OUTCOME_RULE,
    audience=Audience.PHONE,
)
