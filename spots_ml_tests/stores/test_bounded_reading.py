"""What every store promises of interactions that are read within bounds: what filtering all of them would give."""

from datetime import timedelta

import pytest

from spots_ml.errors import InputError
from spots_ml.interactions.keeping.interaction_store import EmptyStoreError
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, read, take_in

FIRST = interaction(0)["scored_at"]
MICROSECOND = timedelta(microseconds=1)


def minute(number):
    return FIRST + timedelta(minutes=number)


def spots(store, up_to=None, **bounds):
    table = read(store, up_to, **bounds)
    assert table["position"].to_pylist() == list(range(table.num_rows))
    return table["opportunity_id"].to_pylist()


def fill(store):
    """Arriving in another order than they happened, some without a moment or an agent."""
    rows = [interaction(number, labelled=number % 3 > 0) for number in (5, 3, 8, 1, 9, 0, 7, 2, 6, 4)]
    take_in(store, [*rows, interaction(10, scored_at=None, outcome_at=None), interaction(11, agent_id=None)])


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"since": minute(3), "until": minute(6)}, [5, 3, 4]),
        ({"since": minute(3) + MICROSECOND, "until": minute(6) + MICROSECOND}, [5, 6, 4]),
        ({"since": minute(8)}, [8, 9, 11]),
        ({"until": minute(2)}, [1, 0]),
        ({"since": minute(3), "until": minute(3)}, []),
        ({"agents": ["agent 1", "agent 3", "agent 1", "nobody", "a\0"]}, [3, 8, 1, 10]),
        ({"agents": ["agent 1", "agent 3"], "since": minute(1), "until": minute(8)}, [3, 1]),
        ({"agents": []}, []),
    ],
)
def test_what_lies_within_the_bounds_is_read_in_the_order_of_arrival(store, bounds, expected):
    fill(store)
    assert spots(store, **bounds) == [f"spot {number}" for number in expected]


def test_rows_come_as_they_come_when_all_are_read(store):
    fill(store)
    everything = read(store)
    of_two = read(store, agents=["agent 0", "agent 5"])
    chosen = [agent in ("agent 0", "agent 5") for agent in everything["agent_id"].to_pylist()]

    assert of_two.drop_columns("position").equals(everything.filter(chosen).drop_columns("position"))


def test_without_bounds_rows_without_a_moment_or_an_agent_are_read_and_in_no_day_and_of_no_agent(store):
    fill(store)
    agents = {f"agent {number}" for number in range(7)}

    assert {"spot 10", "spot 11"} < set(spots(store))
    assert "spot 10" not in spots(store, since=NOW - timedelta(days=10_000), until=NOW + timedelta(days=10_000))
    assert "spot 11" not in spots(store, agents=agents)


def test_bounds_and_a_watermark_hold_together(store):
    take_in(store, [interaction(number, labelled=False) for number in range(6)])
    then = store.interactions.label_watermark()
    take_in(store, [interaction(number) for number in range(12)])

    bounds = {"since": minute(4), "until": minute(9)}
    assert read(store, then, **bounds)["outcome_score"].to_pylist() == [None, None]
    assert read(store, **bounds)["outcome_score"].to_pylist() == [0.9] * 5
    assert spots(store, then, agents=["agent 3"]) == ["spot 3"]
    assert spots(store, agents=["agent 3"]) == ["spot 3", "spot 10"]
    assert store.interactions.read_interactions(then, **bounds).watermark == then


def test_the_kind_is_that_of_all_interactions_and_a_store_without_any_says_so(store):
    with pytest.raises(EmptyStoreError):
        store.interactions.read_interactions(since=minute(0), until=minute(1))
    take_in(store, [interaction(0)], kind="synthetic")
    take_in(store, [interaction(1)], kind="real")

    assert store.interactions.read_interactions(agents=["agent 0"]).kind == "hybrid"
    assert store.interactions.read_interactions(since=minute(5)).kind == "hybrid"


def test_what_is_no_period_is_refused(store):
    take_in(store, [interaction(0)])
    with pytest.raises(InputError, match="ends before it starts"):
        store.interactions.read_interactions(since=minute(1), until=minute(0))
    with pytest.raises(InputError, match="has no zone"):
        store.interactions.read_interactions(since=NOW.replace(tzinfo=None))
    with pytest.raises(InputError, match="not a watermark"):
        store.interactions.read_interactions("yesterday", agents=["agent 1"])


def test_many_agents_of_any_names_are_read_beyond_a_thousand_rows_in_the_order_of_arrival(store):
    names = [f"{sign}{number}" for number in range(100) for sign in ("a,", '"', "ä ", "\\")]
    take_in(store, [interaction(number, agent_id=names[number % 400]) for number in range(1_250)])

    assert spots(store, agents=names) == [f"spot {number}" for number in range(1_250)]
    assert spots(store, agents=names[:3]) == [f"spot {number}" for number in range(1_250) if number % 400 < 3]
