"""What was made of the same is found, checked and used; what was not is made."""

import multiprocessing
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.learning.fitness import SufficiencyConfig
from spots_ml.interactions.learning.validation import read_report
from spots_ml.pipeline import code_version, made
from spots_ml.pipeline.data_steps import Sources, make_dataset, take_snapshot
from spots_ml.places import Places
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.pipeline.chosen_data import Told, export, interactions

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "data", tmp_path / "artifacts")


def sources(places, **changes):
    return Sources("embedded", lambda: embedded_store(places.database).interactions, **changes)


def generated(places, *, anew=False, **changes):
    return take_snapshot(places, "synthetic", sources(places, **{"synthetic_rows": 1_200} | changes), anew=anew)


def dataset(places, digest, *, told=None, now=NOW, anew=False, **changes):
    return make_dataset(
        places,
        digest,
        now=now,
        validation=ValidationConfig(**changes),
        expectations=told or Told(),
        anew=anew,
    )


def test_a_generated_snapshot_is_found_and_is_the_same(places):
    first, again = generated(places), generated(places)

    assert (first.made_already, again.made_already) == (False, True)
    assert again.snapshot == first.snapshot


@pytest.mark.parametrize("changes", [{"synthetic_rows": 1_100}, {"synthetic_seed": 7}, {"anew": True}])
def test_other_rows_another_seed_or_a_wish_make_it_anew(places, changes):
    generated(places)

    assert not generated(places, **changes).made_already


def test_a_damaged_snapshot_is_not_found_but_made_again(places):
    path = generated(places).path
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")

    assert not generated(places).made_already
    assert path.read_bytes() == whole


def test_an_export_is_known_by_its_content_whatever_its_age(places):
    path = export(interactions(60), places.data_dir.parent / "export.json")

    def read():
        return take_snapshot(places, "export", sources(places, export_path=path)).made_already

    assert (read(), read()) == (False, True)
    export(interactions(61), path)
    assert (read(), read()) == (False, True)


def test_a_store_is_read_again_for_a_mark_of_arrival_does_not_say_that_it_is_the_same_store(places):
    stream = sources(places, synthetic_rows=60).open("synthetic")
    embedded_store(places.database).interactions.import_interactions(stream, now=NOW)

    assert not take_snapshot(places, "embedded", sources(places)).made_already
    assert not take_snapshot(places, "embedded", sources(places)).made_already


class SlowStore:
    """A store that is read only when it is told to go on, and counts how often."""

    def __init__(self, places):
        self.store = embedded_store(places.database).interactions
        self.n_read, self.reading, self.go_on = 0, threading.Event(), threading.Event()

    def label_watermark(self):
        return self.store.label_watermark()

    def read_interactions(self, up_to=None):
        self.n_read += 1
        self.reading.set()
        assert self.go_on.wait(60)
        return self.store.read_interactions(up_to=up_to)

    def read_quarantine(self, up_to=None):
        return self.store.read_quarantine(up_to)


def test_of_two_that_read_a_store_at_once_one_reads_and_the_other_uses_it(places):
    stream = sources(places, synthetic_rows=60).open("synthetic")
    embedded_store(places.database).interactions.import_interactions(stream, now=NOW)
    slow, taken = SlowStore(places), []

    def take():
        taken.append(take_snapshot(places, "embedded", Sources("embedded", lambda: slow)))

    first, second = threading.Thread(target=take), threading.Thread(target=take)
    first.start()
    assert slow.reading.wait(60)
    waiting = threading.Event()
    watermark = slow.label_watermark
    slow.label_watermark = lambda: (waiting.set(), watermark())[1]
    second.start()
    assert waiting.wait(60)
    threading.Timer(0.5, slow.go_on.set).start()  # by then the second one waits for the first
    first.join(60), second.join(60)

    assert slow.n_read == 1
    assert sorted(one.made_already for one in taken) == [False, True]
    assert taken[0].digest == taken[1].digest


def hold(path, ready, seconds):
    from spots_ml.files import exclusive

    with exclusive(Path(path)):
        ready.set()
        threading.Event().wait(seconds)


def test_a_killed_process_leaves_nothing_to_wait_for(places):
    entry = made.Entry(places, "raw_training_data", {"source": "synthetic", "rows": 1_200, "seed": 42})
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=hold, args=(str(entry.path.with_suffix(".lock")), ready, 600))
    holder.start()
    assert ready.wait(60)
    holder.kill()
    holder.join(60)

    assert generated(places).digest


def test_a_dataset_is_found_with_what_its_gates_said(places):
    digest, told = generated(places).digest, Told()
    first = dataset(places, digest, told=told)
    again = dataset(places, digest, told=told, now=NOW + timedelta(days=1))

    assert (first.made_already, again.made_already) == (False, True)
    assert (again.report, again.verdicts, again.results) == (first.report, first.verdicts, first.results)
    assert told.submitted == [first.digest]


@pytest.mark.parametrize("changes", [{"max_broken_share": 0.2}, {"now": NOW - timedelta(seconds=1)}, {"anew": True}])
def test_other_rules_an_earlier_clock_or_a_wish_make_a_dataset_anew(places, changes):
    digest = generated(places).digest
    dataset(places, digest)

    assert not dataset(places, digest, **changes).made_already


def test_other_sufficiency_makes_a_dataset_anew(places):
    digest = generated(places).digest
    dataset(places, digest)
    again = make_dataset(
        places,
        digest,
        now=NOW,
        validation=ValidationConfig(),
        sufficiency=SufficiencyConfig(min_labelled=1_001),
        expectations=Told(),
    )

    assert not again.made_already


def test_what_was_refused_is_not_found(places):
    digest = generated(places).digest
    dataset(places, digest, told=Told("agent_energy"))

    assert not dataset(places, digest).made_already


def test_rows_of_the_future_are_judged_again_when_it_has_come(places):
    taken = generated(places, synthetic_rows=1_500)
    digest, scored_at = taken.digest, pq.read_table(taken.path)["scored_at"].sort()
    first = dataset(places, digest, now=scored_at[1_300].as_py(), max_broken_share=1.0)
    assert all(verdict.passed for verdict in first.verdicts)
    assert first.report.reasons["timestamp_in_future"]
    again = dataset(places, digest, max_broken_share=1.0)

    assert not again.made_already
    assert again.report.n_accepted > first.report.n_accepted


@pytest.mark.parametrize("name", ["accepted.parquet", "quarantine.parquet", "report.json", "verdict.json"])
def test_a_damaged_dataset_is_made_again(places, name):
    digest = generated(places).digest
    path = places.datasets_dir / dataset(places, digest).digest / name
    path.write_bytes(path.read_bytes()[:-2])

    assert not dataset(places, digest).made_already
    assert dataset(places, digest).made_already


def test_a_dataset_that_is_found_tells_of_the_latest_reading(places):
    stream = sources(places, synthetic_rows=1_200).open("synthetic")
    embedded_store(places.database).interactions.import_interactions(stream, now=NOW)
    snapshot = take_snapshot(places, "embedded", sources(places))
    dataset(places, snapshot.digest)
    path = snapshot.path.with_name("snapshot.json")
    later = snapshot.snapshot.model_copy(update={"watermark": "9999/9999"})
    path.write_bytes(made.seal(later.model_dump(mode="json")))

    again = dataset(places, snapshot.digest)
    assert again.made_already
    assert again.report.watermark == read_report(places.datasets_dir, again.digest).watermark == "9999/9999"


def test_other_code_finds_nothing(places, monkeypatch):
    generated(places)
    monkeypatch.setattr(made, "code_digest", lambda: "0" * 64)

    assert not generated(places).made_already


def test_an_index_that_was_altered_or_deleted_finds_nothing(places):
    generated(places)
    (entry,) = (places.made_dir / "raw_training_data").glob("*.json")
    entry.write_text(entry.read_text().replace("1200", "1201"))
    assert not generated(places).made_already
    entry.unlink()
    assert not generated(places).made_already


def test_the_code_that_makes_something_is_all_but_what_keeps_starts_or_shows(tmp_path):
    for name in ("training/fit.py", "stores/store.py", "cli/run.py", "a_new_room/law.py", "digests.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("ONE = 1\n")

    def changed_by(name):
        before = code_version.digest_of_package(tmp_path)
        (tmp_path / name).write_text((tmp_path / name).read_text() + "TWO = 2\n")
        return code_version.digest_of_package(tmp_path) != before

    assert all(map(changed_by, ("training/fit.py", "a_new_room/law.py", "digests.py")))
    assert not any(map(changed_by, ("stores/store.py", "cli/run.py")))
