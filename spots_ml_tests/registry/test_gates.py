import pytest

from spots_ml.errors import GateError
from spots_ml.registry.records import REQUIRED_GATES, require_verdicts
from spots_ml_tests.registry.building import all_verdicts, verdict


def test_all_required_verdicts_in_favour_are_enough():
    require_verdicts("outcome", "v1.0-real", all_verdicts())


@pytest.mark.parametrize("gate", REQUIRED_GATES)
def test_a_gate_that_never_spoke_refuses(gate):
    spoken = [one for one in all_verdicts() if one.gate != gate]

    with pytest.raises(GateError, match=f"gate '{gate}' has no verdict"):
        require_verdicts("outcome", "v1.0-real", spoken)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"passed": False}, "failed: .*0.022"),
        ({"measured": {}}, "measured nothing"),
        ({"required": {}}, "no threshold"),
    ],
)
def test_a_verdict_that_proves_nothing_refuses(changes, told):
    with pytest.raises(GateError, match=told):
        require_verdicts("outcome", "v1.0-real", [*all_verdicts()[:2], verdict("latency", **changes)])


def test_a_gate_that_is_not_required_may_still_say_no():
    with pytest.raises(GateError, match="'fairness' failed"):
        require_verdicts("outcome", "v1.0-real", [*all_verdicts(), verdict("fairness", passed=False)])


def test_two_verdicts_of_one_gate_refuse():
    with pytest.raises(GateError, match="'latency' has 2 verdicts"):
        require_verdicts("outcome", "v1.0-real", [*all_verdicts(), verdict("latency")])


def test_all_refusals_are_told_at_once():
    with pytest.raises(GateError) as caught:
        require_verdicts("outcome", "v1.0-real", [verdict("latency", passed=False)])

    assert all(gate in str(caught.value) for gate in REQUIRED_GATES)
