"""What follows from a look: each rule by itself, and what no evidence may ever lead to."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spots_ml.errors import ConfigError
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.weighing.outlook import outlook
from spots_ml.experiments.weighing.ramp import decide_rollout
from spots_ml_tests.experiments.unit_tables import T0, event, events_until, known, periods, rollout


def decided(evidence, *, stage=1, status="running", days=12.0, events=None, withheld=None, **changes):
    when = (stage - 1) * 20 + days
    return decide_rollout(
        rollout(stage=stage, status=status, **changes),
        events_until(stage) if events is None else events,
        evidence,
        now=T0 + timedelta(days=when),
        withheld=withheld,
    )


def test_not_much_worse_widens_the_first_stage():
    decision = decided(known(not_much_worse=5.0))
    assert decision.step == "widen" and "from 10% to 50%" in decision.told
    assert decision.change is not None and decision.change.action == "widened" and decision.change.cause == "evidence"


def test_better_promotes_out_of_the_last_stage_and_only_widens_the_first():
    assert decided(known(2, benefit=5.0), stage=2).change.action == "promoted"
    assert decided(known(1, benefit=9.0, not_much_worse=9.0)).step == "widen"
    assert decided(known(1, benefit=9.0)).step == "hold"


def test_what_the_registry_gives_no_more_traffic_is_neither_widened_nor_promoted_and_says_why():
    why = "compared with the active v1.0-real it was not good enough (worse)"
    for stage in (1, 2):
        decision = decided(known(stage, benefit=9.0, not_much_worse=9.0), stage=stage, withheld=why)
        assert decision.step == "hold" and why in decision.told and "spots-ml bless" in decision.told
        assert decided(known(stage, harm=9.0), stage=stage, withheld=why).step == "roll_back"
        assert decided(known(stage, benefit=9.0), stage=stage, days=60.0, withheld=why).step == "end"


def test_harm_rolls_back_at_once_in_every_stage_also_while_paused():
    for stage in (1, 2):
        for status in ("running", "paused"):
            change = decided(known(stage, harm=5.0, benefit=9.0, not_much_worse=9.0), stage=stage, status=status).change
            assert (change.action, change.cause) == ("rolled_back", "harm")


def test_a_guardrail_rolls_back_and_says_which():
    change = decided(known(guardrail=5.0, not_much_worse=9.0)).change
    assert (change.action, change.cause) == ("rolled_back", "guardrail") and "negative" in change.reason


def test_too_few_units_of_an_arm_of_this_stage_hold():
    assert decided(known(not_much_worse=9.0, n_units=(49, 900))).step == "hold"
    assert decided(known(2, benefit=9.0, n_units=(900, 49)), stage=2).step == "hold"
    assert decided(known(1, benefit=9.0), stage=2).step == "hold"


def test_agents_that_come_otherwise_than_assigned_freeze_and_then_roll_back():
    alarm = known(sample_ratio=5.0, not_much_worse=9.0)
    change = decided(alarm).change
    assert (change.action, change.cause) == ("paused", "sample_ratio")
    frozen = [*events_until(1), event(2, "paused", days=12.0, cause="sample_ratio")]
    waits = decided(alarm, status="paused", events=frozen, days=14.9)
    assert waits.step == "hold" and "2026-11-16" in waits.told
    after = decided(alarm, status="paused", events=frozen, days=15.0).change
    assert (after.action, after.cause) == ("rolled_back", "sample_ratio")


def test_an_alarm_that_a_person_resumed_after_counts_again_when_as_much_has_come_once_more():
    events = [
        *events_until(1),
        event(2, "paused", days=12.0, cause="sample_ratio"),
        event(3, "resumed", days=13.0, cause="by_hand"),
    ]
    assert decided(known(sample_ratio=7.9), events=events).step == "hold"
    assert decided(known(sample_ratio=8.1), events=events).step == "freeze"


def test_what_a_person_paused_is_not_rolled_back_by_the_grace():
    paused = [*events_until(1), event(2, "paused", days=1.0, cause="by_hand")]
    decision = decided(known(sample_ratio=5.0), status="paused", events=paused, days=30.0)
    assert decision.step == "hold" and decision.change is None


def test_decisions_that_were_not_made_as_assigned_hold():
    evidence = known(2, benefit=9.0, otherwise_share=0.11)
    assert decided(evidence, stage=2).step == "hold" and "11.0%" in decided(evidence, stage=2).told
    assert decided(known(2, benefit=9.0, otherwise_share=0.1), stage=2).step == "promote"


def test_after_the_longest_duration_it_ends_unless_it_is_promoted_by_then():
    for status in ("running", "paused"):
        change = decided(known(2), stage=2, status=status, days=40.0).change
        assert (change.action, change.cause) == ("ended", "too_long")
    assert decided(known(2, benefit=5.0), stage=2, days=40.0).step == "promote"


def test_it_ends_where_nothing_more_will_come_to_tell():
    nobody_left = known(2, effect=0.005, entered_by_day=(900, 90, 9, 1, *[0] * 16))
    change = decided(nobody_left, stage=2, days=20.0).change
    assert (change.action, change.cause) == ("ended", "futile") and "chance" in change.reason


def test_it_ends_where_there_will_never_be_enough_units_of_an_arm():
    change = decided(known(not_much_worse=9.0, n_units=(12, 110), entered_by_day=(122, *[0] * 12)), days=13.0).change
    assert (change.action, change.cause) == ("ended", "futile")


def test_evidence_that_lags_behind_its_forecast_is_not_waited_for_in_vain():
    """By its standard error the effect would be enough, by the evidence it is not, and nobody comes any more."""
    evidence = known(not_much_worse=3.0, effect=0.1, n_units=(66, 600), entered_by_day=(600, 60, 6, *[0] * 12))
    assert decided(evidence, days=15.0).step == "end"
    assert decided(evidence.model_copy(update={"spread": 0.1}), days=15.0).step == "end"


@pytest.mark.parametrize("hours", [0.0, 1.0, 30.0])
def test_a_stage_is_not_given_up_because_nobody_came_in_its_first_hours(hours):
    evidence = known(2, effect=0.06, entered_by_day=(0,) if hours < 24.0 else (2, 0))
    assert decided(evidence, stage=2, days=hours / 24.0).step == "hold"


def test_a_quiet_weekend_is_no_end_of_arrivals():
    week = (100, 100, 100, 100, 100, 3, 3)
    evidence = known(2, effect=0.06, n_units=(60, 75), entered_by_day=(*week, *week))
    assert decided(evidence, stage=2, days=14.0).step == "hold"


def test_it_goes_on_while_little_is_known_whatever_it_looks_like():
    assert decided(known(effect=-0.2, n_units=(2, 20))).step == "hold"


def test_holding_says_when_more_will_be_known():
    told = decided(known(effect=0.06, entered_by_day=(100,) * 12)).told
    assert "known at about 2026-1" in told and "widened at about 2026-11-" in told
    empty = known(effect=None, spread=None, n_units=(0, 0), entered_by_day=(100,))
    assert "first units of this stage are whole at about 2026-11-10" in decided(empty, days=0.5).told


def test_what_is_over_is_not_decided_about():
    with pytest.raises(ConfigError, match="running or paused"):
        decided(known(), status="promoted")


def test_more_agents_or_a_larger_effect_never_make_it_later():
    at = [
        outlook(
            rollout(stage=2),
            periods(2)[-1],
            known(2, effect=effect, entered_by_day=(each,) * 12, n_units=(60, 75)),
            now=T0 + timedelta(days=32),
        ).promoted_at
        for effect, each in ((0.08, 100), (0.1, 100), (0.1, 200))
    ]
    assert None not in at and at == sorted(at, reverse=True) and at[0] > at[-1]


numbers = st.floats(-10.0, 12.0)
evidences = st.builds(
    lambda stage, units, entered, **told: known(stage, n_units=units, entered_by_day=tuple(entered), **told),
    stage=st.sampled_from([1, 2]),
    units=st.tuples(st.integers(0, 2_000), st.integers(0, 2_000)),
    entered=st.lists(st.integers(0, 500), max_size=30),
    benefit=numbers,
    harm=numbers,
    not_much_worse=numbers,
    guardrail=numbers,
    sample_ratio=numbers,
    effect=st.one_of(st.none(), st.floats(-1.0, 1.0)),
    spread=st.one_of(st.none(), st.floats(0.0, 1.0)),
    otherwise_share=st.floats(0.0, 1.0),
)


@given(evidences, st.sampled_from(["running", "paused"]), st.floats(-5.0, 90.0), st.booleans())
@settings(max_examples=400, deadline=None)
def test_what_no_evidence_leads_to(evidence, status, days, frozen):
    stage = evidence.stages[-1].stage
    events = [*events_until(stage), *([event(9, "paused", days=days, cause="sample_ratio")] if frozen else [])]
    now = T0 + timedelta(days=days)
    decision = decide_rollout(rollout(stage=stage, status=status), events, evidence, now=now)
    assert decision == decide_rollout(rollout(stage=stage, status=status), events, evidence, now=now)
    assert decision.told and "\n" not in decision.told and len(decision.told) <= 600
    assert (decision.step == "hold") == (decision.change is None)
    harmful = evidence.harm.rejects or any(each.worse.rejects for each in evidence.guardrails)
    if harmful:
        assert decision.step == "roll_back"
    if decision.step == "promote":
        assert stage == len(RolloutPolicy().shares) and evidence.benefit.rejects
    if decision.step == "widen":
        assert stage < len(RolloutPolicy().shares) and evidence.not_much_worse.rejects
    if decision.step in ("widen", "promote", "freeze"):
        assert status == "running"
    if decision.step in ("widen", "promote"):
        assert not evidence.sample_ratio.rejects and evidence.otherwise_share <= RolloutPolicy().most_otherwise
        assert min(evidence.stages[-1].n_units_treated, evidence.stages[-1].n_units_control) >= 50
