"""The main job as a person starts it: a second one waits for the first, and says for which."""

import threading

import dagster as dg
import pytest

from spots_ml.defs.history.home import open_instance
from spots_ml.defs.history.runs import PROCESS_TAG, STORE_TAG, this_process
from spots_ml.defs.main_job import run_training
from spots_ml.files import exclusive
from spots_ml.settings import Settings


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A source that is not there, so that a run ends at once."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    missing = tmp_path / "export.json"
    return Settings(
        data_dir=tmp_path / "data", artifacts_dir=tmp_path / "artifacts", source="export", export_path=missing
    )


def test_a_second_run_says_which_one_it_waits_for_and_then_goes_its_way(settings):
    @dg.job(name="training")
    def training(): ...

    with open_instance() as instance:
        started = dg.DagsterRunStatus.STARTED
        under_way = instance.create_run_for_job(training, status=started, tags={PROCESS_TAG: this_process()})
    told, said, ended = [], threading.Event(), []

    def second():
        ended.append(run_training(settings, on_wait=lambda sentence: (told.append(sentence), said.set())))

    with exclusive(settings.places.run_lock):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert said.wait(60)
        assert told == [
            f"run {under_way.run_id} is under way in {settings.data_dir}; this one waits until it has ended"
        ]
        assert not ended
    waiting.join(60)
    (outcome,) = ended
    with open_instance() as instance:
        run = instance.get_run_by_id(outcome.run_id)
    assert run.status is dg.DagsterRunStatus.FAILURE and "export.json" in outcome.problems[0]
    assert run.tags[STORE_TAG] == "embedded"
    assert run.tags[".dagster/repository"] == "__repository__@spots_ml"
