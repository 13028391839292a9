"""Snapshots: named by content, whole or absent, checked when they are opened."""

import dataclasses

import pyarrow as pa
import pytest

from spots_ml.errors import ArtifactError, InputError
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.keeping.snapshot import read_snapshot, write_snapshot
from spots_ml.interactions.reading.export import read_export
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.interactions.source import InteractionStream


@pytest.fixture
def export(make_record, write_export):
    return write_export([make_record(n, **({"outcome_score": None} if n == 3 else {})) for n in range(30)])


def test_identical_input_gives_an_identical_digest_however_it_was_batched(tmp_path, export) -> None:
    digests = {
        write_snapshot(read_export(export, batch_rows=rows), tmp_path / str(rows)).digest for rows in (1, 7, 1000)
    }
    assert len(digests) == 1


def test_what_was_written_is_what_is_read(tmp_path, export) -> None:
    written = write_snapshot(read_export(export), tmp_path)
    snapshot, batches = read_snapshot(tmp_path, written.digest)
    assert snapshot == written
    assert (snapshot.n_rows, snapshot.n_labelled, snapshot.n_unreadable) == (30, 29, 0)
    assert pa.Table.from_batches(list(batches)).equals(pa.Table.from_batches(list(read_export(export).batches)))


def test_the_kind_is_part_of_the_identity_and_the_watermark_is_not(tmp_path, export) -> None:
    def write(**changes):
        return write_snapshot(dataclasses.replace(read_export(export), **changes), tmp_path)

    first = write(watermark="5")
    second = write(watermark="6", description="another name")
    assert second.digest == first.digest
    assert read_snapshot(tmp_path, first.digest)[0].watermark == "6"
    assert write(kind="hybrid").digest != first.digest


def test_a_source_that_breaks_off_leaves_nothing_behind(tmp_path, export) -> None:
    stream = read_export(export)

    def broken():
        yield from stream.batches
        raise InputError("the cable was pulled")

    with pytest.raises(InputError, match="cable"):
        write_snapshot(dataclasses.replace(stream, batches=broken()), tmp_path / "snapshots")
    assert list((tmp_path / "snapshots").iterdir()) == []


@pytest.mark.parametrize("name", ["interactions.parquet", "snapshot.json"])
def test_a_flipped_byte_is_found_and_writing_again_repairs_it(tmp_path, export, name) -> None:
    digest = write_snapshot(read_export(export), tmp_path).digest
    path = tmp_path / digest / name
    content = bytearray(path.read_bytes())
    content[content.index(digest[:8].encode()) if name.endswith("json") else len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=digest):
        read_snapshot(tmp_path, digest)
    write_snapshot(read_export(export), tmp_path)
    read_snapshot(tmp_path, digest)


def test_a_missing_snapshot_is_named(tmp_path) -> None:
    with pytest.raises(ArtifactError, match="0123"):
        read_snapshot(tmp_path, "0123")


def test_no_interactions_are_a_snapshot_too(tmp_path, write_export) -> None:
    snapshot = write_snapshot(read_export(write_export([])), tmp_path)
    assert snapshot.n_rows == 0
    assert list(read_snapshot(tmp_path, snapshot.digest)[1]) == []


def test_a_snapshot_of_before_a_column_existed_is_read_with_that_column_empty(tmp_path, monkeypatch):
    then = pa.schema([field for field in INTERACTIONS if field.name != "first_outcome_at"])
    rows = next(iter(SeedLaw().generate(20, seed=1).batches))
    stream = InteractionStream("synthetic", iter([rows.select(then.names)]), "a program of before")
    with monkeypatch.context() as earlier:
        earlier.setattr("spots_ml.interactions.keeping.snapshot.INTERACTIONS", then)
        written = write_snapshot(stream, tmp_path)

    _, batches = read_snapshot(tmp_path, written.digest)
    assert pa.Table.from_batches(batches).equals(pa.Table.from_batches([rows]))
