"""The calling-score model: how good an outcome will be, from what the app knows at the moment of scoring."""

from typing import Final

from spots_ml.features.contract import FEATURES
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

CALLING_SCORE: Final = ModelSpec(
    name="calling_score",
    title="calling-score",
    answer="neural score",
    inputs=FEATURES,
    target=Target.OUTCOME_SCORE,
    unit=Unit.SCORE,
    hidden=(128, 64),
    loss=Loss.CROSS_ENTROPY,
    calibration=Calibration.NONE,
    headline=Headline("mse", told="mean squared error"),
    rivals={
        Rival.CONSTANT: Demand.BEAT,
        Rival.FORMULA: Demand.BEAT,
        Rival.RECORDED_SCORE: Demand.NOTHING,
        Rival.RIDGE: Demand.COME_NEAR,
        Rival.GRADIENT_BOOSTING: Demand.COME_NEAR,
    },
    has_confidence=True,
    role=Role.NEURAL_SCORE,
    stand_in=StandIn.FORMULA,
    audience=Audience.PHONE,
)
