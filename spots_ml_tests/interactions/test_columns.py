import pyarrow as pa

from spots_ml.interactions.columns import agents_by_appearance, agents_by_name

NAMES = pa.chunked_array([["c", None], ["a", "c", None]])


def test_agents_are_numbered_by_name_wherever_they_stand_and_unknown_ones_are_many() -> None:
    agents = agents_by_name(NAMES)
    assert (agents.n, agents.code.tolist()) == (4, [1, 2, 0, 1, 3])


def test_agents_are_numbered_as_they_appear_and_unknown_ones_after_them() -> None:
    agents = agents_by_appearance(NAMES)
    assert (agents.n, agents.code.tolist()) == (4, [0, 2, 1, 0, 3])


def test_nobody_is_no_agents() -> None:
    for number in (agents_by_name, agents_by_appearance):
        agents = number(pa.chunked_array([], pa.string()))
        assert (len(agents.code), agents.n) == (0, 0)
