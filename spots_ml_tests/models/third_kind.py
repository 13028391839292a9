"""A third kind of model, declared for as long as a test lasts: a regression for the server that no decision asks."""

import contextlib
from collections.abc import Iterator

import pytest

from spots_ml.features.contract import FEATURES
from spots_ml.models import declared
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

TREND = ModelSpec(
    name="trend",
    title="trend",
    answer="trend",
    inputs=FEATURES,
    target=Target.OUTCOME_SCORE,
    unit=Unit.SCORE,
    hidden=(96, 32, 16),
    loss=Loss.CROSS_ENTROPY,
    calibration=Calibration.NONE,
    headline=Headline("mae", told="mean absolute error"),
    rivals={Rival.RIDGE: Demand.COME_NEAR, Rival.CONSTANT: Demand.BEAT},
    has_confidence=False,
    role=Role.NONE,
    stand_in=StandIn.NOBODY,
    audience=Audience.SERVER,
    initial_weight=0.0,
    latency_limit_us=250_000.0,
)


@contextlib.contextmanager
def declaring(spec: ModelSpec) -> Iterator[None]:
    """Let one more kind be declared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(declared, "DECLARED", (*declared.DECLARED, spec))
        yield
