"""What is missing for proof is told of an export without keeping it, and of what a store holds of a period."""

from datetime import timedelta

import pytest

from spots_ml.errors import InputError
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.reading.export import read_export
from spots_ml.pipeline.intake.import_step import import_export
from spots_ml.pipeline.intake.log_check_step import check_kept_log, check_told_export
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.pipeline.told_exports import MOMENT, outcome, record, report, write
from spots_ml_tests.registry.building import make_candidate
from spots_ml_tests.stores.keeping_decisions import EVER

NOW = MOMENT + timedelta(days=5)
MATURITY = timedelta(days=2)
SAID = {"model_version": "v1.0-real", "outcome_model_version": None}


@pytest.fixture
def store(tmp_path):
    store = embedded_store(tmp_path / "store.sqlite")
    before = MOMENT - timedelta(days=2)
    store.versions.register(make_candidate("a", "v1.0-real"), now=before, actor="a test")
    store.versions.promote("calling_score", "v1.0-real", now=before, actor="a test", reason="sure", forced=True)
    return store


def of_file(store, path):
    return {one.topic: one for one in check_told_export(store, path, now=NOW, maturity=MATURITY)}


def of_store(store, since=EVER[0], until=EVER[1]):
    found = check_kept_log(store, since=since, until=until, now=NOW, maturity=MATURITY)
    return {one.topic: one for one in found}


def test_an_export_is_checked_and_nothing_of_it_is_kept(store, tmp_path):
    path = write(tmp_path / "e.json", *(report(number, **SAID) | outcome(number) for number in range(20)))
    found = of_file(store, path)
    assert {one.verdict for one in found.values()} <= {"ok", "look"}
    assert found["claims"].numbers == {"as_reported": 20}
    assert found["outcomes"].numbers == {"row": 20, "id": 0, "moment": 0, "none": 0}
    assert store.phones.read_phone_decisions(*EVER).num_rows == 0
    assert store.interactions.count_labels_after(None) == 0


def test_of_an_export_silent_records_and_values_that_no_table_takes_are_counted(store, tmp_path):
    kept = [report(number, **SAID) for number in range(4)]
    path = write(tmp_path / "e.json", *kept, record(7), report(8, **SAID, propensity=0.0), report(9, **SAID, stage="2"))
    found = of_file(store, path)["reports"]
    assert found.numbers == {"reports": 4, "silent": 2, "unkept": 1}
    assert found.verdict == "missing"


def test_when_an_export_does_not_say_when_reports_were_written_what_else_is_wrong_is_seen(store, tmp_path):
    untimed = [report(number, **SAID, reported_at=None) for number in range(4)]
    found = of_file(store, write(tmp_path / "e.json", *untimed, report(5, model_version="v9.9-real")))
    assert found["claims"].numbers == {"as_reported": 4, "not_in_service": 1}
    assert found["lateness"].numbers["untimed"] == 4


def test_outcomes_of_an_export_that_miss_their_decision_are_found_by_id_and_told_otherwise(store, tmp_path):
    number = "7f6b0a52-3f0e-4c55-9a54-0d1f6f1d2c11"
    off = {"timestamp": (MOMENT + timedelta(milliseconds=1)).isoformat()}
    rows = report(0, **SAID, outcome_id=number), record(0, **off, outcome_id=number) | outcome(0)
    found = of_file(store, write(tmp_path / "e.json", *rows))
    assert found["outcomes"].numbers == {"row": 0, "id": 1, "moment": 0, "none": 0}
    assert (found["linking"].verdict, found["linking"].numbers["unlinked"]) == ("ok", 0)
    without = [row | {"outcome_id": None} for row in rows]
    found = of_file(store, write(tmp_path / "f.json", *without))
    assert found["outcomes"].numbers == {"row": 0, "id": 0, "moment": 0, "none": 1}
    assert (found["outcomes"].verdict, found["linking"].numbers["near"]) == ("missing", 1)


def test_what_was_generated_tells_nothing_of_phones(store, tmp_path):
    found = of_file(store, write(tmp_path / "e.json", report(1, **SAID), source="synthetic"))
    assert [one.verdict for one in found.values()] == ["missing"]
    assert "the file says that its data is synthetic, where no phone decided anything" in found["reports"].sentence


def test_a_file_that_is_no_export_is_refused(store, tmp_path):
    path = tmp_path / "e.json"
    path.write_text("[1, 2]")
    with pytest.raises(InputError):
        of_file(store, path)


def test_what_a_store_holds_of_a_period_is_checked(store, tmp_path):
    path = write(tmp_path / "e.json", *(report(number, **SAID) | outcome(number) for number in range(20)))
    import_export(store, path, read_export(path), now=NOW, config=ValidationConfig())
    assert of_store(store)["claims"].numbers == {"as_reported": 20}
    assert of_store(store, until=MOMENT + timedelta(minutes=5))["claims"].numbers == {"as_reported": 5}
    assert [one.verdict for one in of_store(store, until=MOMENT).values()] == ["missing"]
