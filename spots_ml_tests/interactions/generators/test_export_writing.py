"""Exports that our generators write are read back as what they were."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from spots_ml.errors import InputError
from spots_ml.interactions.generators.export_writing import write_export
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.reading.export import read_export
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.interactions.source import InteractionStream


def stream_of(table: pa.Table, kind: str = "real") -> InteractionStream:
    return InteractionStream(kind=kind, batches=iter(table.to_batches()), description='said "so"')  # type: ignore[arg-type]


def generated(n_rows: int = 300) -> pa.Table:
    return pa.Table.from_batches(SeedLaw().generate(n_rows, seed=1, labelled_share=0.7).batches)


def replaced(table: pa.Table, column: str, values: list[object]) -> pa.Table:
    field = INTERACTIONS.field(column)
    return table.set_column(INTERACTIONS.get_field_index(column), field, pa.array(values, field.type))


@pytest.mark.parametrize("name", ["export.json", "export.json.gz"])
@pytest.mark.parametrize("kind", ["synthetic", "hybrid", "real"])
def test_what_is_written_is_read_back_bit_by_bit(tmp_path: Path, name: str, kind: str) -> None:
    table = generated()
    assert write_export(stream_of(table, kind), tmp_path / name) == 300
    back = read_export(tmp_path / name)
    assert back.kind == kind
    assert pa.Table.from_batches(back.batches).equals(table)


def test_records_have_the_layout_of_the_app(tmp_path: Path) -> None:
    write_export(stream_of(generated(2)), tmp_path / "export.json")
    document = json.loads((tmp_path / "export.json").read_text())
    assert set(document) == {"metadata", "training_data"}
    record = document["training_data"][0]
    assert len(record["user_vibe_dimensions"]) == len(record["spot_vibe_dimensions"]) == 12
    assert len(record["context_features"]) == 6
    assert len(record["timing_features"]) == 4
    assert record["timestamp"].endswith("Z")


def test_unknown_values_become_null_and_strings_are_escaped(tmp_path: Path) -> None:
    table = replaced(generated(2), "agent_novelty_seeking", [None, float("nan")])
    table = replaced(table, "agent_id", ['a "quoted"\n agent', None])
    write_export(stream_of(table), tmp_path / "export.json")
    first, second = json.loads((tmp_path / "export.json").read_text())["training_data"]
    assert first["user_vibe_dimensions"]["novelty_seeking"] is None
    assert second["user_vibe_dimensions"]["novelty_seeking"] is None
    assert first["agent_id"] == 'a "quoted"\n agent'
    assert second["agent_id"] is None


def test_several_batches_and_none_make_valid_documents(tmp_path: Path) -> None:
    table = generated(10)
    several = InteractionStream("real", iter(table.to_batches(max_chunksize=3)), "")
    assert write_export(several, tmp_path / "several.json") == 10
    assert len(json.loads((tmp_path / "several.json").read_text())["training_data"]) == 10
    assert write_export(InteractionStream("real", iter([]), ""), tmp_path / "none.json") == 0
    assert json.loads((tmp_path / "none.json").read_text())["training_data"] == []


def test_the_same_interactions_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.json.gz", "b.json.gz"):
        write_export(SeedLaw().generate(50, seed=1), tmp_path / name)
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.json.gz").read_bytes()).endswith(b"]}\n")


def test_a_row_without_values_is_refused_and_no_file_is_left(tmp_path: Path) -> None:
    table = replaced(generated(2), "record", ["{broken", None])
    with pytest.raises(InputError, match="1 of 2 interactions"):
        write_export(stream_of(table), tmp_path / "export.json")
    assert list(tmp_path.iterdir()) == []
