"""From snapshot to dataset: nothing lost, nothing altered unseen, the same input the same digest."""

import json
from datetime import timedelta

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from spots_ml.digests import seal
from spots_ml.errors import ArtifactError, ContractError, ValidationFailedError
from spots_ml.features.contract import FEATURES, RAW_FEATURES
from spots_ml.interactions.keeping.snapshot import write_snapshot
from spots_ml.interactions.learning.dataset import labelled_rows
from spots_ml.interactions.learning.validation import (
    ValidationConfig,
    build_dataset,
    load_dataset,
    load_labelled_rows,
    read_report,
)
from spots_ml.interactions.reading.export import read_export
from spots_ml.interactions.schema import DATASET, QUARANTINE

F = "user_vibe_dimensions__novelty_seeking"


@pytest.fixture
def export(make_record, write_export):
    """Forty records: two broken, one a duplicate, one unknown in a feature, one not labelled."""
    changes = {
        4: {F: 3.0},
        9: {F: "x"},
        12: {F: None},
        20: {"outcome_type": None, "outcome_score": None, "outcome_timestamp": None},
    }
    records = [make_record(number, **changes.get(number, {})) for number in range(40)]
    return write_export([*records, records[7]])


def test_accepted_and_quarantined_are_what_was_read(tmp_path, export, build) -> None:
    report = build(export, max_broken_share=0.1)
    assert (report.n_read, report.n_accepted, report.n_quarantined) == (41, 38, 3)
    assert report.reasons == {"duplicate": 1, "out_of_range": 1, "wrong_type": 1}
    assert (report.n_labelled, report.n_agents, report.n_without_agent) == (37, 7, 0)
    assert sum(report.outcomes.values()) == report.n_labelled
    assert report.unknown_share["agent_novelty_seeking"] == pytest.approx(1 / 38)
    assert report.unknown_share["novelty_match"] == pytest.approx(1 / 38)
    _, accepted = load_dataset(tmp_path / "datasets", report.digest)
    aside = pq.read_table(tmp_path / "datasets" / report.digest / "quarantine.parquet")
    assert accepted.schema.equals(DATASET) and aside.schema.equals(QUARANTINE)
    positions = accepted["position"].to_pylist() + aside["position"].to_pylist()
    assert sorted(positions) == list(range(41))
    assert aside["position"].to_pylist() == [4, 9, 40]


def test_accepted_rows_say_what_the_records_said(tmp_path, make_record, write_export, build) -> None:
    record = make_record(3)
    report = build(write_export([make_record(0), record]))
    _, accepted = load_dataset(tmp_path / "datasets", report.digest)
    row = accepted.to_pylist()[1]
    assert row["agent_exploration_eagerness"] == np.float32(record["user_vibe_dimensions"]["exploration_eagerness"])
    assert row["opportunity_overall_energy"] == np.float32(record["spot_vibe_dimensions"]["overall_energy"])
    assert row["opportunity_timing"] == np.float32(record["timing_features"]["opportunity_timing"])
    assert row["timing_alignment"] == pytest.approx(np.mean(list(record["timing_features"].values())), abs=1e-6)
    assert row["formula_score"] == record["formula_calling_score"]
    assert (row["agent_id"], row["outcome_type"], row["outcome_score"]) == ("agent-3", "positive", 0.8)


def test_the_quarantined_record_can_be_repaired_and_read_again(tmp_path, make_record, write_export, build) -> None:
    report = build(write_export([make_record(0), make_record(1, **{F: 3.0})]), max_broken_share=0.5)
    (row,) = pq.read_table(tmp_path / "datasets" / report.digest / "quarantine.parquet").to_pylist()
    repaired = json.loads(row["record"])
    repaired["user_vibe_dimensions"]["novelty_seeking"] = 0.3
    again = build(write_export([repaired], name="again.json"))
    assert (again.n_accepted, again.n_quarantined) == (1, 0)


def test_history_is_drawn_from_accepted_rows_only(tmp_path, make_record, write_export, build) -> None:
    def at(day: int, **changes):
        times = {"timestamp": f"2026-05-{day:02}T10:00:00Z", "outcome_timestamp": f"2026-05-{day:02}T11:00:00Z"}
        return make_record(day, **{"agent_id": "agent", **times, **changes})

    records = [at(1), at(2, **{F: 9.0}), at(3), at(5)]
    report = build(write_export(records), max_broken_share=0.3)
    _, accepted = load_dataset(tmp_path / "datasets", report.digest)
    assert accepted["interaction_count"].to_pylist() == pytest.approx([0.0, 0.01, 0.02])


def test_the_same_input_gives_the_same_digest_at_any_later_time(tmp_path, export, now) -> None:
    snapshot = write_snapshot(read_export(export), tmp_path / "snapshots")
    reports = [
        build_dataset(
            tmp_path / "snapshots",
            snapshot.digest,
            tmp_path / "datasets",
            config=ValidationConfig(max_broken_share=0.1),
            now=now + timedelta(days=days),
        )
        for days in (0, 400)
    ]
    assert reports[0] == reports[1]
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == [reports[0].digest]


def test_too_many_broken_rows_stop_it_with_counts_and_places(tmp_path, export, build) -> None:
    with pytest.raises(ValidationFailedError) as caught:
        build(export, max_broken_share=0.04)
    message = str(caught.value)
    assert "2 of 41 records are broken (4.8% with no agent above its cap); at most 4.0%" in message
    assert "duplicate 1, out_of_range 1, wrong_type 1" in message
    assert "position 4: out_of_range" in message
    assert not list((tmp_path / "datasets").glob("*"))


def test_repetitions_are_set_aside_but_not_broken(make_record, write_export, build) -> None:
    report = build(write_export([make_record(number % 5) for number in range(20)]), max_broken_share=0.0)
    assert (report.n_accepted, report.n_quarantined, report.n_broken) == (5, 15, 0)


def test_the_allowed_share_is_inclusive(make_record, write_export, build) -> None:
    records = [make_record(number, **({F: 2.0} if number == 0 else {})) for number in range(20)]
    assert build(write_export(records), max_broken_share=0.05).n_quarantined == 1


@pytest.mark.parametrize("name", ["accepted.parquet", "quarantine.parquet", "report.json"])
def test_a_flipped_byte_is_found_and_building_again_repairs_it(tmp_path, export, build, name) -> None:
    digest = build(export, max_broken_share=0.1).digest
    path = tmp_path / "datasets" / digest / name
    content = bytearray(path.read_bytes())
    place = content.index(b'"n_accepted": 38') + 14 if name == "report.json" else len(content) // 2
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=name):
        load_dataset(tmp_path / "datasets", digest)
    build(export, max_broken_share=0.1)
    load_dataset(tmp_path / "datasets", digest)


def test_everything_that_is_damaged_is_listed_at_once(tmp_path, export, build) -> None:
    digest = build(export, max_broken_share=0.1).digest
    (tmp_path / "datasets" / digest / "accepted.parquet").write_bytes(b"")
    (tmp_path / "datasets" / digest / "quarantine.parquet").unlink()
    with pytest.raises(ArtifactError, match=r"accepted\.parquet.*quarantine\.parquet: found no such file"):
        load_dataset(tmp_path / "datasets", digest)


def test_a_dataset_of_another_contract_is_refused(tmp_path, export, build) -> None:
    report = build(export, max_broken_share=0.1).model_copy(update={"contract_digest": "another"})
    report = report.model_copy(update={"digest": report.computed_digest()})
    folder = tmp_path / "datasets" / report.digest
    folder.mkdir()
    (folder / "report.json").write_bytes(seal(report.model_dump(mode="json")))
    with pytest.raises(ContractError, match="another"):
        read_report(tmp_path / "datasets", report.digest)


def test_no_rows_are_a_dataset_too(tmp_path, write_export, build) -> None:
    report = build(write_export([]))
    assert (report.n_read, report.outcome_score_range) == (0, None)
    _, accepted = load_dataset(tmp_path / "datasets", report.digest)
    assert accepted.num_rows == 0


@pytest.mark.parametrize("name", ["", "_v1_hybrid"])
def test_the_reference_exports_are_accepted_whole_and_unchanged(tmp_path, reference_dir, build, name) -> None:
    path = reference_dir / f"calling_score_training_data{name}.json.gz"
    report = build(path)
    assert (report.n_accepted, report.n_quarantined) == (10_000, 0)
    rows = labelled_rows(load_dataset(tmp_path / "datasets", report.digest)[1])
    assert not rows.unknown.any()
    (read,) = read_export(path).batches
    for column in RAW_FEATURES:
        expected = pc.cast(read[column], "float32").to_numpy()
        np.testing.assert_array_equal(rows.features[:, FEATURES.index(column)], expected)


def test_labelled_rows_are_loaded_as_from_the_table_and_after_the_same_checks(tmp_path, export, build) -> None:
    report = build(export, max_broken_share=0.1)
    folder = tmp_path / "datasets"
    found_report, found = load_labelled_rows(folder, report.digest)
    expected = labelled_rows(load_dataset(folder, report.digest)[1])
    assert found_report == report
    for name, values in vars(expected).items():
        assert np.array_equal(getattr(found, name), values, equal_nan=values.dtype.kind in "fM"), name
    path = folder / report.digest / "accepted.parquet"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ArtifactError, match="is damaged"):
        load_labelled_rows(folder, report.digest)


def test_the_quarantine_and_the_report_name_keys_and_values(tmp_path, export, build) -> None:
    report = build(export, max_broken_share=0.1)
    aside = pq.read_table(tmp_path / "datasets" / report.digest / "quarantine.parquet")

    assert aside["details"].to_pylist() == [
        ["out_of_range: user_vibe_dimensions.novelty_seeking = 3.0"],
        ['wrong_type: user_vibe_dimensions.novelty_seeking = "x"'],
        [],
    ]
    assert report.keys == {
        "out_of_range: user_vibe_dimensions.novelty_seeking": 1,
        "wrong_type: user_vibe_dimensions.novelty_seeking": 1,
    }
    with pytest.raises(
        ValidationFailedError, match=r"position 4: out_of_range: user_vibe_dimensions\.novelty_seeking = 3"
    ):
        build(export, max_broken_share=0.0)
