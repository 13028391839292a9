from typing import get_args

import pytest

from spots_ml.errors import RegistryError
from spots_ml.registry.in_service import promotions_not_undone
from spots_ml.registry.lifecycle import TRANSITIONS, VersionChange
from spots_ml.registry.records import STATUSES, Action, HistoryEntry
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
        ([("promoted", "a")], ["a"]),
        ([("promoted", "a"), ("superseded", "a"), ("promoted", "b")], ["a", "b"]),
        ([("promoted", "a"), ("promoted", "b"), ("promoted", "c"), ("restored", "b")], ["a", "b"]),
        ([("promoted", "a"), ("promoted", "b"), ("restored", "a"), ("promoted", "d")], ["a", "d"]),
        ([("promoted", "a"), ("promoted", "b"), ("promoted", "c"), ("restored", "a")], ["a"]),
        ([("promoted", "a"), ("promoted", "b"), ("promoted", "a")], ["a", "b", "a"]),
        ([("promoted", "a"), ("promoted", "b"), ("promoted", "a"), ("restored", "b")], ["a", "b"]),
        ([("promoted", "a"), ("promoted", "b"), ("rolled_back", "b"), ("restored", "a")], ["a"]),
        ([("promoted", "a"), ("promoted", "b"), ("withdrawn", "b")], []),
        ([("promoted", "a"), ("withdrawn", "a"), ("promoted", "b")], ["b"]),
        ([("promoted", "a"), ("rolled_back", "a"), ("promoted", "b"), ("promoted", "a")], ["b", "a"]),
    ],
)
def test_promotions_are_stacked_and_what_was_before_none_is_left_to_promotion(events, expected):
    assert promotions_not_undone(history(*events)) == expected


def test_every_status_has_a_way_in_and_a_way_out():
    moves = {(before, after) for _, before, after in TRANSITIONS if before != after}
    for status in STATUSES:
        assert any(after == status for _, after in moves)
        assert any(before == status for before, _ in moves)


def test_every_action_is_in_the_table():
    assert {action for action, _, _ in TRANSITIONS} == set(get_args(Action))


def test_a_change_that_is_not_in_the_table_cannot_be_planned():
    with pytest.raises(RegistryError, match="cannot be promoted from archived to active"):
        VersionChange("v1.0-real", "promoted", "archived", "active")
