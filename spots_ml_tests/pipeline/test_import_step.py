"""An import keeps what phones decided beside the interactions, and says which outcomes belong to no decision."""

from datetime import timedelta

import pytest

from spots_ml.errors import ValidationFailedError
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.reading.export import read_export
from spots_ml.monitoring.outcome_linking import OutcomeLinking
from spots_ml.pipeline.intake.import_step import import_export
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.pipeline.told_exports import MOMENT, outcome, record, report, write
from spots_ml_tests.stores.keeping_decisions import EVER

NOW = MOMENT + timedelta(days=5)


@pytest.fixture
def store(tmp_path):
    return embedded_store(tmp_path / "store.sqlite")


def take_in(store, path):
    return import_export(store, path, read_export(path), now=NOW, config=ValidationConfig())


def test_what_phones_decided_is_kept_beside_the_interactions(store, tmp_path):
    path = write(tmp_path / "e.json", report(1) | outcome(1), record(2) | outcome(2), report(3, reported_at=None))
    imported = take_in(store, path)
    assert (imported.report.n_new, imported.report.n_quarantined, imported.n_reports) == (3, 0, 2)
    found = store.phones.read_phone_decisions(*EVER).to_pylist()
    assert [(row["opportunity_id"], row["experiment"], row["outcome_type"]) for row in found] == [
        ("spot-1", "rollout-1", "positive"),
        ("spot-3", "rollout-1", None),
    ]
    assert [row["reported_at"] for row in found] == [MOMENT + timedelta(minutes=1, seconds=5), NOW]
    again = take_in(store, path)
    assert (again.report.n_new, again.report.n_unchanged) == (0, 3)
    assert store.phones.read_phone_decisions(*EVER).to_pylist() == found


def test_outcomes_that_belong_to_no_decision_are_counted_where_decisions_are_known(store, tmp_path):
    assert take_in(store, write(tmp_path / "e.json", record(1) | outcome(1))).linking is None
    off = {"timestamp": (MOMENT + timedelta(minutes=2, milliseconds=1)).isoformat()}
    path = write(tmp_path / "f.json", report(0), report(2), record(2, **off) | outcome(2), report(3) | outcome(3))
    assert take_in(store, path).linking == OutcomeLinking(n_outcomes=3, n_without_decision=2, n_near=1)


def test_outcomes_that_are_imported_alone_are_held_against_decisions_a_moment_away(store, tmp_path):
    take_in(store, write(tmp_path / "e.json", report(1), report(2)))
    off = {"timestamp": (MOMENT + timedelta(minutes=1, milliseconds=1)).isoformat()}
    finer = {"timestamp": (MOMENT + timedelta(minutes=2, microseconds=999)).isoformat()}
    outcomes = write(tmp_path / "f.json", record(1, **off) | outcome(1), record(2, **finer) | outcome(2))
    assert take_in(store, outcomes).linking == OutcomeLinking(n_outcomes=2, n_without_decision=1, n_near=1)


def test_what_was_generated_is_no_decision_of_a_phone(store, tmp_path):
    imported = take_in(store, write(tmp_path / "e.json", report(1), source="synthetic"))
    assert (imported.n_reports, store.phones.read_phone_decisions(*EVER).num_rows) == (0, 0)


def test_an_export_that_is_refused_tells_nothing_of_decisions_either(store, tmp_path):
    broken = [record(number, formula_calling_score=7.0) for number in range(30)]
    with pytest.raises(ValidationFailedError):
        take_in(store, write(tmp_path / "e.json", report(99), *broken))
    assert store.phones.read_phone_decisions(*EVER).num_rows == 0


def test_a_report_that_cannot_be_read_costs_neither_its_interaction_nor_its_neighbours(store, tmp_path):
    path = write(tmp_path / "e.json", report(1), report(2, weight="much"), report(3, stage=1.5), report(4))
    imported = take_in(store, path)
    assert (imported.report.n_new, imported.n_reports) == (4, 2)


def test_beside_a_report_is_called_is_what_the_phone_decided_and_alone_it_is_the_formulas(store, tmp_path):
    older = record(2)
    older["is_called"] = older.pop("formula_is_called")
    take_in(store, write(tmp_path / "e.json", report(1, is_called=False), older))
    (batch,) = store.interactions.read_interactions().batches
    assert batch["is_called"].to_pylist() == [True, True]
    assert store.phones.read_phone_decisions(*EVER)["called"].to_pylist() == [False]
