import pytest

from spots_ml.registry.lifecycle import predecessors
from spots_ml.registry.records import HistoryEntry
from spots_ml_tests.registry.building import START


def history(*events):
    return [
        HistoryEntry(
            sequence=number + 1,
            at=START,
            model_type="outcome",
            version=version,
            action=action,
            from_status="staging",
            to_status="active",
            actor="test",
            reason="",
        )
        for number, (action, version) in enumerate(events)
    ]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        ([("promoted", "a")], []),
        ([("promoted", "a"), ("superseded", "a"), ("promoted", "b")], ["a"]),
        ([("promoted", "a"), ("promoted", "b"), ("promoted", "c")], ["b", "a"]),
        ([("promoted", "a"), ("promoted", "b"), ("promoted", "c"), ("restored", "b")], ["a"]),
        ([("promoted", "a"), ("promoted", "b"), ("restored", "a"), ("promoted", "d")], ["a"]),
        ([("promoted", "a"), ("promoted", "b"), ("promoted", "c"), ("restored", "a")], []),
    ],
)
def test_predecessors_are_promotions_not_undone_nearest_first(events, expected):
    assert predecessors(history(*events)) == expected
