import pytest

from spots_ml.features.contract import MODEL_TYPES, ModelType, input_names, n_inputs
from spots_ml.features.input_groups import group_of_input, input_groups


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_every_input_is_in_exactly_one_group(model_type: ModelType) -> None:
    members = [index for indices in input_groups(model_type).values() for index in indices]
    assert sorted(members) == list(range(n_inputs(model_type)))
    assert tuple(group_of_input(model_type)) == tuple(input_names(model_type)[index] for index in members)


def test_only_the_outcome_model_has_a_history() -> None:
    assert set(input_groups("outcome")) - set(input_groups("calling_score")) == {"history"}
    assert group_of_input("calling_score")["timing_alignment"] == "timing"
