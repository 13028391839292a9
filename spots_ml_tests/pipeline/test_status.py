"""What is live, how it does, what comes next and what needs a person, as a version goes through its life."""

from datetime import timedelta

import pytest

from spots_ml.estimates.estimate import Estimate
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.interactions.kinds import StoreKind
from spots_ml.monitoring.retraining import RetrainConfig, RetrainState, SourceChoice
from spots_ml.monitoring.run_history import EndedRun, ModelRuns
from spots_ml.pipeline.status_step import read_status
from spots_ml.places import Places
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.blessing import bless, promote_blessed
from spots_ml_tests.registry.building import START, hours, register_network
from spots_ml_tests.stores.keeping_performance import row

BY_HAND = RolloutPolicy(auto_start=False)
EMBEDDED: StoreKind = "embedded"


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "data", tmp_path / "artifacts")


@pytest.fixture
def store(places):
    return embedded_store(places.database)


def status(store, places, *, now, failed=(), rollout=None):
    state = RetrainState(
        now=now,
        registered_at=START,
        new_labels=742,
        learned_from_store=True,
        sources=SourceChoice("synthetic", EMBEDDED),
        runs=ModelRuns(failed=tuple(failed)),
    )
    states = {"calling_score": state, "outcome": state}
    found = read_status(
        store,
        places,
        states,
        retraining=RetrainConfig(),
        rollout=rollout or RolloutPolicy(),
        max_fallback_share=0.01,
        now=now,
    )
    return {model.model_type: model for model in found.models}, found


def promote(store, version, at, model_type="calling_score"):
    return promote_blessed(store.versions, model_type, version, now=at, actor="anna", reason="better")


def rate(value, margin=0.02):
    return Estimate(value=value, low=value - margin, high=value + margin, method="binomial", n_rows=900, n_agents=90)


def test_without_any_version_what_stands_in_answers_and_nobody_is_needed(store, places):
    models, found = status(store, places, now=START)
    assert models["calling_score"].answers == "the formula: no version was ever promoted"
    assert models["outcome"].answers == "the outcome rule: no version was ever promoted"
    assert found.needs_person == ()
    assert found.at == START


def test_a_version_that_was_never_compared_waits_for_that_and_a_blessed_one_for_nobody(store, places):
    register_network(store.versions, places.models_dir, active=False)
    models, found = status(store, places, now=hours(1))
    assert models["calling_score"].answers == "the formula: no version was ever promoted"
    assert found.needs_person == ()
    assert models["calling_score"].rollout.endswith("v1.0-synthetic is compared with the formula at the next look")
    (waits,) = status(store, places, now=hours(1), rollout=BY_HAND)[1].needs_person
    assert "v1.0-synthetic is not rolled out: it was never compared with the formula" in waits
    assert "`spots-ml bless calling_score v1.0-synthetic`" in waits
    bless(store.versions, "calling_score", "v1.0-synthetic")
    models, found = status(store, places, now=hours(2))
    assert found.needs_person == ()
    assert models["calling_score"].rollout == "nothing was rolled out yet; next: v1.0-synthetic, by itself"
    (waits,) = status(store, places, now=hours(2), rollout=BY_HAND)[1].needs_person
    assert "waits for somebody to roll it out: `spots-ml rollout start calling_score`" in waits

    bless(store.versions, "calling_score", "v1.0-synthetic", passed=False, sentence="worse at night")
    (told,) = status(store, places, now=hours(1))[1].needs_person
    assert "it was not good enough (worse at night)" in told


def test_a_newer_version_that_is_not_good_enough_needs_nobody_while_another_one_is_live(store, places):
    for number in range(2):
        register_network(store.versions, places.models_dir, version=f"v1.{number}-synthetic", seed=number, active=False)
    promote(store, "v1.0-synthetic", hours(1))
    bless(store.versions, "calling_score", "v1.1-synthetic", passed=False)

    assert status(store, places, now=hours(2))[1].needs_person == ()


def test_a_live_version_is_told_with_its_moment_its_author_and_the_one_before(store, places):
    for number in range(2):
        register_network(store.versions, places.models_dir, version=f"v1.{number}-synthetic", seed=number, active=False)
        promote(store, f"v1.{number}-synthetic", hours(1 + number))
    models, found = status(store, places, now=hours(3))
    assert models["calling_score"].answers == (
        f"v1.1-synthetic, active since {hours(2):%Y-%m-%d %H:%M} UTC (change 5, by anna); before: v1.0-synthetic"
    )
    assert found.needs_person == ()
    store.versions.rollback("calling_score", now=hours(4), actor="ben", reason="worse")
    models, _ = status(store, places, now=hours(5))
    assert models["calling_score"].answers.startswith("v1.0-synthetic, active since")
    assert models["calling_score"].answers.endswith("by ben); before: v1.1-synthetic")


def test_a_newer_version_waits_beside_the_live_one_and_an_older_one_does_not(store, places):
    register_network(store.versions, places.models_dir, version="v1.0-synthetic", seed=1, active=False)
    register_network(store.versions, places.models_dir, version="v1.1-synthetic", seed=2, active=False)
    promote(store, "v1.1-synthetic", hours(1))
    assert status(store, places, now=hours(2), rollout=BY_HAND)[1].needs_person == ()
    register_network(store.versions, places.models_dir, version="v1.2-synthetic", seed=3, active=False)
    (waits,) = status(store, places, now=hours(2), rollout=BY_HAND)[1].needs_person
    assert "v1.2-synthetic is not rolled out" in waits


LIVE, BEFORE = "calling_score v1.1-synthetic", "calling_score v1.0-synthetic"


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        (0.50, 0.40, "better: +10.0 points (+7.2 to +12.8) against formula"),
        (0.40, 0.50, "worse: -10.0 points (-12.8 to -7.2) against formula"),
        (0.41, 0.40, "no difference can be told: +1.0 points (-1.8 to +3.8) against formula"),
    ],
)
def test_how_it_did_is_a_difference_with_its_interval_and_a_sentence(store, places, ours, theirs, told):
    live(store, places)
    keep(store, {LIVE: rate(ours), "formula": rate(theirs), BEFORE: None})
    formula, before = status(store, places, now=hours(30))[0]["calling_score"].comparisons
    assert formula.sentence == told
    assert before.other == BEFORE
    assert before.sentence.startswith(f"not comparable with {BEFORE}: no matured outcomes of {BEFORE}")


def test_few_agents_and_replayed_decisions_prove_nothing(store, places):
    live(store, places)
    alone = Estimate(value=1.0, low=None, high=None, method="none", n_rows=2, n_agents=1)
    keep(store, {LIVE: alone, "formula": rate(0.4)})
    formula = status(store, places, now=hours(30))[0]["calling_score"].comparisons[0]
    assert formula.sentence == "+60.0 points against formula, from too few agents for an interval: nothing can be told"


def test_replayed_days_are_no_evidence(store, places):
    live(store, places)
    keep(store, {LIVE: rate(0.5), "formula": rate(0.4)}, origin="replayed")
    assert status(store, places, now=hours(30))[0]["calling_score"].comparisons == ()


def test_what_phones_decided_is_evidence_of_its_own(store, places):
    live(store, places)
    keep(store, {LIVE: rate(0.5), "formula": rate(0.4)}, origin="phone")
    formula, before = status(store, places, now=hours(30))[0]["calling_score"].comparisons
    assert (formula.origin, before.origin) == ("phone", "phone")
    assert formula.sentence == "by what phones decided: better: +10.0 points (+7.2 to +12.8) against formula"
    keep(store, {LIVE: rate(0.40), "formula": rate(0.5)})
    served, _, phones, _ = status(store, places, now=hours(30))[0]["calling_score"].comparisons
    assert served.sentence.startswith("worse: ") and phones == formula


def test_what_is_wrong_is_named(store, places):
    live(store, places)
    keep(store, {LIVE: rate(0.5)}, fallback_rate=rate(0.2))
    (places.models_dir / "calling_score" / "v1.1-synthetic" / "model.onnx").unlink()
    failed = [EndedRun("r1", hours(1), hours(2), told="the disk is full")]
    found = status(store, places, now=hours(30), failed=failed)[1].needs_person
    assert [
        one for one in found if one.startswith("calling_score: v1.1-synthetic is live, but its files are unreadable")
    ]
    assert "calling_score: its last run failed: the disk is full" in found
    assert [one for one in found if "20.0% of 100 decisions fell back" in one]


def test_a_live_version_that_nobody_measures_and_a_clock_that_is_ahead_are_named(store, places):
    live(store, places)
    assert not [one for one in status(store, places, now=hours(40))[1].needs_person if "measured" in one]
    (told,) = [one for one in status(store, places, now=hours(60))[1].needs_person if "measured" in one]
    assert "nothing that it decided was measured since it is active" in told
    (told,) = status(store, places, now=START - timedelta(days=2))[1].needs_person
    assert "lies ahead: somebody's clock is wrong" in told


def live(store, places):
    for number in range(2):
        register_network(store.versions, places.models_dir, version=f"v1.{number}-synthetic", seed=number, active=False)
        promote(store, f"v1.{number}-synthetic", hours(1))


def keep(store, rates, *, origin="served", **changes):
    rows = [
        row(day=START.day, arm=arm, origin=origin, positive_outcome_rate=value, **changes)
        for arm, value in rates.items()
        if value is not None
    ]
    store.performance.save_performance(rows, now=START)
