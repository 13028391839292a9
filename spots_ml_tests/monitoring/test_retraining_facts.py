from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from spots_ml.monitoring.retraining import SourceChoice
from spots_ml.monitoring.retraining_facts import retrain_state
from spots_ml.monitoring.run_history import ModelRuns, NoRunHistory, RunUnderWay

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
REGISTERED = NOW - timedelta(days=2)
SOURCES = SourceChoice(configured="synthetic", store="embedded")


@dataclass
class Kept:
    """A registry and a store of 500 labels, of which 120 arrived after any watermark of its own."""

    watermark: str | None = "380/400"
    registered: bool = True
    asked: list = field(default_factory=list)

    def newest(self, model_type):
        self.asked.append(model_type)
        return SimpleNamespace(last_registered_at=REGISTERED, watermark=self.watermark) if self.registered else None

    def own_watermark(self, watermark):
        return None if watermark is None or watermark.startswith("supabase:") else watermark

    def count_labels_after(self, watermark):
        return 500 if watermark is None else 120


class Told:
    """A run history that notes what it was asked."""

    def __init__(self):
        self.runs_of = ModelRuns(in_flight=(RunUnderWay("run1", NOW),))

    def runs(self, model_type, *, now, since):
        self.asked = (model_type, now, since)
        return self.runs_of


def state(kept, runs=None):
    return retrain_state("outcome", versions=kept, labels=kept, runs=runs or Told(), sources=SOURCES, now=NOW)


@pytest.mark.parametrize(
    ("kept", "new_labels", "learned_from_store"),
    [
        (Kept(), 120, True),
        (Kept(watermark=None), 500, False),  # the version learned from a generator or a file
        (Kept(watermark="supabase:9/9"), 500, False),  # its numbers say nothing here
        (Kept(registered=False), 500, False),
    ],
)
def test_labels_count_from_the_newest_versions_own_watermark_and_without_one_from_the_beginning(
    kept, new_labels, learned_from_store
):
    facts = state(kept)

    assert (facts.new_labels, facts.learned_from_store) == (new_labels, learned_from_store)
    assert kept.asked == ["outcome"]


def test_the_history_is_asked_for_what_happened_since_the_registration_in_the_askers_time():
    runs = Told()
    facts = state(Kept(), runs)

    assert runs.asked == ("outcome", NOW, REGISTERED)
    assert (facts.now, facts.registered_at, facts.runs) == (NOW, REGISTERED, runs.runs_of)


def test_before_any_version_the_whole_history_counts():
    runs = Told()
    facts = state(Kept(registered=False), runs)

    assert runs.asked[2] is None
    assert facts.registered_at is None


def test_without_a_run_history_nothing_runs_and_nothing_failed():
    assert state(Kept(), NoRunHistory()).runs == ModelRuns()
