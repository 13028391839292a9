"""The fast reading and the careful one see the same in every record."""

import json

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.interactions.reading.broken_records import agent_of, read_record
from spots_ml.interactions.reading.records import decode_array, decode_record
from spots_ml.interactions.schema import INTERACTIONS

RIGHT_RECORDS = {
    "as the generators write it": {},
    "unknown features": {
        "user_vibe_dimensions__novelty_seeking": None,
        "context_features__network_effects": None,
        "timing_features__user_patterns": None,
    },
    "not labelled": {"outcome_type": None, "outcome_score": None, "outcome_timestamp": None},
    "outcome keys absent": {"outcome_type": ..., "outcome_score": ..., "outcome_timestamp": ...},
    "without who and when": {"agent_id": ..., "opportunity_id": ..., "timestamp": ..., "outcome_timestamp": ...},
    "older names": {"agent_id": ..., "user_id": "user_1"},
    "newer names": {"is_called": ..., "formula_is_called": False},
    "both names, the same": {"user_id": "agent-0", "formula_is_called": True},
    "placeholders": {
        "context_features__context_feature_7": 0.4,
        "context_features__context_feature_10": "noise",
        "timing_features__timing_feature_5": 17,
    },
    "table columns": {
        "id": "00000000-0000-0000-0000-000000000000",
        "created_at": "2026-05-01T10:00:00",
        "updated_at": None,
        "formula_breakdown": {"vibe": 0.5},
        "outcome_id": "x",
        "metadata": {"app": [1, 2]},
    },
    "whole numbers": {"user_vibe_dimensions__novelty_seeking": 1, "outcome_type": "positive", "outcome_score": 1},
    "no formula score": {"formula_calling_score": None},
    "times with an offset": {"timestamp": "2026-05-01T10:00:00.123456+05:30"},
    "times as Postgres writes them": {"timestamp": "2026-05-01 10:00:00.5+00"},
    "the first moment of the calendar": {"timestamp": "0001-01-01T00:00:00Z"},
    "the last moment of the calendar": {"timestamp": "9999-12-31T23:59:59.999999Z"},
    "nanoseconds": {"timestamp": "2026-05-01T10:00:00.123456789Z"},
    "other scripts": {"agent_id": "Ångström 東京 🙂", "opportunity_id": 'a "quoted", {spot}'},
}


@pytest.mark.parametrize("changes", RIGHT_RECORDS.values(), ids=RIGHT_RECORDS.keys())
def test_both_ways_of_reading_see_the_same(make_record, changes) -> None:
    text = json.dumps(make_record(0, **changes)).encode()
    careful = pa.RecordBatch.from_pylist([{"position": 0, **read_record(text)}], schema=INTERACTIONS)
    assert careful["problems"].to_pylist() == [None]
    fast = decode_record(text)
    assert fast is None or fast.equals(careful)


@pytest.mark.parametrize("name", sorted(set(RIGHT_RECORDS) - {"both names, the same", "nanoseconds"}))
def test_ordinary_records_take_the_fast_way(make_record, name) -> None:
    assert decode_record(json.dumps(make_record(0, **RIGHT_RECORDS[name])).encode()) is not None


def test_an_unknown_value_is_null_and_a_known_half_is_not(make_record) -> None:
    text = json.dumps([make_record(0, user_vibe_dimensions__novelty_seeking=value) for value in (None, 0.5)]).encode()
    batch = decode_array(text)
    assert batch is not None
    assert batch["agent_novelty_seeking"].to_pylist() == [None, 0.5]


def test_derived_features_are_compared_and_never_used(make_record) -> None:
    record = make_record(0)
    right = 1 - abs(record["user_vibe_dimensions"]["overall_energy"] - record["spot_vibe_dimensions"]["overall_energy"])
    claims = [right, right + 0.009, right - 0.009, right + 0.02, right - 0.02, None]
    records = [make_record(0, context_features__energy_match=claim) for claim in claims]
    expected = [None, None, None, ["derived_mismatch"], ["derived_mismatch"], None]
    batch = decode_array(json.dumps(records).encode())
    assert batch is not None
    assert batch["problems"].to_pylist() == expected
    assert [read_record(json.dumps(each).encode()).get("problems") for each in records] == expected


def test_the_order_of_keys_does_not_matter(make_record) -> None:
    record = make_record(0)
    turned = {key: record[key] for key in reversed(record)}
    turned["user_vibe_dimensions"] = dict(reversed(record["user_vibe_dimensions"].items()))
    first, second = (decode_record(json.dumps(each).encode()) for each in (record, turned))
    assert first is not None and first.equals(second)


def test_the_careful_reading_never_fails_on_random_damage(make_record) -> None:
    text = json.dumps(make_record(0)).encode()
    generator = np.random.default_rng(5)
    for _ in range(300):
        damaged = bytearray(text)
        for place in generator.integers(0, len(text), 3):
            damaged[place] = generator.integers(0, 256)
        row = read_record(bytes(damaged))
        pa.RecordBatch.from_pylist([{"position": 0, **row}], schema=INTERACTIONS)
        assert ("problems" in row) == ("record" in row)
        assert agent_of(bytes(damaged)) == row.get("agent_id")
