"""Score requests: the same rows whatever they are read from, every line accounted for, nothing repaired in silence."""

import gzip
import io
import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spots_ml.errors import ConfigError, InputError
from spots_ml.features.contract import DERIVED_FEATURES, HISTORY_FEATURES, RAW_FEATURES
from spots_ml.features.derived import derive
from spots_ml.interactions.reading.record_layout import FEATURE_GROUPS, MAX_RECORD_BYTES
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.requests import lines as request_lines
from spots_ml.requests.reading import REQUESTS, format_of, read_requests
from spots_ml.requests.single_records import read_request
from spots_ml_tests.scoring.asking import HISTORY, lines, make_request

EXTRAS = {"trend_boost": -0.05, "trajectory_potential": 0.7, "positive_influence": None, "history_features": HISTORY}
F = "context_features__location_proximity"


def read(source, format="jsonl", **options):
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    batches = list(read_requests(source, format=format, **options))
    assert all(batch.schema == REQUESTS for batch in batches)
    return pa.Table.from_batches(batches, schema=REQUESTS).to_pylist()


def read_one(**changes):
    (row,) = read(lines([make_request(**changes)]))
    return row


def as_columns(requests):
    """The same requests as a table with flat columns, in the order of a person who writes Parquet by hand."""
    rows = []
    for request in requests:
        row = {column: request[group][key] for group, keys in FEATURE_GROUPS.items() for key, column in keys.items()}
        row |= {name: request.get(name) for name in ("agent_id", "opportunity_id", *EXTRAS) if name in request}
        row |= row.pop("history_features", None) or {}
        rows.append(row)
    table = pa.Table.from_pylist(rows)
    times = pa.array([request["timestamp"] for request in requests]).cast(pa.timestamp("us", tz="UTC"))
    return table.append_column("scored_at", times)


@pytest.fixture
def write_parquet(tmp_path):
    def write(table, name="pairs.parquet"):
        pq.write_table(table, tmp_path / name)
        return tmp_path / name

    return write


# --- the same from everywhere -----------------------------------------------------------------------------------------


def test_all_formats_give_the_same_rows(tmp_path, write_parquet):
    requests = [make_request(number, **EXTRAS) for number in range(20)]
    requests[3][F.split("__")[0]]["location_proximity"] = None
    export = tmp_path / "export.json"
    export.write_text(json.dumps({"metadata": {"source": "app"}, "training_data": requests}))
    packed = tmp_path / "requests.anything"
    packed.write_bytes(gzip.compress(lines(requests)))

    expected = read(lines(requests))
    assert [row["problems"] for row in expected] == [None] * 20
    assert expected[3]["location_proximity"] is None
    assert expected[0]["past_positive_rate"] == 0.75 and expected[0]["trend_boost"] == -0.05
    assert read(packed) == expected
    assert read(export, "export") == expected
    assert read(export.read_bytes(), "export") == expected
    assert read(write_parquet(as_columns(requests)), "parquet") == expected
    assert read(write_parquet(as_columns(requests)).read_bytes(), "parquet") == expected


def test_a_training_record_is_a_request_and_its_labels_are_not_looked_at(make_record):
    labelled = make_record(1)
    wrong = labelled | {"outcome_score": "very good", "outcome_type": 7, "is_called": "yes", "outcome_timestamp": 3}
    bare = {key: value for key, value in labelled.items() if "outcome" not in key and "call" not in key}

    first, second, third = read(lines([labelled, wrong, bare]))
    assert first["problems"] is second["problems"] is third["problems"] is None
    assert {**second, "position": 0} == {**third, "position": 0} == first


def test_requests_are_read_in_batches_of_the_size_asked_for(write_parquet):
    requests = [make_request(number) for number in range(10)]
    for source, format in ((io.BytesIO(lines(requests)), "jsonl"), (write_parquet(as_columns(requests)), "parquet")):
        batches = list(read_requests(source, format=format, batch_rows=4))
        assert [batch.num_rows for batch in batches] == [4, 4, 2]
        assert [row for batch in batches for row in batch["position"].to_pylist()] == list(range(10))


def test_no_requests_are_no_rows(tmp_path, write_parquet):
    export = tmp_path / "export.json"
    export.write_text('{"training_data": []}')
    assert read(b"") == read(b"\n\n  \n") == read(export, "export") == []
    assert read(write_parquet(as_columns([make_request()]).slice(0, 0)), "parquet") == []


@pytest.mark.parametrize("name", ["requests.csv", "requests", "parquet", "requests.json.zst"])
def test_a_name_that_does_not_tell_the_format_is_refused(name):
    with pytest.raises(ConfigError, match="--from"):
        format_of(name)


# --- lines ------------------------------------------------------------------------------------------------------------


def test_blank_lines_are_skipped_and_counted():
    text = b"\xef\xbb\xbf\n" + lines([make_request(0)]) + b"  \t\r\n\n" + lines([b"nonsense", make_request(1)])[:-1]
    assert [(row["position"], row["problems"], row["record"]) for row in read(text)] == [
        (1, None, None),
        (4, ["malformed_record"], "nonsense"),
        (5, None, None),
    ]


def test_two_requests_on_one_line_are_one_broken_line():
    both = json.dumps(make_request(0)) + json.dumps(make_request(1))
    (row,) = read(both.encode())
    assert (row["position"], row["problems"]) == (0, ["malformed_record"])


@settings(deadline=None, max_examples=40)
@given(
    kinds=st.lists(st.sampled_from(["good", "blank", "broken", "late", "ancient", "two names"]), max_size=25),
    chunk_bytes=st.integers(1, 5000),
    ending=st.sampled_from([b"\n", b"\r\n"]),
)
def test_every_line_is_accounted_for_however_the_bytes_are_cut(kinds, chunk_bytes, ending):
    texts = {
        "good": json.dumps(make_request(1)).encode(),
        "blank": b" ",
        "broken": b'{"agent_id": 3}',
        "late": json.dumps(make_request(1, timestamp="yesterday")).encode(),
        "ancient": json.dumps(make_request(1, timestamp="0000-12-31T23:59:59Z")).encode(),
        "two names": json.dumps(make_request(1, user_id="another")).encode(),
    }
    content = ending.join(texts[kind] for kind in kinds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request_lines, "CHUNK_BYTES", chunk_bytes)
        patch.setattr(request_lines, "_FIRST_LOOK_BYTES", 16)
        rows = read(b"{}" + ending + content)[1:]
    found = [(row["position"] - 1, row["problems"]) for row in rows]
    problems = {
        "good": None,
        "broken": ["missing_key", "wrong_type"],
        "late": ["invalid_timestamp"],
        "ancient": ["invalid_timestamp"],
        "two names": ["conflicting_keys"],
    }
    assert found == [(place, problems[kind]) for place, kind in enumerate(kinds) if kind != "blank"]


def test_a_stream_that_cannot_go_back_is_read_and_left_open():
    class Pipe(io.RawIOBase):
        def __init__(self, content):
            self.content = content

        def readable(self):
            return True

        def readinto(self, buffer):
            piece, self.content = self.content[: min(len(buffer), 7)], self.content[min(len(buffer), 7) :]
            buffer[: len(piece)] = piece
            return len(piece)

    for content in (lines([make_request(), b"x"]), gzip.compress(lines([make_request(), b"x"]))):
        pipe = Pipe(content)
        assert [row["problems"] for row in read_all(pipe)] == [None, ["malformed_record"]]
        assert not pipe.closed


def read_all(stream):
    return pa.Table.from_batches(list(read_requests(stream, format="jsonl"))).to_pylist()


# --- what is wrong with a request -------------------------------------------------------------------------------------

WRONG = {
    "a feature key is absent": ({F: ...}, ["missing_key"]),
    "a group is absent": ({"timing_features": ...}, ["missing_key"]),
    "a group is null": ({"timing_features": None}, ["wrong_type"]),
    "a number as text": ({F: "0.5"}, ["wrong_type"]),
    "a boolean for a number": ({F: True}, ["wrong_type"]),
    "a list for a number": ({F: [0.5]}, ["wrong_type"]),
    "NaN": ({F: math.nan}, ["not_finite"]),
    "infinity": ({F: -math.inf}, ["not_finite"]),
    "an unknown key": ({"trend_bost": 0.1}, ["unknown_key"]),
    "an unknown feature": ({"context_features__weather": 0.5}, ["unknown_key"]),
    "a time without zone": ({"timestamp": "2026-05-01T10:00:00"}, ["timestamp_without_zone"]),
    "a time that is none": ({"timestamp": "tomorrow"}, ["invalid_timestamp"]),
    "a time as number": ({"timestamp": 1_777_000_000}, ["wrong_type"]),
    "an agent as number": ({"agent_id": 7}, ["wrong_type"]),
    "two agents": ({"user_id": "another"}, ["conflicting_keys"]),
    "half a surrogate": ({"agent_id": "\ud800"}, ["invalid_encoding"]),
    "a derived feature of another formula": ({"context_features__energy_match": 0.0123}, ["derived_mismatch"]),
    "history without a key": ({"history_features": HISTORY | {}, "history_features__activity_level": ...}, None),
    "history as list": ({"history_features": [0.5] * 6}, ["wrong_type"]),
    "history with text": ({"history_features": HISTORY | {"activity_level": "high"}}, ["wrong_type"]),
    "history with a stranger": ({"history_features": HISTORY | {"karma": 0.5}}, ["unknown_key"]),
    "history with infinity": ({"history_features": HISTORY | {"activity_level": math.inf}}, ["not_finite"]),
    "a boost as text": ({"trend_boost": "0.1"}, ["wrong_type"]),
    "a boost of NaN": ({"trend_boost": math.nan}, ["not_finite"]),
    "several things": ({F: "0.5", "trend_boost": "x", "note": 1}, ["unknown_key", "wrong_type"]),
}


@pytest.mark.parametrize(("changes", "problems"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_and_costs_no_neighbour(changes, problems):
    changes = {key: dict(value) if isinstance(value, dict) else value for key, value in changes.items()}
    broken = make_request(1, **changes)
    rows = read(lines([make_request(0), broken, make_request(2)]))
    assert [row["position"] for row in rows] == [0, 1, 2]
    assert [rows[0]["problems"], rows[2]["problems"]] == [None, None]
    assert rows[1]["problems"] == (problems or ["missing_key"])
    # A request that could be read into columns says everything there.
    assert rows[1]["record"] == (None if problems == ["derived_mismatch"] else json.dumps(broken))


@pytest.mark.parametrize(
    "text", [b"7", b"[]", b'"text"', b"null", b"{", b"\xff\xfe", b'{"agent_id": "\xff"}', b"[" * 100_000, b"{" * 9_999]
)
def test_anything_at_all_gives_one_row(text):
    _, row, _ = read(lines([make_request(), text, make_request()]))
    assert row["problems"] and row["record"] == text.decode("utf-8", "backslashreplace")


def test_a_number_of_ten_thousand_digits_is_not_finite():
    text = json.dumps(make_request(0, **{F: 0.12345})).replace("0.12345", "9" * 10_000).encode()
    (row,) = read(text)
    assert row["problems"] == ["not_finite"]


def test_null_is_unknown_wherever_a_value_may_be():
    row = read_one(
        **{F: None, "agent_id": None, "timestamp": None, "trend_boost": None, "history_features": None},
        trajectory_potential=None,
    )
    names = ("location_proximity", "agent_id", "scored_at", "trend_boost", "past_positive_rate", "problems")
    assert [row[name] for name in names] == [None] * 6


def test_the_slow_way_reads_what_the_fast_way_reads():
    for number in range(5):
        request = make_request(number, **EXTRAS)
        (fast,) = read(lines([request]))
        slow = read_request(json.dumps(request).encode())
        assert {name: slow.get(name) for name in REQUESTS.names if name != "position"} == {
            name: value for name, value in fast.items() if name != "position"
        }


def test_derived_features_that_agree_are_welcome():
    request = make_request(0)
    features = derive(np.array([[read_one()[name] for name in RAW_FEATURES]]))[0]
    request["context_features"]["energy_match"] = float(features[31])
    (row,) = read(lines([request]))
    assert row["problems"] is None


# --- Parquet ----------------------------------------------------------------------------------------------------------


def raw_table(n_rows=3, **columns):
    values = np.random.default_rng(0).random((n_rows, len(RAW_FEATURES)))
    table = pa.table({name: values[:, index] for index, name in enumerate(RAW_FEATURES)})
    for name, column in columns.items():
        table = table.append_column(name, column if isinstance(column, pa.Array) else pa.array(column))
    return table


def test_the_raw_features_are_enough(write_parquet):
    rows = read(write_parquet(raw_table()), "parquet")
    assert [row["position"] for row in rows] == [0, 1, 2]
    assert all(row[name] is None for row in rows for name in ("agent_id", "scored_at", *HISTORY_FEATURES, "problems"))


def test_every_wrong_column_is_named_in_one_error(write_parquet):
    table = raw_table(agent_id=[1, 2, 3], trend_bost=[0.1] * 3, scored_at=pa.array([0] * 3, pa.timestamp("us")))
    table = table.drop_columns(["agent_overall_energy"])
    with pytest.raises(InputError) as refusal:
        read(write_parquet(table), "parquet")
    for told in (
        "feature columns are missing: agent_overall_energy",
        "columns are unknown: trend_bost",
        "agent_id holds int64, expected text",
        "scored_at holds timestamp[us], expected timestamps with a time zone",
    ):
        assert told in str(refusal.value)


def test_columns_of_kindred_types_are_read(write_parquet):
    table = raw_table(
        agent_id=pa.array(["a", None, "a"]).dictionary_encode(),
        opportunity_id=pa.array(["x", "y", "z"], pa.large_string()),
        scored_at=pa.array([1_777_000_000] * 3, pa.timestamp("s", tz="Europe/Berlin")),
        trend_boost=pa.nulls(3),
        trajectory_potential=pa.array([0, 1, 1]),
        __index_level_0__=[4, 5, 6],
    )
    index = table.schema.get_field_index("location_proximity")
    table = table.set_column(index, "location_proximity", pa.array([0.5, None, 0.25], pa.float32()))
    first, second, third = read(write_parquet(table), "parquet")
    assert (first["agent_id"], second["agent_id"], third["opportunity_id"]) == ("a", None, "z")
    assert first["scored_at"].isoformat() == "2026-04-24T03:06:40+00:00"
    assert (second["location_proximity"], third["location_proximity"]) == (None, 0.25)
    assert (first["trend_boost"], first["trajectory_potential"]) == (None, 0.0)


def test_nan_in_parquet_is_not_the_same_as_null(write_parquet):
    table = raw_table(trend_boost=pa.array([math.nan, None, 0.1]))
    rows = read(write_parquet(table), "parquet")
    assert math.isnan(rows[0]["trend_boost"]) and rows[1]["trend_boost"] is None


def test_a_time_outside_the_calendar_refuses_its_row_only(write_parquet):
    times = pa.array([0, 2**62, None], pa.timestamp("us", tz="UTC"))
    rows = read(write_parquet(raw_table(scored_at=times)), "parquet")
    assert [row["problems"] for row in rows] == [None, ["invalid_timestamp"], None]
    assert rows[1]["scored_at"] is None


def test_the_calendar_ends_with_its_last_day(write_parquet):
    last = np.datetime64("9999-12-31T23:59:59.999999", "us").astype(np.int64).item()
    times = pa.array([last, last + 1, None], pa.timestamp("us", tz="UTC"))
    rows = read(write_parquet(raw_table(scored_at=times)), "parquet")
    assert [row["problems"] for row in rows] == [None, ["invalid_timestamp"], None]


def test_derived_columns_are_compared_and_a_refused_row_stays_refused(write_parquet):
    features = derive(np.stack([raw_table()[name].to_numpy() for name in RAW_FEATURES], axis=1))
    claimed = {
        name: pa.array(features[:, index]) for name, index in zip(DERIVED_FEATURES, (30, 31, 32, 33, 38), strict=True)
    }
    claimed["energy_match"] = pa.array([None, 0.0, features[2, 31]], pa.float32())
    claimed["refused"] = pa.array([["malformed_record"], None, None])
    rows = read(write_parquet(raw_table(**claimed)), "parquet")
    assert [row["problems"] for row in rows] == [["malformed_record"], ["derived_mismatch"], None]


def test_a_snapshot_of_interactions_can_be_asked_again(write_parquet, write_export, make_record):
    from spots_ml.interactions.reading.export import read_export

    path = write_export([make_record(0), "nonsense", make_record(2)])
    table = pa.Table.from_batches(list(read_export(path).batches), schema=INTERACTIONS)
    rows = read(write_parquet(table), "parquet")
    assert [row["problems"] for row in rows] == [None, ["malformed_record"], None]
    assert rows[0]["scored_at"].isoformat() == make_record(0)["timestamp"]


def test_a_reason_code_that_nobody_gives_is_refused(write_parquet):
    with pytest.raises(InputError, match="bad_mood"):
        read(write_parquet(raw_table(problems=pa.array([["bad_mood"], None, None]))), "parquet")


# --- sources that are something else ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PAR1\x15\x04", "--from parquet"),
        (b"PK\x03\x04\x14\x00", "binary data"),
        (b"BZh91AY&SY\xe1\xf4", "binary data"),
        ('{"agent_id"'.encode("utf-16"), "binary data"),
        (b'{\n  "metadata": {}', "--from export"),
        (b'{"metadata": {}, "training_data": [{}]}', "--from export"),
        (gzip.compress(lines([make_request()]))[:-9], "truncated or damaged"),
        (gzip.compress(lines([make_request()]))[:40] + b"x" * 99, "truncated or damaged"),
    ],
    ids=["parquet", "zip", "bzip2", "utf-16", "pretty", "export", "cut gzip", "damaged gzip"],
)
def test_another_kind_of_content_is_one_error(content, told):
    with pytest.raises(InputError, match=told) as refusal:
        read(content)
    assert "standard input" in str(refusal.value)


def test_a_line_without_end_is_refused_before_memory_is_full(monkeypatch):
    monkeypatch.setattr(request_lines, "MAX_VALUE_BYTES", 3000)
    monkeypatch.setattr(request_lines, "_FIRST_LOOK_BYTES", 100)
    monkeypatch.setattr(request_lines, "CHUNK_BYTES", 100)
    with pytest.raises(InputError, match="line 2 exceeds"):
        read(lines([make_request(0)]) + b"x" * 5000)


@pytest.mark.parametrize("format", ["jsonl", "parquet", "export"])
def test_an_absent_file_is_one_error(tmp_path, format):
    with pytest.raises(InputError, match="nowhere"):
        read(tmp_path / "nowhere", format)


def test_a_damaged_parquet_file_is_one_error(tmp_path, write_parquet):
    path = write_parquet(raw_table(1000))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read(path, "parquet")


@pytest.mark.parametrize("indent", [None, 2])
def test_one_record_or_an_array_of_them_is_read_like_an_export(tmp_path, indent):
    asked = [make_request(number) for number in range(5)]
    [expected] = read_requests(io.BytesIO(lines(asked)), format="jsonl")
    for name, document, rows in (("one", asked[0], 1), ("many", asked, 5)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(document, indent=indent))
        [found] = read_requests(path, format="export")
        assert found.equals(expected.slice(0, rows))
        [piped] = read_requests(io.BytesIO(gzip.compress(path.read_bytes())), format="export")
        assert piped.equals(found)


def test_a_broken_record_in_an_array_costs_no_neighbour(tmp_path):
    path = tmp_path / "many.json"
    path.write_text(json.dumps([make_request(0), 7, make_request(1, agent_id=3), make_request(2)]))
    [found] = read_requests(path, format="export")
    assert found["problems"].to_pylist() == [None, ["malformed_record"], ["wrong_type"], None]
    assert found["position"].to_pylist() == [0, 1, 2, 3]


@pytest.mark.parametrize("content", [b'{"agents": []}', b"[1, 2", b"7", b'{"user_vibe_dimensions": '])
def test_a_document_that_is_neither_record_nor_export_is_one_clear_error(tmp_path, content):
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"odd\.json"):
        list(read_requests(path, format="export"))


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_at_the_ends_of_their_type_are_a_problem_of_their_row_and_never_wrap(write_parquet, unit):
    table = as_columns([make_request(number) for number in range(4)])
    moment = table["scored_at"][3].as_py()
    kind = pa.timestamp(unit, tz="UTC")
    ticks = pa.array([-(2**63), 2**63 - 1, None], pa.int64()).cast(kind)
    times = pa.concat_arrays([ticks, pa.array([moment], kind)])
    path = write_parquet(table.set_column(table.schema.get_field_index("scored_at"), "scored_at", times))

    rows = read(path, "parquet")

    if unit == "ns":  # which ends within the calendar
        assert [row["scored_at"].year for row in rows[:2]] == [1677, 2262]
    else:
        assert [row["scored_at"] for row in rows[:2]] == [None, None]
        assert [row["problems"] for row in rows] == [["invalid_timestamp"], ["invalid_timestamp"], None, None]
    assert rows[2]["scored_at"] is None
    assert rows[3]["scored_at"] == moment


def test_a_problem_that_is_null_is_a_problem(write_parquet):
    table = as_columns([make_request(number) for number in range(3)])
    path = write_parquet(table.append_column("problems", pa.array([[None], ["wrong_type", None], None])))

    assert [row["problems"] for row in read(path, "parquet")] == [
        ["malformed_record"],
        ["malformed_record", "wrong_type"],
        None,
    ]


def test_many_tiny_requests_are_read_some_at_a_time(monkeypatch):
    monkeypatch.setattr("spots_ml.requests.reading.SINGLE_RECORDS", 3)
    rows = read(b"{}\n" * 10 + lines([make_request(0)]))

    assert [row["position"] for row in rows] == list(range(11))
    assert [row["problems"] for row in rows] == [["missing_key"]] * 10 + [None]


@pytest.mark.parametrize("format", ["jsonl", "export"])
def test_a_request_that_is_too_large_is_refused_alone(tmp_path, format):
    large = make_request(1) | {"metadata": "x" * (3 * MAX_RECORD_BYTES)}
    asked = [make_request(0), large, make_request(2)]
    path = tmp_path / "asked"
    path.write_bytes(lines(asked) if format == "jsonl" else json.dumps({"training_data": asked}).encode())

    rows = read(path, format)

    assert [row["problems"] for row in rows] == [None, ["too_large"], None]
    assert len(rows[1]["record"]) < 70_000


def test_a_request_that_is_nested_too_deeply_is_refused_as_such():
    deep = b'{"metadata": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"

    assert [row["problems"] for row in read(deep + b"\n" + lines([make_request(0)]))] == [["too_large"], None]


@pytest.mark.parametrize("format", ["jsonl", "export"])
def test_gzip_that_unpacks_to_far_more_than_records_do_is_refused(tmp_path, monkeypatch, format):
    monkeypatch.setattr("spots_ml.interactions.reading.gunzip.ALWAYS_ALLOWED_BYTES", 1 << 16)
    path = tmp_path / "bomb.gz"
    document = b"{}\n" * 2_000_000 if format == "jsonl" else b'{"training_data": [' + b"{}, " * 2_000_000 + b"{}]}"
    path.write_bytes(gzip.compress(document))

    with pytest.raises(InputError, match=r"unpack to more than .* expected at most 200 times"):
        read(path, format)
    honest = gzip.compress(lines([make_request(number) for number in range(200)]))
    assert len(read(honest)) == 200
