import dataclasses
import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from spots_ml.errors import ConfigError, ContractError
from spots_ml.features.contract import FEATURES, FEATURES_AND_HISTORY
from spots_ml.models.calling_score import CALLING_SCORE
from spots_ml.models.declared import DECLARED, ModelType, declared_types, model_in, model_spec
from spots_ml.models.outcome import OUTCOME
from spots_ml.models.spec import Calibration, Demand, Rival, Role, StandIn, Target


def test_the_two_kinds_are_what_the_app_knows() -> None:
    assert declared_types() == ("calling_score", "outcome")
    assert [spec.n_inputs for spec in DECLARED] == [39, 45]
    assert [spec.hidden for spec in DECLARED] == [(128, 64), (128, 64, 32)]
    assert [spec.n_parameters for spec in DECLARED] == [13_441, 16_257]
    assert [spec.headline.metric for spec in DECLARED] == ["mse", "brier"]
    assert [spec.must_beat for spec in DECLARED] == [("constant", "formula"), ("constant",)]
    assert [spec.must_come_near for spec in DECLARED] == [
        ("ridge", "gradient_boosting"),
        ("logistic", "gradient_boosting"),
    ]
    assert [spec.initial_weight for spec in DECLARED] == [0.1, 0.1]
    assert [spec.latency_limit_us for spec in DECLARED] == [100_000.0, 100_000.0]


def test_each_role_in_the_decision_is_played_by_one_kind_and_another_may_stand_in() -> None:
    assert model_in(Role.NEURAL_SCORE) is CALLING_SCORE
    assert model_in(Role.OUTCOME_FILTER) is OUTCOME
    assert (CALLING_SCORE.stand_in, OUTCOME.stand_in) == (StandIn.FORMULA, StandIn.OUTCOME_RULE)


def test_a_role_that_nobody_or_more_than_one_plays_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ContractError, match="no model has the role none"):
        model_in(Role.NONE)
    second = dataclasses.replace(CALLING_SCORE, name="second")
    monkeypatch.setattr("spots_ml.models.declared.DECLARED", (*DECLARED, second))
    with pytest.raises(ContractError, match="calling_score, second has the role neural_score"):
        model_in(Role.NEURAL_SCORE)


def test_a_kind_that_is_not_declared_is_refused_with_those_that_are() -> None:
    told = "model type 'trend' is unknown; expected one of calling_score, outcome"
    with pytest.raises(ContractError, match=told):
        model_spec("trend")
    with pytest.raises(ValidationError, match=told):
        TypeAdapter(ModelType).validate_python("trend")
    assert TypeAdapter(ModelType).validate_python("outcome") == "outcome"


def test_the_inputs_are_the_contract_s() -> None:
    assert CALLING_SCORE.inputs == FEATURES
    assert OUTCOME.inputs == FEATURES_AND_HISTORY
    assert (CALLING_SCORE.sees_history, OUTCOME.sees_history) == (False, True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "Trend"}, "its name is not lower case letters"),
        ({"inputs": FEATURES[::-1]}, "its inputs are neither the features nor"),
        ({"hidden": (128,)}, "fewer than 2 hidden layers"),
        ({"hidden": (128, 0)}, "fewer than 2 hidden layers, or an empty one"),
        ({"trusted_weight": 0.05}, "its weight when trusted, 0.05, is not from 0.1 to 1"),
        ({"rivals": {Rival.CONSTANT: Demand.NOTHING}}, "nothing is demanded of it against any rival"),
        ({"calibration": Calibration.PLATT}, "Platt's calibration needs a target that is a class"),
        ({"target": Target.POSITIVE}, "a confidence profile needs the 39 features as inputs and the outcome score"),
        ({"initial_weight": 1.5}, "its weight 1.5 is not in [0, 1]"),
        ({"latency_limit_us": 0.0}, "its latency limit 0 is not above 0"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        dataclasses.replace(CALLING_SCORE, **change)
