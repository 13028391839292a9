"""One unit per fresh agent and stage: what it holds, who is treated, and that nothing changes it once it is written."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from spots_ml.experiments.decided import decided_once
from spots_ml.experiments.policy import LEAST_MATURITY_HOURS, OutcomeValues, RolloutPolicy
from spots_ml.experiments.rollout import StagePeriod
from spots_ml.experiments.unit_finding import EARLIER, find_units, needed_since
from spots_ml.experiments.units import NEW_UNITS
from spots_ml.scoring.assignment import group_of, place_of
from spots_ml.scoring.decision_log.fields import DECISIONS_WITH_OUTCOMES
from spots_ml.scoring.decision_log.phone_claims import REPORTED_WITHIN
from spots_ml_tests.experiments.units_of_a_world import (
    CHALLENGER,
    DAY,
    HOUR,
    SALT,
    STAGE_1,
    START,
    TWO_STAGES,
    WHOLE,
    decision,
    known_by,
    nothing_known,
    outcome,
    rollout,
    table,
    units,
    world,
)
from spots_ml_tests.scoring.phone_reports import reports

HYBRID = [f"agent-{number}" for number in range(200) if group_of(f"agent-{number}") == "hybrid"]
TREATED = [agent for agent in HYBRID if place_of(agent, SALT) < 0.1]
CONTROL = [agent for agent in HYBRID if place_of(agent, SALT) >= 0.5]
BETWEEN = [agent for agent in HYBRID if 0.1 <= place_of(agent, SALT) < 0.5]
TICK = timedelta(microseconds=1)
BOTH = "rollout-1+rollout-9"


def test_a_unit_is_all_of_an_agents_decisions_in_the_window_from_its_first_one():
    (agent, *_) = TREATED
    first = START + DAY
    rows = [
        decision(agent, first, version=CHALLENGER, formula_score=0.4) | outcome(at=first + HOUR),
        decision(agent, first + 3 * DAY, version=CHALLENGER, fallback="calling_score: slow", by_phone=True),
        decision(agent, first + 7 * DAY - TICK, version=CHALLENGER, called=False),
        decision(agent, first + 5 * DAY) | outcome("negative", first + 6 * DAY),
        decision(agent, first + 7 * DAY) | outcome(at=first + 8 * DAY),
    ]
    (unit,) = units(rows)
    assert unit == {
        "stage": 1,
        "agent_id": agent,
        "place": place_of(agent, SALT),
        "treated": True,
        "entered_at": first,
        "matured_at": first + WHOLE,
        "n_decisions": 4,
        "n_phone": 1,
        "n_otherwise": 1,
        "value": 0.0,
        "daily_values": [1.0, None, None, 0.0, None, -1.0, 0.0],
        "called": 0.75,
        "negative": 0.25,
        "fallback": 0.25,
        "slow": 0.25,
        "n_earlier": 0,
        "earlier_value": None,
        "first_formula_score": 0.4,
    }


def test_agents_of_the_formulas_group_and_unknown_ones_take_no_part():
    (other,) = [agent for agent in (f"agent-{number}" for number in range(9)) if group_of(agent) != "hybrid"][:1]
    assert units([decision(other, START), decision(None, START)]) == []


def test_who_is_treated_is_said_by_the_hash_whatever_the_log_says():
    rows = [
        decision(TREATED[0], START, arm="calling_score v1.0-real", experiment="rollout-1", stage=1),
        decision(CONTROL[0], START, version=CHALLENGER, arm="rollout-1", experiment="rollout-1", stage=1),
    ]
    found = {unit["agent_id"]: (unit["treated"], unit["n_otherwise"]) for unit in units(rows)}
    assert found == {TREATED[0]: (True, 1), CONTROL[0]: (False, 1)}


@pytest.mark.parametrize(
    ("agent", "told", "n_otherwise"),
    [
        (TREATED[0], {"version": CHALLENGER}, 0),
        (TREATED[0], {"version": CHALLENGER, "arm": "rollout-1", "experiment": "rollout-1", "stage": 1}, 0),
        (TREATED[0], {"version": CHALLENGER, "arm": "rollout-1", "experiment": "rollout-1", "stage": 2}, 1),
        (TREATED[0], {"version": CHALLENGER, "arm": BOTH, "experiment": BOTH, "stage": 12}, 0),
        (TREATED[0], {"version": CHALLENGER, "arm": "rollout-9", "experiment": BOTH, "stage": 12}, 1),
        (TREATED[0], {"version": CHALLENGER, "experiment": BOTH, "stage": 1}, 1),
        (TREATED[0], {"version": CHALLENGER, "experiment": "rollout-1", "stage": None}, 1),
        (TREATED[0], {"version": None}, 1),
        (CONTROL[0], {}, 0),
        (CONTROL[0], {"arm": "calling_score v1.0-real", "experiment": "rollout-1", "stage": 1}, 0),
        (CONTROL[0], {"arm": "rollout-1", "experiment": "rollout-1", "stage": 1}, 1),
        (CONTROL[0], {"experiment": "rollout-17", "stage": 3}, 0),
        (CONTROL[0], {"version": "v0.9-real"}, 1),
    ],
    ids=str,
)
def test_what_the_log_says_of_the_assignment_is_held_against_it(agent, told, n_otherwise):
    (unit,) = units([decision(agent, START, **told)])
    assert unit["n_otherwise"] == n_otherwise


@pytest.mark.parametrize(
    ("agent", "weight", "by_phone", "n_otherwise"),
    [
        *((TREATED[0], 0.3, True, 0), (TREATED[0], 0.1, True, 1), (CONTROL[0], 0.1, True, 0)),
        *((CONTROL[0], 0.3, True, 1), (TREATED[0], 0.1, False, 0)),
    ],
)
def test_where_the_weight_is_tried_a_phone_tells_by_its_weight_what_it_was_assigned_to(
    agent, weight, by_phone, n_otherwise
):
    tried = {"kind": "weight", "version": CHALLENGER, "champion": CHALLENGER, "weight": 0.3}
    row = decision(agent, START, version=CHALLENGER, weight=weight, by_phone=by_phone)
    (unit,) = units([row], **tried)
    assert unit["n_otherwise"] == n_otherwise


def test_an_outcome_counts_where_its_first_arrival_was_within_the_maturity():
    (agent, *_) = CONTROL
    due = START + 48 * HOUR
    for told, value in (
        (outcome(at=due), 1.0),
        (outcome(at=due + TICK), 0.0),
        (outcome("negative", at=due + DAY, first=due), -1.0),
        (outcome("negative", at=due + DAY, first=due + TICK), 0.0),
        (outcome(at=None), 0.0),
        (outcome(at=START - DAY), 1.0),
        ({}, 0.0),
    ):
        (unit,) = units([decision(agent, START) | told])
        assert (unit["value"], unit["negative"]) == (value, float(value < 0)), told


def test_what_a_decision_is_worth_is_declared_by_the_policy():
    values = OutcomeValues(positive=0.5, neutral=0.25, negative=-0.75, none=-0.125)
    (agent, *_) = CONTROL
    rows = [
        decision(agent, START + number * HOUR) | outcome(kind) for number, kind in enumerate(("positive", "neutral"))
    ]
    rows += [decision(agent, START + 2 * HOUR), decision(agent, START + 3 * HOUR, called=False) | outcome()]
    (unit,) = units(rows, policy=RolloutPolicy(values=values))
    assert unit["value"] == pytest.approx((0.5 + 0.25 - 0.125 + 0.0) / 4)


def test_nothing_is_a_unit_before_window_and_maturity_are_over():
    rows = [decision(CONTROL[0], START)]
    assert units(rows, as_of=START + WHOLE - TICK) == []
    assert len(units(rows, as_of=START + WHOLE)) == 1


def test_a_window_that_the_end_of_its_stage_cuts_off_is_no_unit():
    def ended(at):
        return (StagePeriod(1, 0.0, 0.1, START, at),)

    rows = [decision(CONTROL[0], START)]
    assert units(rows, periods=ended(START + 7 * DAY - TICK)) == []
    assert len(units(rows, periods=ended(START + 7 * DAY))) == 1


def test_of_a_wider_stage_only_those_above_the_share_before_are_fresh_and_drawn_again():
    rows = [decision(agent, START + 16 * DAY) for agent in (TREATED[0], BETWEEN[0], CONTROL[0])]
    found = find_units(table(*rows), rollout(), TWO_STAGES, nothing_known(), as_of=START + 40 * DAY)
    assert {(unit["agent_id"], unit["treated"]) for unit in found.new.to_pylist()} == {
        (BETWEEN[0], True),
        (CONTROL[0], False),
    }
    assert [(row["stage"], row["agent_id"], row["treated"]) for row in found.entered.to_pylist()] == sorted(
        [(2, BETWEEN[0], True), (2, CONTROL[0], False)]
    )


def test_an_agent_that_entered_counts_for_the_sample_ratio_before_its_unit_is_whole():
    rows = [decision(agent, START + DAY) for agent in (*TREATED[:2], *CONTROL[:3])]
    rows += [decision(TREATED[0], START + HOUR), decision(CONTROL[0], START + 3 * DAY)]
    found = find_units(table(*rows), rollout(), (STAGE_1,), nothing_known(), as_of=START + 2 * DAY)
    told = [(row["agent_id"], row["treated"], row["entered_at"]) for row in found.entered.to_pylist()]
    assert told[0] == (TREATED[0], True, START + HOUR)
    assert sorted(told[1:]) == sorted(
        [(TREATED[1], True, START + DAY), *((agent, False, START + DAY) for agent in CONTROL[:3])]
    )
    assert found.new.num_rows == 0


def test_covariates_are_from_before_the_stage_alone_and_had_matured_by_then():
    (agent, *_) = CONTROL
    rows = [
        decision(agent, START - EARLIER - TICK) | outcome("negative"),
        decision(agent, START - EARLIER) | outcome(at=START - EARLIER + HOUR),
        decision(agent, START - 48 * HOUR) | outcome("negative", at=START - 47 * HOUR),
        decision(agent, START - 48 * HOUR + TICK) | outcome(at=START - 47 * HOUR),
        decision(agent, START, formula_score=0.3, opportunity_id="b") | outcome("negative"),
        decision(agent, START, formula_score=0.2, opportunity_id="a") | outcome("positive"),
    ]
    (unit,) = units(rows)
    assert (unit["n_earlier"], unit["earlier_value"], unit["first_formula_score"]) == (2, 0.0, 0.2)
    assert needed_since((STAGE_1,)) == START - EARLIER


def test_values_by_day_are_the_means_of_days_since_the_first_decision():
    rows = [
        decision(CONTROL[0], START) | outcome(),
        decision(CONTROL[0], START + DAY - TICK),
        decision(CONTROL[0], START + DAY) | outcome("negative", at=START + DAY),
        decision(CONTROL[1], START + HOUR, called=False),
    ]
    found = {unit["agent_id"]: unit["daily_values"] for unit in units(rows)}
    assert found == {CONTROL[0]: [0.5, -1.0, *[None] * 5], CONTROL[1]: [0.0, *[None] * 6]}


@pytest.mark.parametrize("seed", range(2))
def test_the_units_of_daily_looks_are_together_those_of_one_look_at_the_end(seed):
    rows, kept = world(seed), nothing_known()
    end = START + 60 * DAY
    for day in range(1, 61):
        now = START + day * DAY
        found = find_units(table(*known_by(rows, now)), rollout(), TWO_STAGES, kept, as_of=now)
        kept = pa.concat_tables([kept, found.new])
    once = find_units(table(*rows), rollout(), TWO_STAGES, nothing_known(), as_of=end)
    assert kept.num_rows > 40
    assert kept.to_pylist() == once.new.to_pylist()
    again = find_units(table(*rows), rollout(), TWO_STAGES, kept, as_of=end)
    assert again.new.num_rows == 0
    assert again.entered.equals(once.entered)


@pytest.mark.parametrize("seed", range(3))
def test_a_unit_that_is_written_is_never_made_again_whatever_is_told_later(seed):
    rows = world(seed)
    now = START + 20 * DAY
    kept = find_units(table(*known_by(rows, now)), rollout(), TWO_STAGES, nothing_known(), as_of=now).new
    assert kept.num_rows > 10
    written = {(unit["stage"], unit["agent_id"]) for unit in kept.to_pylist()}
    late = [decision(agent, START + HOUR) | outcome("negative") for _, agent in written]
    later = find_units(table(*rows, *late), rollout(), TWO_STAGES, kept, as_of=START + 60 * DAY).new.to_pylist()
    assert not {(unit["stage"], unit["agent_id"]) for unit in later} & written


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_rows_decides_nothing_and_an_agents_lies_touch_no_unit_but_its_own(seed):
    rows = world(seed)
    expected = units(rows, periods=TWO_STAGES, as_of=START + 60 * DAY)
    shuffled = [rows[place] for place in np.random.default_rng(seed).permutation(len(rows))]
    assert units(shuffled, periods=TWO_STAGES, as_of=START + 60 * DAY) == expected

    (liar, *_) = (unit["agent_id"] for unit in expected)
    lie = {"decided_at": START + 3 * HOUR, "outcome_at": START}
    lied = [row | lie if row["agent_id"] == liar else row for row in rows]
    found = units(lied, periods=TWO_STAGES, as_of=START + 60 * DAY)
    assert [unit for unit in found if unit["agent_id"] != liar] == [
        unit for unit in expected if unit["agent_id"] != liar
    ]


def test_units_come_in_the_order_in_which_they_became_whole():
    found = units(world(1), periods=TWO_STAGES, as_of=START + 60 * DAY)
    order = [(unit["matured_at"], unit["place"]) for unit in found]
    assert order == sorted(order)


def test_phones_have_no_longer_to_report_than_outcomes_have_to_arrive():
    assert timedelta(hours=LEAST_MATURITY_HOURS) == REPORTED_WITHIN
    assert RolloutPolicy(maturity_hours=LEAST_MATURITY_HOURS).maturity_hours == LEAST_MATURITY_HOURS
    with pytest.raises(ValidationError, match=r"outcomes have 23\.9 hours to arrive, and phones 24 to report"):
        RolloutPolicy(maturity_hours=23.9)


@pytest.mark.parametrize(
    ("place", "told", "n_otherwise"),
    [
        ("between", {"version": CHALLENGER, "arm": "rollout-1", "stage": 2}, 0),
        ("between", {"version": CHALLENGER, "arm": "rollout-1", "stage": 1}, 0),
        ("between", {"arm": "calling_score v1.0-real", "stage": 1}, 1),
        ("between", {"version": CHALLENGER, "arm": "rollout-1", "stage": 3}, 1),
        ("above", {"arm": "calling_score v1.0-real", "stage": 2}, 0),
        ("above", {"arm": "calling_score v1.0-real", "stage": 1}, 0),
        ("above", {"version": CHALLENGER, "arm": "rollout-1", "stage": 1}, 1),
        ("above", {"arm": "calling_score v1.0-real", "stage": 3}, 1),
        ("above", {"arm": "calling_score v1.0-real", "stage": 0}, 1),
    ],
    ids=str,
)
def test_by_a_manifest_of_the_stage_before_it_was_as_assigned_where_the_same_was_decided(place, told, n_otherwise):
    agent, at = {"between": BETWEEN, "above": CONTROL}[place][0], TWO_STAGES[1].since
    row = decision(agent, at, **{"experiment": "rollout-1", "by_phone": True} | told)
    (unit,) = units([row], periods=TWO_STAGES, as_of=START + 60 * DAY)
    assert (unit["stage"], unit["treated"], unit["n_otherwise"]) == (2, place == "between", n_otherwise)


def test_nothing_decided_is_no_unit():
    found = find_units(table(), rollout(), TWO_STAGES, nothing_known(), as_of=START + 60 * DAY)
    assert found.new.schema == NEW_UNITS
    assert (found.new.num_rows, found.entered.num_rows) == (0, 0)


def test_of_both_routes_the_services_decision_stands_and_every_other_one_is_kept():
    def served(at, agent="agent-1"):
        unknown = dict.fromkeys(DECISIONS_WITH_OUTCOMES.names)
        return unknown | {"agent_id": agent, "opportunity_id": "spot", "decided_at": at, "version": "of the service"}

    rows = [served(START), served(START + HOUR)]
    both = decided_once(
        pa.Table.from_pylist(rows, pa.schema([field.with_nullable(True) for field in DECISIONS_WITH_OUTCOMES])),
        reports({"decided_at": START + 500 * TICK}, {"decided_at": START + 2 * HOUR}),
    )
    assert [(row["decided_at"], row["version"], row["by_phone"]) for row in both.to_pylist()] == [
        (START, "of the service", False),
        (START + HOUR, "of the service", False),
        (START + 2 * HOUR, "a", True),
    ]
