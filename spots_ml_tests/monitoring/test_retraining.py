from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from spots_ml.monitoring.causes.learning_curve import CurvePoint
from spots_ml.monitoring.causes.requests import OpenRequest, Taking
from spots_ml.monitoring.refusals import KeptRefusal
from spots_ml.monitoring.refused_before import RefusedBefore
from spots_ml.monitoring.retraining import Retrain, RetrainConfig, RetrainState, SourceChoice, Wait, decide
from spots_ml.monitoring.run_history import EndedRun, ModelRuns, RunUnderWay
from spots_ml_tests.stores.keeping_refusals import refused
from spots_ml_tests.stores.keeping_watches import watch

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


def test_a_version_of_a_clock_ahead_has_no_age_and_labels_alone_count():
    ahead = answer(days=-10)
    assert ahead == Wait(
        "0 of 1,000 new labels; the newest version says that it was registered on 2026-11-21 10:00 UTC, which lies "
        "ahead: its age is not known, so not by time until then"
    )
    assert isinstance(answer(days=-10, new_labels=1000), Retrain)


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


@pytest.mark.parametrize(("attempts", "hours"), [(1, 0), (2, 1), (3, 2), (4, 4), (6, 16), (7, 24), (1_000, 24)])
def test_what_failed_is_tried_again_at_once_first_then_after_doubling_waits(attempts, hours):
    state = {"new_labels": 1000, "runs": ModelRuns(failed=ended(attempts))}

    assert isinstance(answer(now=ENDED + timedelta(hours=hours), **state), Retrain)
    if hours:
        early = answer(now=ENDED + timedelta(hours=hours) - timedelta(seconds=1), **state)
        assert isinstance(early, Wait)
        assert early.until == ENDED + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("failed", "waits", "retries"),
    [
        (1, None, "retry after 1 failed run"),
        (2, "the last 2 runs failed", "retry after 2 failed runs"),
    ],
)
def test_failures_are_told(failed, waits, retries):
    state = {"new_labels": 1000, "runs": ModelRuns(failed=ended(failed))}

    if waits:
        assert f"; but {waits}: next attempt on 2026-11-22 1" in answer(now=ENDED, **state).message
    assert answer(now=ENDED + timedelta(days=1), **state).message.endswith(f"; {retries}")


def test_a_thousand_corrections_are_a_reason_of_their_own():
    assert isinstance(answer(corrections=999), Wait)
    decision = answer(corrections=1_000)
    assert decision.reasons == ("1,000 labels were corrected (threshold 1,000)",)
    assert decision.source == "embedded"
    assert answer(corrections=5, config=RetrainConfig(corrected_labels=5)).reasons == (
        "5 labels were corrected (threshold 5)",
    )


def test_corrections_on_their_way_are_told():
    assert answer(corrections=7).message.startswith("0 of 1,000 new labels; 7 of 1,000 corrected; next by time on ")


def before(*, step="trained_model", watermark="1500/1500", refused_at=ENDED, **changes):
    refusal = KeptRefusal(**refused(step=step, watermark=watermark).model_dump(), number=1, refused_at=refused_at)
    return RefusedBefore(refusal, **changes)


def after_refusal(*, days=1.0, source="embedded", **changes):
    return answer(new_labels=1_500, now=ENDED + timedelta(days=days), refused={source: before(**changes)})


def test_what_a_gate_refused_is_not_tried_again_on_the_same():
    decision = after_refusal(days=5)

    assert decision == Wait(
        "1,500 new labels have arrived (threshold 1,000); but the gate 'beats_baselines' refused on 2026-11-22 10:00 "
        "UTC this very data, code and configuration: worse than the constant; 0 new labels since; tried again when "
        "more arrive, when code or configuration change",
        until=None,
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"new_labels": 1_000},
            "1,000 labels have arrived since what the gate 'beats_baselines' refused on 2026-11-22",
        ),
        ({"new_corrections": 1_000}, "1,000 labels were corrected since what the gate"),
        ({"changed": ("the code",)}, "the code is not what the gate"),
        ({"changed": ("the code", "the configuration")}, "the code and the configuration are not what the gate"),
    ],
)
def test_it_is_tried_at_once_when_data_code_or_configuration_change_and_says_which(changes, told):
    arrived = changes.pop("new_labels", 0)
    refusal = {"embedded": before(new_labels=arrived, **changes)}
    decision = answer(new_labels=1_500 + arrived, now=ENDED, refused=refusal)

    assert isinstance(decision, Retrain)
    assert f"; {told}" in decision.message


@pytest.mark.parametrize(
    ("arrived", "days", "tried"), [(0, 100, False), (1, 6.99, False), (1, 7, True), (999, 6, False)]
)
def test_after_the_longest_age_one_new_label_is_enough_and_none_is_not(arrived, days, tried):
    refusal = {"embedded": before(new_labels=arrived)}
    decision = answer(new_labels=1_500 + arrived, now=ENDED + timedelta(days=days), refused=refusal)

    assert isinstance(decision, Retrain if tried else Wait)
    if not tried:
        assert decision.until == (ENDED + timedelta(days=7) if arrived else None)


def test_a_refusal_is_about_the_source_that_would_be_learned_from():
    assert isinstance(after_refusal(source="synthetic", watermark=None), Retrain)
    assert isinstance(answer(days=30, learned_from_store=False, refused={"synthetic": before(watermark=None)}), Wait)


@pytest.mark.parametrize("step", ["onnx_model", "latency_benchmark"])
@pytest.mark.parametrize(("times", "hours"), [(1, 1), (2, 2), (4, 8), (6, 24), (1_000, 24)])
def test_a_gate_that_judges_the_machine_is_asked_again_after_doubling_waits(step, times, hours):
    def at(moment):
        return answer(new_labels=1_500, now=moment, refused={"embedded": before(step=step, times=times)})

    assert isinstance(at(ENDED + timedelta(hours=hours)), Retrain)
    early = at(ENDED + timedelta(hours=hours, seconds=-1))
    assert isinstance(early, Wait) and early.until == ENDED + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("changes", "kind"), [({"step": "latency_benchmark"}, Retrain), ({"new_labels": 1}, Retrain), ({}, Wait)]
)
def test_the_moment_of_a_refusal_that_a_clock_ahead_told_holds_nothing_up(changes, kind):
    ahead = before(refused_at=ENDED + timedelta(days=3_000), **changes)

    assert isinstance(answer(new_labels=1_501, now=ENDED, refused={"embedded": ahead}), kind)


def test_failures_are_waited_with_even_when_a_refusal_no_longer_answers():
    decision = answer(
        new_labels=13_500, now=ENDED, refused={"embedded": before(new_labels=12_000)}, runs=ModelRuns(failed=ended(2))
    )
    assert "the last 2 runs failed" in decision.message


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


def asked(number=7, *, taken_by=None, ago=timedelta(0), **changes):
    """An open request, taken some time before REGISTERED plus a day."""
    taking = Taking(1, taken_by, REGISTERED + timedelta(days=1) - ago) if taken_by else None
    values = {"model_type": "outcome", "reason": "a new season", "actor": "maria", "asked_at": REGISTERED}
    return OpenRequest(**(values | changes), number=number, taking=taking)


def test_a_request_makes_it_due_and_is_to_be_taken_first():
    decision = answer(requests=(asked(),))

    assert decision.message == "maria asked for it (request 7): a new season"
    assert (decision.requests, decision.only_asked, decision.anew) == ((asked(),), True, False)


def test_what_is_due_anyway_takes_the_requests_with_it():
    decision = answer(new_labels=1_000, requests=(asked(), asked(8)))

    assert (len(decision.reasons), decision.requests, decision.only_asked) == (3, (asked(), asked(8)), False)


@pytest.mark.parametrize(
    ("taken_by", "ago", "is_due"),
    [
        ("us", timedelta(minutes=4), False),  # its run may be about to appear
        ("us", timedelta(minutes=5), True),  # no run came of it
        ("others", timedelta(hours=23), False),
        ("others", timedelta(hours=24), True),
        ("others", -timedelta(hours=23), False),
        ("others", -timedelta(days=400), True),  # told by a wrong clock
    ],
)
def test_a_taken_request_is_taken_again_only_when_nothing_can_come_of_it_any_more(taken_by, ago, is_due):
    decision = answer(requests=(asked(taken_by=taken_by, ago=ago),), taker="us")

    assert isinstance(decision, Retrain) == is_due
    if not is_due:
        assert "; request 7 taken on " in decision.message and decision.message.endswith(", not answered yet")


def test_while_a_run_is_under_way_a_request_waits():
    runs = ModelRuns(in_flight=(RunUnderWay("run1", REGISTERED),))

    assert answer(requests=(asked(),), runs=runs).message.startswith("run run1 is queued or running; ")


def test_a_request_does_not_step_around_a_refusal_unless_it_says_so():
    refused_before = {"embedded": RefusedBefore(KeptRefusal(**refused().model_dump(), number=1, refused_at=REGISTERED))}

    held = answer(requests=(asked(),), refused=refused_before)
    assert isinstance(held, Wait)
    assert "; but the gate 'beats_baselines' refused on " in held.message
    assert held.message.endswith("; request 7 did not ask for it anew (--anew)")

    tried = answer(requests=(asked(), asked(8, anew=True)), refused=refused_before)
    assert tried.anew and "; request 8 asked for it anew, although the gate 'beats_baselines' refused " in tried.message


def test_a_new_request_does_not_wait_after_failures_and_a_taken_one_does():
    failed = ModelRuns(failed=ended(3))

    assert isinstance(answer(requests=(asked(),), runs=failed), Retrain)
    taken = answer(requests=(asked(taken_by="us", ago=timedelta(minutes=9)),), runs=failed, taker="us")
    assert "the last 3 runs failed" in taken.message


def drifted(*days):
    return tuple(watch(day, topic="drift", told="5 inputs have drifted") for day in days)


def test_drift_calls_for_a_retraining_when_it_was_found_on_enough_days_and_none_was_made_since():
    registration = {"last_registration": 3, "days": 2}  # the 23rd

    assert isinstance(answer(watches=drifted(20, 22), **registration), Wait)
    decision = answer(watches=drifted(18, 20, 22), **registration)
    assert decision.message == "what it is asked about has drifted: 5 inputs have drifted"
    assert isinstance(answer(watches=drifted(18, 20, 22), last_registration=4, days=2), Wait)


def test_a_fall_of_performance_calls_for_one_at_once():
    decision = answer(watches=(watch(22),), last_registration=3, days=2)
    assert decision.reasons == ("its performance fell: its lead is gone",)


def test_what_was_refused_is_not_trained_again_for_a_drift_that_it_already_contains():
    before = KeptRefusal(**refused().model_dump(), number=1, refused_at=REGISTERED + timedelta(days=1))
    causes = {"watches": (*drifted(20, 21, 22), watch(22)), "last_registration": 3, "days": 2}

    held = answer(refused={"embedded": RefusedBefore(before)}, **causes)
    assert isinstance(held, Wait) and "; but the gate 'beats_baselines' refused on " in held.message
    newer = answer(refused={"embedded": RefusedBefore(before, new_labels=1_000)}, **causes)
    assert isinstance(newer, Retrain)


@pytest.mark.parametrize("values", [{"drift_days": 8}, {"drift_of_days": 15}, {"tolerated_loss": -0.1}])
def test_days_of_days_and_shares_are_checked(values):
    with pytest.raises(ValidationError):
        RetrainConfig(**values)


CURVE = tuple(CurvePoint(n, 0.02 + 0.5 / n**0.5) for n in (1_000, 1_500, 2_200, 3_100, 4_500))
ADAPTIVE = {"least_labels": 100, "most_labels": 5_000, "worthwhile_gain": 0.02}


def test_the_threshold_adapts_only_where_it_is_configured():
    assert answer(new_labels=400, curve=CURVE).message.startswith("400 of 1,000 new labels; ")

    decision = answer(new_labels=400, curve=CURVE, config=RetrainConfig(**ADAPTIVE))
    assert decision.message.startswith("400 of 744 new labels (the curve of 5 versions, 0.02 + 0.5 / n^0.5, has at")
    due = answer(new_labels=744, curve=CURVE, config=RetrainConfig(**ADAPTIVE))
    assert due.message.startswith("744 new labels have arrived (threshold 744; the curve of 5 versions")


def test_without_enough_versions_the_fixed_number_counts_and_it_is_said_why():
    decision = answer(new_labels=400, curve=CURVE[:4], config=RetrainConfig(**ADAPTIVE))
    assert decision.message.startswith("400 of 1,000 new labels (fixed: a learning curve needs 5 versions")


def test_what_makes_refused_data_new_adapts_as_well():
    before = RefusedBefore(KeptRefusal(**refused().model_dump(), number=1, refused_at=REGISTERED), new_labels=744)
    values = {"new_labels": 2_000, "refused": {"embedded": before}, "curve": CURVE}

    assert isinstance(answer(**values), Wait)
    assert isinstance(answer(**values, config=RetrainConfig(**ADAPTIVE)), Retrain)


@pytest.mark.parametrize("values", [{"least_labels": 5}, {"most_labels": 5}, {"least_labels": 6, "most_labels": 5}])
def test_bounds_of_the_threshold_come_in_pairs(values):
    with pytest.raises(ValidationError):
        RetrainConfig(**values)
