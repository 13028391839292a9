from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from spots_ml.monitoring.retraining import Retrain, RetrainConfig, RetrainState, SourceChoice, Wait, decide
from spots_ml.monitoring.run_history import EndedRun, ModelRuns, RunUnderWay

REGISTERED = datetime(2026, 11, 21, 10, tzinfo=UTC)
DUE_BY_TIME = REGISTERED + timedelta(days=7)
ENDED = REGISTERED + timedelta(days=1)
STORE_AND_GENERATOR = SourceChoice(configured="synthetic", store="embedded")


def answer(*, new_labels=0, days=1.0, config=None, **changes):
    values = {
        "now": REGISTERED + timedelta(days=days),
        "registered_at": REGISTERED,
        "new_labels": new_labels,
        "learned_from_store": True,
        "sources": STORE_AND_GENERATOR,
    }
    return decide(RetrainState(**(values | changes)), config or RetrainConfig())


def ended(number, *, first=0):
    """Runs that ended one second after the other, the last of them at ENDED."""
    return tuple(
        EndedRun(f"run{first + one}", REGISTERED, ENDED - timedelta(seconds=number - 1 - one)) for one in range(number)
    )


def test_nothing_new_waits_and_says_how_far_it_is():
    assert answer() == Wait("0 of 1,000 new labels; next by time on 2026-11-28 10:00 UTC", until=DUE_BY_TIME)


@pytest.mark.parametrize(
    ("new_labels", "days", "reasons"),
    [
        (999, 1, 0),
        (1_000, 1, 1),
        (0, 7 - 1e-6, 0),
        (0, 7, 1),
        (999, 7, 1),
        (1_000, 7, 2),
        (5_000, 8, 2),
    ],
)
def test_it_is_due_at_a_thousand_labels_or_seven_days_both_inclusive(new_labels, days, reasons):
    decision = answer(new_labels=new_labels, days=days)

    assert len(getattr(decision, "reasons", ())) == reasons


def test_the_reasons_are_told():
    told = "1,000 new labels have arrived (threshold 1,000)"
    assert answer(new_labels=1000) == Retrain((told,), "embedded", told)


@pytest.mark.parametrize(("new_labels", "kind"), [(0, Wait), (999, Wait), (1_000, Retrain)])
def test_without_a_version_only_labels_count(new_labels, kind):
    decision = answer(registered_at=None, new_labels=new_labels, days=1000, learned_from_store=False)

    assert isinstance(decision, kind)
    assert getattr(decision, "until", None) is None


@pytest.mark.parametrize(
    ("new_labels", "learned_from_store", "source"),
    [
        (1_000, False, "embedded"),  # enough arrived
        (1_000, True, "embedded"),
        (0, True, "embedded"),  # for good
        (999, False, "synthetic"),
        (0, False, "synthetic"),
    ],
)
def test_it_learns_from_the_store_once_enough_arrived_there_and_before_from_what_is_configured(
    new_labels, learned_from_store, source
):
    decision = answer(new_labels=new_labels, days=8, learned_from_store=learned_from_store)

    assert decision.source == source


def test_the_store_is_the_configured_one():
    assert answer(new_labels=1_000, sources=SourceChoice("export", "supabase")).source == "supabase"
    assert answer(days=8, learned_from_store=False, sources=SourceChoice("export", "supabase")).source == "export"


@pytest.mark.parametrize("reached", [{}, {"new_labels": 10**6}, {"days": 30}])
def test_never_while_a_run_is_in_flight(reached):
    runs = ModelRuns(in_flight=(RunUnderWay("run1", REGISTERED), RunUnderWay("run2", REGISTERED)))
    decision = answer(runs=runs, **reached)

    assert isinstance(decision, Wait)
    assert decision.message.startswith("run run1, run2 is queued or running; ")
    assert decision.until is None


@pytest.mark.parametrize("outcome", ["failed", "refused"])
@pytest.mark.parametrize(("attempts", "hours"), [(1, 0), (2, 1), (3, 2), (4, 4), (6, 16), (7, 24), (1_000, 24)])
def test_what_led_to_no_version_is_tried_again_at_once_first_then_after_doubling_waits(outcome, attempts, hours):
    state = {"new_labels": 1000, "runs": ModelRuns(**{outcome: ended(attempts)})}

    assert isinstance(answer(now=ENDED + timedelta(hours=hours), **state), Retrain)
    if hours:
        early = answer(now=ENDED + timedelta(hours=hours) - timedelta(seconds=1), **state)
        assert isinstance(early, Wait)
        assert early.until == ENDED + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("failed", "refused", "waits", "retries"),
    [
        (1, 0, None, "retry after 1 failed run"),
        (0, 1, None, "retry after 1 refused run"),
        (2, 0, "the last 2 runs failed", "retry after 2 failed runs"),
        (0, 2, "the last 2 runs were refused by a gate", "retry after 2 refused runs"),
        (
            2,
            1,
            "the last 3 runs led to no version (2 failed, 1 refused by a gate)",
            "retry after 2 failed runs and 1 refused run",
        ),
    ],
)
def test_a_refusal_is_told_apart_from_a_failure(failed, refused, waits, retries):
    state = {"new_labels": 1000, "runs": ModelRuns(failed=ended(failed), refused=ended(refused, first=failed))}

    if waits:
        assert f"; but {waits}: next attempt on 2026-11-22 1" in answer(now=ENDED, **state).message
    assert answer(now=ENDED + timedelta(days=1), **state).message.endswith(f"; {retries}")


def test_the_wait_counts_from_the_last_end_whether_it_failed_or_was_refused():
    later = EndedRun("later", REGISTERED, ENDED + timedelta(minutes=30))
    for runs in (ModelRuns(failed=(later,), refused=ended(1)), ModelRuns(failed=ended(1), refused=(later,))):
        assert answer(new_labels=1000, now=ENDED, runs=runs).until == ENDED + timedelta(minutes=90)


def test_failures_alone_are_no_reason():
    assert isinstance(answer(runs=ModelRuns(failed=ended(3))), Wait)


def test_thresholds_come_from_the_configuration():
    config = RetrainConfig(new_labels=5, max_age_days=0.5)

    assert isinstance(answer(new_labels=5, days=0.1, config=config), Retrain)
    assert isinstance(answer(days=0.5, config=config), Retrain)


@pytest.mark.parametrize("wrong", [{"new_labels": 0}, {"max_age_days": 0}, {"days": 7}])
def test_wrong_thresholds_are_refused(wrong):
    with pytest.raises(ValidationError):
        RetrainConfig(**wrong)
