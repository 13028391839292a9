"""Reading an export: kinds, layouts, batches, and the same rows whatever the file looks like."""

import gzip
import json
import os

import pyarrow as pa
import pytest

from spots_ml.errors import InputError
from spots_ml.interactions.reading.export import read_export
from spots_ml.interactions.schema import INTERACTIONS

KINDS = [
    ({"source": "hybrid_big_five", "description": "real personality + synthetic spots"}, "hybrid"),
    ({"generated_by": "generate_synthetic_training_data.py"}, "synthetic"),
    ({"source": "synthetic"}, "synthetic"),
    ({"source": "app", "description": "no synthetic rows"}, "real"),
    ({"description": "no synthetic rows"}, "real"),
    ({"source": "app", "generated_by": "generate_synthetic_training_data.py"}, "real"),
    ({"source": "app"}, "real"),
    ({}, "real"),
    (None, "real"),
]


@pytest.mark.parametrize(("metadata", "kind"), KINDS)
@pytest.mark.parametrize("behind", [False, True])
def test_the_kind_is_what_the_metadata_say_wherever_they_stand(tmp_path, make_record, metadata, kind, behind) -> None:
    parts = {"metadata": metadata, "training_data": [make_record(0)]}
    document = dict(reversed(parts.items())) if behind else parts
    path = tmp_path / "export.json"
    path.write_text(json.dumps(document))
    assert read_export(path).kind == kind


def test_the_same_rows_come_out_of_every_spelling_of_a_file(tmp_path, make_record, read_rows) -> None:
    records = [make_record(number) for number in range(50)]
    document = {"metadata": {}, "training_data": records}
    spellings = [
        json.dumps(document).encode(),
        json.dumps(document, indent=4).encode(),
        json.dumps(document, separators=(",", ":")).encode(),
        json.dumps(document, indent="\t").replace("\n", "\r\n").encode(),
        json.dumps(document).encode("utf-8-sig"),
        gzip.compress(json.dumps(document).encode()),
        gzip.compress(json.dumps(document).encode()[:100]) + gzip.compress(json.dumps(document).encode()[100:]),
    ]
    path = tmp_path / "export"
    rows = []
    for spelling in spellings:
        path.write_bytes(spelling)
        rows.append(read_rows(path))
    assert all(each == rows[0] for each in rows)
    assert [row["position"] for row in rows[0]] == list(range(50))
    assert rows[0][3]["opportunity_id"] == "spot-3"


def test_batches_have_the_size_asked_for(make_record, write_export) -> None:
    path = write_export([make_record(number) for number in range(25)])
    batches = list(read_export(path, batch_rows=10).batches)
    assert [batch.num_rows for batch in batches] == [10, 10, 5]
    assert all(batch.schema == INTERACTIONS for batch in batches)


def test_no_records_are_no_batches(write_export) -> None:
    assert list(read_export(write_export([])).batches) == []


def test_records_keep_their_order_and_place_among_broken_ones(make_record, write_export, read_rows) -> None:
    records = [make_record(n) if n % 3 else json.dumps(make_record(n)).replace("0.", "x.", 1) for n in range(400)]
    rows = read_rows(write_export(records))
    assert [row["position"] for row in rows] == list(range(400))
    assert [row["opportunity_id"] for row in rows] == [f"spot-{n}" if n % 3 else None for n in range(400)]
    assert all((row["problems"] is not None) == (n % 3 == 0) for n, row in enumerate(rows))


def test_a_time_that_the_fast_way_cannot_read_costs_no_neighbour(make_record, write_export, read_rows) -> None:
    records = [make_record(n, timestamp="soon" if n == 5 else "2026-05-01T10:00:00Z") for n in range(10)]
    rows = read_rows(write_export(records))
    assert [row["problems"] for row in rows] == [None] * 5 + [["invalid_timestamp"]] + [None] * 4


def test_the_reference_exports_are_read_whole(reference_dir) -> None:
    for name, kind in (("", "synthetic"), ("_v1_hybrid", "hybrid")):
        stream = read_export(reference_dir / f"calling_score_training_data{name}.json.gz")
        rows = pa.Table.from_batches(list(stream.batches))
        assert (stream.kind, rows.num_rows, rows["problems"].null_count) == (kind, 10_000, 10_000)


@pytest.mark.parametrize("source", ["synthetic_v2", "Hybrid", "", 7, ["app"], "app\n"])
def test_a_source_that_nobody_knows_is_refused(tmp_path, make_record, source) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps({"metadata": {"source": source}, "training_data": [make_record(0)]}))

    with pytest.raises(InputError, match="expected one of app, real, synthetic, hybrid"):
        read_export(path)


@pytest.mark.parametrize("description", ["half \ud83d", "two\nlines", "x" * 5_000_000, {"not": "text"}, "\x1b[2J"])
def test_a_description_is_one_printable_line_of_bounded_length(tmp_path, make_record, description) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps({"metadata": {"description": description}, "training_data": [make_record(0)]}))

    told = read_export(path).description

    assert told.isprintable() and len(told) < 600
    assert told.encode("utf-8")


def test_a_file_name_that_is_no_utf_8_is_escaped(tmp_path, make_record) -> None:
    path = tmp_path / os.fsdecode(b"export-\xff.json")
    path.write_text(json.dumps({"training_data": [make_record(0)]}))

    assert read_export(path).description == "export export-\\udcff.json: no description"
