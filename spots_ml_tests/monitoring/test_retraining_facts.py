import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from spots_ml.monitoring.causes.learning_curve import CurvePoint
from spots_ml.monitoring.refusals import KeptRefusal, Recipe
from spots_ml.monitoring.retraining import SourceChoice
from spots_ml.monitoring.retraining_facts import RefusalFacts, retrain_state
from spots_ml.monitoring.run_history import ModelRuns, NoRunHistory, RunUnderWay
from spots_ml_tests.stores.keeping_refusals import RECIPE, refused

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
REGISTERED = NOW - timedelta(days=2)
SOURCES = SourceChoice(configured="synthetic", store="embedded")


OTHER_CODE = Recipe(code_digest="e" * 64, config_digest=RECIPE.config_digest)
OTHER_SETTINGS = Recipe(code_digest=RECIPE.code_digest, config_digest="e" * 64)


@dataclass
class Kept:
    """A registry and a store of 2,000 labels, numbered as they arrived; every tenth of them was corrected at once."""

    of_store: str | None = "1880/1900"
    newest_of_all: bool = True
    asked: list = field(default_factory=list)

    def newest(self, model_type, *, learned_from=None):
        self.asked.append((model_type, learned_from))
        if learned_from is not None:
            registered_at, watermark = REGISTERED - timedelta(days=1), self.of_store
            return watermark and SimpleNamespace(last_registered_at=registered_at, watermark=watermark)
        return (
            SimpleNamespace(last_registered_at=REGISTERED, watermark=None, last_registered_sequence=3)
            if self.newest_of_all
            else None
        )

    def list_versions(self, model_type=None):
        named = (("1000/1000", 0.03, 1_000), ("supabase:7/7", 0.02, 2_000), (None, 0.02, 3_000), ("9/9", None, 4_000))
        return tuple(
            SimpleNamespace(watermark=mark, n_labelled=n, metrics={} if error is None else {"brier": error})
            for mark, error, n in named
        )

    def own_watermark(self, watermark):
        return None if watermark is None or watermark.startswith("supabase:") else watermark

    def count_labels_after(self, watermark):
        return 2_000 - (0 if watermark is None else int(watermark.partition("/")[0]))

    def count_corrections_after(self, watermark):
        return self.count_labels_after(watermark) // 10


class Told:
    """A run history that notes what it was asked."""

    name = "one history"

    def __init__(self):
        self.runs_of = ModelRuns(in_flight=(RunUnderWay("run1", NOW),))

    def runs(self, model_type, *, store, now, since):
        self.asked = (model_type, store, now, since)
        return self.runs_of


@dataclass
class Refused:
    """A log of refusals, newest first as it answers, and what would be made now."""

    known: tuple = ()
    snapshot: str | None = "a" * 64

    def last_refusals(self, model_type, *, limit=100):
        return tuple(
            KeptRefusal(**one.model_dump(), number=len(self.known) - place, refused_at=NOW)
            for place, one in enumerate(self.known)
        )

    def recipe(self, step):
        return RECIPE

    def snapshot_digest(self, source):
        return self.snapshot


def state(kept, runs=None, refusals=None):
    log = refusals or Refused()
    return retrain_state(
        "outcome",
        versions=kept,
        labels=kept,
        runs=runs or Told(),
        refusals=RefusalFacts(log, log),
        requests=SimpleNamespace(open_requests=lambda model_type: ()),
        watches=SimpleNamespace(read_watches=lambda model_type, since, until: ()),
        sources=SOURCES,
        now=NOW,
    )


@pytest.mark.parametrize(
    ("kept", "new_labels", "corrections", "learned_from_store"),
    [
        (Kept(), 120, 12, True),  # although a version of generated data is newer
        (Kept(of_store=None), 2_000, 0, False),
        (Kept(of_store=None, newest_of_all=False), 2_000, 0, False),
    ],
)
def test_labels_count_from_the_newest_version_that_learned_from_this_store_whatever_was_registered_since(
    kept, new_labels, corrections, learned_from_store
):
    facts = state(kept)

    assert (facts.new_labels, facts.corrections, facts.learned_from_store) == (
        new_labels,
        corrections,
        learned_from_store,
    )
    assert kept.asked[0] == ("outcome", "embedded")


def test_age_is_that_of_the_version_that_learned_from_this_store_and_without_one_of_the_newest():
    assert state(Kept()).registered_at == REGISTERED - timedelta(days=1)
    assert state(Kept(of_store=None)).registered_at == REGISTERED


def test_the_history_is_asked_for_this_store_since_the_registration_in_the_askers_time():
    runs = Told()
    facts = state(Kept(of_store=None), runs)

    assert runs.asked == ("outcome", "embedded", NOW, REGISTERED)
    assert (facts.now, facts.registered_at, facts.runs) == (NOW, REGISTERED, runs.runs_of)


def test_a_version_of_a_clock_ahead_hides_no_failure(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "REGISTERED", NOW + timedelta(days=10))
    runs = Told()
    state(Kept(of_store=None), runs)

    assert runs.asked[3] is None


def test_before_any_version_the_whole_history_counts():
    runs = Told()
    facts = state(Kept(of_store=None, newest_of_all=False), runs)

    assert runs.asked[3] is None
    assert facts.registered_at is None


def test_without_a_run_history_nothing_runs_and_nothing_failed():
    assert state(Kept(), NoRunHistory()).runs == ModelRuns()


def test_a_refusal_is_told_with_what_has_arrived_since():
    facts = state(Kept(of_store=None), refusals=Refused((refused(watermark="1500/1500"),)))

    before = facts.refused["embedded"]
    assert (before.new_labels, before.new_corrections, before.changed, before.times) == (500, 50, (), 1)
    assert "synthetic" not in facts.refused


@pytest.mark.parametrize(("recipe", "changed"), [(OTHER_CODE, ("the code",)), (OTHER_SETTINGS, ("the configuration",))])
def test_what_was_refused_with_other_code_or_settings_is_told_as_that(recipe, changed):
    facts = state(Kept(of_store=None), refusals=Refused((refused(recipe=recipe),)))

    assert facts.refused["embedded"].changed == changed


def test_what_somebody_tried_by_hand_does_not_hide_the_refusal_of_what_would_be_tried_now():
    log = Refused((refused(recipe=OTHER_SETTINGS, watermark="1900/1900"), refused(watermark="1500/1500")))
    facts = state(Kept(of_store=None), refusals=log)

    assert (facts.refused["embedded"].refusal.number, facts.refused["embedded"].changed) == (1, ())


def test_refusals_of_the_very_same_are_counted():
    log = Refused((refused(), refused(recipe=OTHER_CODE), refused(), refused(snapshot_digest="f" * 64)))

    assert state(Kept(of_store=None), refusals=log).refused["embedded"].times == 2


@pytest.mark.parametrize(
    ("watermark", "says_something"), [("1879/1900", False), ("1880/1900", True), ("1900/1950", True)]
)
def test_a_version_that_learned_from_later_data_makes_a_refusal_void(watermark, says_something):
    facts = state(Kept(of_store="1880/1900"), refusals=Refused((refused(watermark=watermark),)))

    assert ("embedded" in facts.refused) == says_something


def test_what_was_refused_of_another_kind_of_store_says_nothing_here():
    assert state(Kept(), refusals=Refused((refused(watermark="supabase:1900/1900"),))).refused == {}


@pytest.mark.parametrize(
    ("snapshot", "changed"),
    [
        ("a" * 64, ()),
        ("b" * 64, ("the content of the source 'synthetic'",)),
        (None, ("the content of the source 'synthetic'",)),
    ],
)
def test_of_a_source_that_is_no_store_the_content_decides(snapshot, changed):
    facts = state(Kept(), refusals=Refused((refused(watermark=None),), snapshot=snapshot))

    assert facts.refused["synthetic"].changed == changed
    assert "embedded" not in facts.refused


def test_the_learning_curve_is_that_of_the_versions_that_learned_from_this_store_and_say_their_error():
    assert state(Kept()).curve == (CurvePoint(1_000, 0.03),)
