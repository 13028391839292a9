"""The catalogue of nasty input: a broken file is one clear error, a broken record is one row of the quarantine."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from spots_ml.errors import InputError
from spots_ml.interactions.keeping.snapshot import write_snapshot
from spots_ml.interactions.reading.export import read_export

WHOLE = b'{"metadata": {"source": "app"}, "training_data": [{"a": 1}, {"a": 2}]}'

BROKEN_FILES = {
    "empty": b"",
    "only blanks": b" \n\t ",
    "not JSON": b"agent,score\n1,0.5\n",
    "HTML": b"<!DOCTYPE html><html></html>",
    "top level is a list": b'[{"a": 1}]',
    "top level is text": b'"training_data"',
    "top level is null": b"null",
    "no training_data": b'{"metadata": {}, "data": []}',
    "empty object": b"{}",
    "training_data is an object": b'{"training_data": {}}',
    "training_data is null": b'{"training_data": null}',
    "training_data twice": b'{"training_data": [], "training_data": []}',
    "metadata is text": b'{"metadata": "hello", "training_data": []}',
    "metadata is malformed": b'{"metadata": {"a": tru}, "training_data": []}',
    "ends inside the metadata": b'{"metadata": {"a": 1',
    "ends inside a key": b'{"metad',
    "ends after a key": b'{"metadata"',
    "ends inside a record": WHOLE[:-6],
    "ends after a record": WHOLE[:-2],
    "ends after the array": WHOLE[:-1],
    "text behind the end": WHOLE + b"x",
    "two documents": WHOLE + WHOLE,
    "comma behind the array": WHOLE[:-1] + b",}",
    "comma behind the last record": b'{"training_data": [{"a": 1},]}',
    "two commas": b'{"training_data": [{"a": 1},,{"a": 2}]}',
    "a text that never ends": b'{"training_data": [{"a": "x}, {"a": 2}]}',
    "a brace too many": b'{"training_data": [{"a": 1}}, {"a": 2}]}',
    "a bracket too many": b'{"training_data": [{"a": [1]]}, {"a": 2}]}',
    "a brace that never closes": b'{"training_data": [{"a": {"b": 1}, {"a": 2}]}',
    "single quotes": b"{'training_data': []}",
    "UTF-16 with mark": WHOLE.decode().encode("utf-16"),
    "UTF-16 without mark": WHOLE.decode().encode("utf-16-le"),
    "UTF-16 big-endian without mark": WHOLE.decode().encode("utf-16-be"),
    "UTF-32": WHOLE.decode().encode("utf-32"),
    "key not UTF-8": b'{"\xe9t\xe9": 1, "training_data": []}',
    "truncated gzip": gzip.compress(WHOLE)[:-12],
    "gzip without its checksum": gzip.compress(WHOLE)[:-8],
    "gzip with a wrong checksum": gzip.compress(WHOLE)[:-8] + b"12345678",
    "gzip of nothing": gzip.compress(b""),
    "gzip with damage inside": gzip.compress(os.urandom(64) + WHOLE)[:40] + b"\xff" * 40,
    "gzip with something behind": gzip.compress(WHOLE) + b"something",
    "gzip header alone": b"\x1f\x8b\x08",
    "ZIP": b"PK\x03\x04" + bytes(30),
    "Zstandard": b"\x28\xb5\x2f\xfd" + bytes(30),
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("content", BROKEN_FILES.values(), ids=BROKEN_FILES.keys())
def test_a_broken_file_is_one_clear_error_and_publishes_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "export.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        write_snapshot(read_export(path), tmp_path / "snapshots")
    message = str(caught.value)
    assert str(path) in message and "expected" in message
    assert "\n" not in message
    assert not list((tmp_path / "snapshots").rglob("*"))


@pytest.mark.parametrize("kind", ["absent", "folder"])
def test_a_path_that_is_no_file_is_one_clear_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "export.json"
    if kind == "folder":
        path.mkdir()
    with pytest.raises(InputError, match="check the path"):
        read_export(path)


F = "user_vibe_dimensions__novelty_seeking"

BROKEN_RECORDS = {
    "a whole feature group missing": ({"context_features": ...}, ["missing_key"]),
    "a vibe dimension missing": ({F: ...}, ["missing_key"]),
    "the spot's vibe dimension missing": ({"spot_vibe_dimensions__overall_energy": ...}, ["missing_key"]),
    "a context feature missing": ({"context_features__network_effects": ...}, ["missing_key"]),
    "a timing feature missing": ({"timing_features__user_patterns": ...}, ["missing_key"]),
    "the formula score missing": ({"formula_calling_score": ...}, ["missing_key"]),
    "is_called missing": ({"is_called": ...}, ["missing_key"]),
    "an extra key": ({"email": "someone@example.org"}, ["unknown_key"]),
    "an extra vibe dimension": ({"user_vibe_dimensions__charm": 0.5}, ["unknown_key"]),
    "an extra context feature": ({"context_features__context_feature_11": 0.5}, ["unknown_key"]),
    "an extra timing feature": ({"timing_features__timing_feature_6": 0.5}, ["unknown_key"]),
    "a number as text": ({F: "0.5"}, ["wrong_type"]),
    "a boolean for a number": ({F: True}, ["wrong_type"]),
    "a boolean for a score": ({"outcome_score": False}, ["wrong_type", "incomplete_outcome"]),
    "a list for a number": ({F: [0.5]}, ["wrong_type"]),
    "an object for a number": ({F: {}}, ["wrong_type"]),
    "a list for a feature group": ({"timing_features": [0.1, 0.2]}, ["wrong_type"]),
    "null for a feature group": ({"timing_features": None}, ["wrong_type"]),
    "a number for is_called": ({"is_called": 1}, ["wrong_type"]),
    "a number for an agent": ({"agent_id": 17}, ["wrong_type"]),
    "a number for a time": ({"timestamp": 1_780_000_000}, ["wrong_type"]),
    "a number for the outcome type": ({"outcome_type": 1}, ["wrong_type", "incomplete_outcome"]),
    "NaN": ({F: float("nan")}, ["not_finite"]),
    "infinity": ({F: float("inf")}, ["not_finite"]),
    "minus infinity": ({F: float("-inf")}, ["not_finite"]),
    "an integer too large for a double": ({F: 10**400}, ["not_finite"]),
    "below zero": ({F: -0.0001}, ["out_of_range"]),
    "above one": ({F: 1.0001}, ["out_of_range"]),
    "a percentage": ({"context_features__location_proximity": 75}, ["out_of_range"]),
    "a formula score above one": ({"formula_calling_score": 1.5}, ["out_of_range"]),
    "an outcome score above one": ({"outcome_type": "positive", "outcome_score": 1.2}, ["out_of_range"]),
    "positive with a low score": (
        {"outcome_type": "positive", "outcome_score": 0.69},
        ["outcome_contradicts_score"],
    ),
    "neutral with a high score": (
        {"outcome_type": "neutral", "outcome_score": 0.71},
        ["outcome_contradicts_score"],
    ),
    "neutral with a low score": (
        {"outcome_type": "neutral", "outcome_score": 0.39},
        ["outcome_contradicts_score"],
    ),
    "negative with a high score": (
        {"outcome_type": "negative", "outcome_score": 0.41},
        ["outcome_contradicts_score"],
    ),
    "an outcome type that does not exist": ({"outcome_type": "great"}, ["unknown_outcome_type"]),
    "an outcome type in capitals": ({"outcome_type": "Positive"}, ["unknown_outcome_type"]),
    "an outcome type without a score": ({"outcome_score": None}, ["incomplete_outcome"]),
    "an outcome score without a type": ({"outcome_type": None}, ["incomplete_outcome"]),
    "an outcome score whose type's key is absent": ({"outcome_type": ...}, ["incomplete_outcome"]),
    "an outcome time without an outcome": (
        {"outcome_type": None, "outcome_score": None},
        ["incomplete_outcome"],
    ),
    "the outcome before the interaction": (
        {"outcome_timestamp": "2026-04-30T10:00:00Z"},
        ["outcome_before_interaction"],
    ),
    "the interaction in the future": (
        {"timestamp": "2026-06-02T12:00:00Z", "outcome_timestamp": None},
        ["timestamp_in_future"],
    ),
    "the outcome in the future": ({"outcome_timestamp": "2126-01-01T00:00:00Z"}, ["timestamp_in_future"]),
    "a time without zone": ({"timestamp": "2026-05-01T10:00:00"}, ["timestamp_without_zone"]),
    "a date alone": ({"timestamp": "2026-05-01"}, ["timestamp_without_zone"]),
    "a time that does not exist": ({"timestamp": "2026-02-30T10:00:00Z"}, ["invalid_timestamp"]),
    "a time in words": ({"timestamp": "yesterday"}, ["invalid_timestamp"]),
    "an empty time": ({"timestamp": ""}, ["invalid_timestamp"]),
    "a time outside the calendar": ({"timestamp": "0001-01-01T00:00:00+23:59"}, ["invalid_timestamp"]),
    "an empty agent": ({"agent_id": ""}, ["empty_id"]),
    "an empty opportunity": ({"opportunity_id": ""}, ["empty_id"]),
    "two agents": ({"user_id": "another"}, ["conflicting_keys"]),
    "called and not called": ({"formula_is_called": False}, ["conflicting_keys"]),
    "half of a surrogate pair": ({"agent_id": "\ud800"}, ["invalid_encoding"]),
    "a derived feature that is wrong": ({"context_features__energy_match": 0.0}, ["derived_mismatch"]),
    "a derived feature of a wrong type": ({"timing_features__timing_alignment": "0.5"}, ["wrong_type"]),
    "several things at once": (
        {F: "x", "context_features__network_effects": 7, "timestamp": "2126-01-01T00:00:00Z", "extra": 1},
        ["out_of_range", "outcome_before_interaction", "timestamp_in_future", "unknown_key", "wrong_type"],
    ),
}

BROKEN_TEXTS = {
    "a number": (b"1", ["malformed_record"]),
    "null": (b"null", ["malformed_record"]),
    "a text with structure in it": (b'"},{\\"],["', ["malformed_record"]),
    "a list": (b"[1, [2, 3]]", ["malformed_record"]),
    "an empty object": (b"{}", ["missing_key"]),
    "a half word": (b'{"a": tru}', ["malformed_record"]),
    "a comma too many": (b'{"a": 1,}', ["malformed_record"]),
    "a comma too few": (b'{"a": 1 "b": 2}', ["malformed_record"]),
    "no comma between two records": (b'{"a": 1} {"b": 2}', ["malformed_record"]),
    "a control character": (b'{"a": "\x01"}', ["malformed_record"]),
    "Latin-1": (b'{"agent_id": "Ren\xe9"}', ["invalid_encoding"]),
    "nesting without end": (b"[" * 100_000 + b"]" * 100_000, ["too_large"]),
    "a comment": (b'{"a": 1 /* one */}', ["malformed_record"]),
}


@pytest.mark.parametrize(("changes", "reasons"), BROKEN_RECORDS.values(), ids=BROKEN_RECORDS.keys())
def test_a_broken_record_is_one_row_of_the_quarantine(
    tmp_path, make_record, write_export, build, changes, reasons
) -> None:
    records = [make_record(0), make_record(1, **changes), make_record(2)]
    report = build(write_export(records), max_broken_share=0.5)
    assert (report.n_read, report.n_accepted, report.n_quarantined) == (3, 2, 1)
    (row,) = quarantine(tmp_path, report.digest)
    assert row["position"] == 1
    assert row["reasons"] == sorted(reasons)
    assert json.loads(row["record"])


@pytest.mark.parametrize(("text", "reasons"), BROKEN_TEXTS.values(), ids=BROKEN_TEXTS.keys())
def test_a_broken_text_costs_no_neighbour(tmp_path, make_record, write_export, build, text, reasons) -> None:
    records = [make_record(0), text, make_record(2)]
    report = build(write_export(records), max_broken_share=0.5)
    assert (report.n_read, report.n_accepted, report.n_quarantined) == (3, 2, 1)
    (row,) = quarantine(tmp_path, report.digest)
    assert (row["position"], row["reasons"]) == (1, reasons)


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"NaN", b"Infinity", b"-Infinity", b"1" + b"0" * 5000])
def test_a_number_that_no_double_holds_is_not_finite(tmp_path, make_record, write_export, build, number) -> None:
    broken = json.dumps(make_record(1, **{F: "?"})).encode().replace(b'"?"', number)
    report = build(write_export([make_record(0), broken]), max_broken_share=0.5)
    assert report.reasons == {"not_finite": 1}


@pytest.mark.parametrize("place", ["first", "middle", "last", "all but one"])
def test_broken_records_are_found_wherever_they_stand_in_a_long_file(
    tmp_path, make_record, write_export, build, place
) -> None:
    n_rows = 1_500
    wrong = {"first": [0], "middle": [700, 701], "last": [n_rows - 1], "all but one": range(1, n_rows)}[place]
    records = [
        make_record(number, **({F: 2.0 if number % 2 else "2"} if number in wrong else {})) for number in range(n_rows)
    ]
    report = build(write_export(records), max_broken_share=1.0)
    assert report.n_accepted + report.n_quarantined == report.n_read == n_rows
    assert [row["position"] for row in quarantine(tmp_path, report.digest)] == list(wrong)


def quarantine(tmp_path: Path, digest: str) -> list[dict]:
    return pq.read_table(tmp_path / "datasets" / digest / "quarantine.parquet").to_pylist()


def test_random_damage_is_an_error_or_a_quarantine_and_nothing_else(tmp_path, make_record, write_export) -> None:
    whole = write_export([make_record(number) for number in range(4)]).read_bytes()
    generator = np.random.default_rng(3)
    path = tmp_path / "damaged.json"
    n_read = 0
    for round_ in range(400):
        damaged = bytearray(whole)
        for place in generator.integers(0, len(whole), 1 + round_ % 3):
            damaged[place] = generator.integers(0, 256) if round_ % 2 else generator.choice(list(b'{}[]",\\:'))
        path.write_bytes(damaged if round_ % 5 else damaged[: generator.integers(1, len(whole))])
        try:
            rows = [row for batch in read_export(path).batches for row in batch.to_pylist()]
        except InputError:
            continue
        n_read += 1
        assert [row["position"] for row in rows] == list(range(len(rows)))
        assert all((row["problems"] is None) == (row["record"] is None) for row in rows)
    assert n_read > 100
