"""A refused record names the keys and values that it is refused for, short and safe to print."""

import json

import pytest

from spots_ml.interactions.judging.findings import MAX_KEYS, KeyTally, key_shown, told, value_shown

NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "reason", "expected"),
    [
        ({"context_features__trend_bost": 0.3}, "unknown_key", ["context_features.trend_bost = 0.3"]),
        ({"surprise": [1, 2]}, "unknown_key", ["surprise = a list of 2"]),
        ({"context_features__network_effects": ...}, "missing_key", ["context_features.network_effects"]),
        ({"user_vibe_dimensions__novelty_seeking": "x"}, "wrong_type", ['user_vibe_dimensions.novelty_seeking = "x"']),
        (
            {"user_vibe_dimensions__novelty_seeking": 3.0},
            "out_of_range",
            ["user_vibe_dimensions.novelty_seeking = 3.0"],
        ),
        ({"user_vibe_dimensions__novelty_seeking": NAN}, "not_finite", ["user_vibe_dimensions.novelty_seeking = NaN"]),
        ({"timestamp": "yesterday"}, "invalid_timestamp", ['timestamp = "yesterday"']),
        ({"agent_id": " "}, "empty_id", ['agent_id = " "']),
        ({"outcome_type": "great"}, "unknown_outcome_type", ['outcome_type = "great"']),
        ({"user_id": "other"}, "conflicting_keys", ['user_id = "other"']),
    ],
)
def test_a_reason_names_key_path_and_value(make_record, changes, reason, expected):
    record = json.dumps(make_record(1, **changes))

    assert told(record, [reason]) == [f"{reason}: {one}" for one in expected]


def test_a_record_that_is_none_has_no_key_to_name():
    assert told("{nonsense", ["malformed_record"]) == []
    assert told("[" * 100_000, ["malformed_record"]) == []


@pytest.mark.parametrize("value", ["a\nb", "\x1b[2J", "\u202e", "\ud83d", "x" * 10_000, "\0"])
def test_what_is_shown_is_short_printable_and_on_one_line(value):
    for shown in (value_shown(value), key_shown(value)):
        assert shown.isascii() and shown.isprintable()
        assert len(shown) < 100


@pytest.mark.parametrize("key", ["password", "context_features.api_key", "e_mail", "authToken"])
def test_what_looks_like_a_secret_is_not_shown(key):
    assert value_shown("hunter2", key) == "(not shown)"


def test_a_record_with_many_wrong_keys_names_the_first_ten(make_record):
    record = json.dumps(make_record(1) | {f"key_{number:03}": 1 for number in range(100)})
    details = told(record, ["unknown_key"])

    assert len(details) == 11
    assert details[-1] == "and 90 more"


def test_keys_are_counted_in_bounded_memory():
    tally = KeyTally()
    for number in range(5_000):
        tally.add([f"unknown_key: key_{number} = 1", "wrong_type: agent_id = 7", "wrong_type: agent_id = 7"])
    counts = tally.counts()

    assert counts["wrong_type: agent_id"] == 5_000
    assert len(counts) == MAX_KEYS
