"""What every store of interactions promises of the records that it set aside."""

import json
from datetime import timedelta

import pyarrow as pa
import pytest

from spots_ml.errors import InputError, ValidationFailedError
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.keeping.snapshot import write_snapshot
from spots_ml.interactions.learning.validation import build_dataset
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.pipeline.data_steps import Sources
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, read, stream, take_in

LATER = NOW + timedelta(days=30)


def people(first, last, **changes):
    """One interaction each of as many agents."""
    return [interaction(number, agent_id=f"agent {number}", **changes) for number in range(first, last)]


def set_aside(store, up_to=None):
    batches = list(store.interactions.read_quarantine(up_to))
    return pa.Table.from_batches(batches, schema=INTERACTIONS).to_pylist()


def opened(store):
    kind = "supabase" if store.interactions.label_watermark().startswith("supabase:") else "embedded"
    return Sources(kind, lambda: store.interactions).open(kind)


def validated(store, tmp_path, **config):
    snapshot = write_snapshot(opened(store), tmp_path / "snapshots")
    config = ValidationConfig(**config)
    report = build_dataset(tmp_path / "snapshots", snapshot.digest, tmp_path / "sets", config=config, now=LATER)
    return snapshot, report


def test_a_run_reads_what_the_door_set_aside_and_says_the_true_share(store, tmp_path):
    take_in(store, people(0, 97) + people(97, 100, formula_score=1.5))
    snapshot, report = validated(store, tmp_path)

    assert (snapshot.n_rows, snapshot.n_labelled, snapshot.n_unreadable) == (100, 97, 3)
    assert (report.n_read, report.n_accepted, report.n_quarantined) == (100, 97, 3)
    assert report.weighing.broken_share == pytest.approx(0.03)
    assert report.reasons == {"out_of_range": 3}
    assert report.keys == {"out_of_range: formula_calling_score": 3}


def test_what_was_taken_in_although_too_much_was_broken_is_refused_by_a_run_in_the_usual_words(store, tmp_path):
    take_in(store, people(0, 60) + people(60, 100, formula_score=1.5), max_broken_share=1.0)

    with pytest.raises(ValidationFailedError, match=r"40 of 100 records are broken \(40\.0%.*out_of_range 40"):
        validated(store, tmp_path)
    assert validated(store, tmp_path, max_broken_share=0.4)[1].n_quarantined == 40


def test_what_was_set_aside_weighs_with_the_agent_who_sent_it(store, tmp_path):
    loud = [interaction(number, agent_id="loud", formula_score=1.5) for number in range(100, 140)]
    take_in(store, people(0, 60) + loud)
    report = validated(store, tmp_path)[1]

    assert (report.n_quarantined, report.weighing.n_agents) == (40, 61)
    assert report.weighing.broken_share < 0.05
    assert report.weighing.heaviest[0].agent == "loud"


def test_what_was_broken_at_the_door_stays_so_whatever_the_rules_say_by_now(store, tmp_path):
    early = people(50, 52, scored_at=NOW + timedelta(days=3), outcome_at=NOW + timedelta(days=4))
    take_in(store, people(0, 50) + early)

    assert validated(store, tmp_path)[1].reasons == {"timestamp_in_future": 2}


def test_a_record_that_came_right_later_was_told_twice(store, tmp_path):
    take_in(store, people(0, 39) + people(39, 40, formula_score=1.5))
    take_in(store, people(39, 40))
    report = validated(store, tmp_path)[1]

    assert (report.n_read, report.n_accepted, report.n_quarantined) == (41, 40, 1)


def test_what_an_import_sets_aside_is_behind_the_watermark_of_before_also_where_it_brings_nothing_else(store):
    points = [(store.interactions.label_watermark(), [])]
    for first, last in ((0, 2), (2, 3), (3, 6)):
        good = people(100, 103) if first == 3 else []
        take_in(store, good + people(first, last, formula_score=1.5), max_broken_share=1.0)
        points.append((store.interactions.label_watermark(), set_aside(store)))

    assert len({watermark for watermark, _ in points}) == 4
    assert [len(rows) for _, rows in points] == [0, 2, 3, 6]
    for watermark, rows in points:
        assert set_aside(store, watermark) == rows
    assert len(read(store)) == 3


def test_a_broken_record_that_comes_again_is_kept_once_and_moves_no_watermark(store):
    rows = [interaction(0), *people(1, 4, formula_score=1.5)]
    take_in(store, rows, max_broken_share=1.0)
    watermark, known = store.interactions.label_watermark(), set_aside(store)
    take_in(store, rows, max_broken_share=1.0)

    assert (store.interactions.label_watermark(), set_aside(store)) == (watermark, known)
    assert len(known) == 3


def test_interactions_and_records_set_aside_share_one_sequence_and_disturb_each_other_in_nothing(store):
    for turn in range(3):
        first = 10 * turn
        take_in(store, people(first, first + 4) + people(first + 4, first + 6, formula_score=1.5), max_broken_share=1.0)

    expected = [*range(4), *range(10, 14), *range(20, 24)]
    assert read(store)["opportunity_id"].to_pylist() == [f"spot {number}" for number in expected]
    assert store.interactions.count_labels_after(None) == 12
    assert [row["agent_id"] for row in set_aside(store)] == [f"agent {number}" for number in (4, 5, 14, 15, 24, 25)]


def test_a_row_that_was_set_aside_says_whose_it_is_why_and_what_it_said(store):
    broken = interaction(0, formula_score=1.5)
    take_in(store, [broken, {"record": "{", "problems": ["malformed_record"]}], max_broken_share=1.0)
    first, second = set_aside(store)

    assert (first["agent_id"], first["problems"]) == ("agent 0", ["out_of_range"])
    assert json.loads(first["record"])["formula_calling_score"] == 1.5
    assert first["outcome_type"] is first["scored_at"] is None
    assert (second["agent_id"], second["problems"], second["record"]) == (None, ["malformed_record"], "{")


def test_more_than_a_page_is_read_in_bounded_parts_and_all_of_it(store):
    take_in(store, people(0, 2100, formula_score=1.5), max_broken_share=1.0)
    sizes = [batch.num_rows for batch in store.interactions.read_quarantine()]

    assert sum(sizes) == 2100
    assert max(sizes) <= 1000


def test_the_rows_of_a_store_that_set_nothing_aside_are_those_of_its_interactions(store, tmp_path):
    take_in(store, people(0, 40))
    alone = write_snapshot(store.interactions.read_interactions(), tmp_path / "alone")

    assert write_snapshot(opened(store), tmp_path / "snapshots").digest == alone.digest
    assert alone.digest == write_snapshot(stream(people(0, 40)), tmp_path / "told").digest


def test_what_is_no_watermark_says_nothing_of_the_quarantine(store):
    with pytest.raises(InputError, match="not a watermark"):
        list(store.interactions.read_quarantine("yesterday"))


def test_a_run_does_not_advise_what_was_done_already(store, tmp_path):
    rows = people(0, 6) + people(6, 10, formula_score=1.5)
    with pytest.raises(ValidationFailedError, match=r"SHARE\), or import it with --accept-broken: a run"):
        take_in(store, rows)
    take_in(store, rows, max_broken_share=1.0)
    with pytest.raises(ValidationFailedError, match=r"SPOTS_ML_MAX_BROKEN_SHARE\)$"):
        validated(store, tmp_path)
