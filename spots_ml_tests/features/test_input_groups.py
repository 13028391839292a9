from collections.abc import Sequence

import pytest

from spots_ml.features.contract import FEATURES, FEATURES_AND_HISTORY
from spots_ml.features.input_groups import group_of_input, input_groups


@pytest.mark.parametrize("inputs", [FEATURES, FEATURES_AND_HISTORY])
def test_every_input_is_in_exactly_one_group(inputs: Sequence[str]) -> None:
    members = [index for indices in input_groups(inputs).values() for index in indices]
    assert sorted(members) == list(range(len(inputs)))
    assert tuple(group_of_input(inputs)) == tuple(inputs[index] for index in members)


def test_inputs_without_history_features_have_no_such_group() -> None:
    assert set(input_groups(FEATURES_AND_HISTORY)) - set(input_groups(FEATURES)) == {"history"}
    assert group_of_input(FEATURES)["timing_alignment"] == "timing"
