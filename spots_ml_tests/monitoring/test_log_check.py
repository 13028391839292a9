"""What is missing for proof is told part by part: a whole log passes, and each lack is found where it is."""

from datetime import timedelta

import numpy as np
import pytest

from spots_ml.experiments.rollout import StagePeriod
from spots_ml.monitoring.outcome_linking import OutcomeLinking
from spots_ml.monitoring.proof.finding import TOLERATED, exceeds
from spots_ml.monitoring.proof.log_check import LogFacts, check_log
from spots_ml.registry.service import ServicePeriods
from spots_ml.scoring.assignment import group_of, place_of
from spots_ml.scoring.decision_log.phone_claims import judge_reports
from spots_ml_tests.experiments.units_of_a_world import CHALLENGER, CHAMPION, SALT, rollout
from spots_ml_tests.scoring.phone_reports import FORMULA_AGENT, MOMENT, reports

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
EVER = (np.datetime64("2020-01-01", "us"), np.datetime64("2030-01-01", "us"))
SERVICE = ServicePeriods(
    {
        **{("calling_score", version): (EVER,) for version in ("a", CHALLENGER, CHAMPION)},
        ("outcome", "b"): (EVER,),
    }
)
WHOLE = {"outcome_type": "positive", "outcome_score": 0.9, "outcome_at": MOMENT + HOUR, "outcome_by": "row"}
N = 100
FEW, MANY = int(TOLERATED * N), int(TOLERATED * N) + 1


def facts(change=None, *, times=N, after=timedelta(days=9), **told):
    """A hundred decisions in order, some of which are changed."""
    rows = [{"decided_at": MOMENT + number * MINUTE, "propensity": 0.9} | WHOLE for number in range(N)]
    for row in rows[: times if change else 0]:
        row |= change
    table = reports(*rows)
    claims = judge_reports(table, SERVICE, reports())
    linked = OutcomeLinking(n_outcomes=N, n_without_decision=0, n_near=0)
    given = {"linking": linked, "rollouts": (), "now": MOMENT + after, "maturity": timedelta(days=2)} | told
    return LogFacts(table, claims, **given)


def verdicts(found):
    return {finding.topic: finding.verdict for finding in check_log(found)}


def sentence(found, topic):
    return next(finding.sentence for finding in check_log(found) if finding.topic == topic)


def test_a_whole_log_is_fine_in_every_part():
    topics = "reports columns names claims assignment propensity fallbacks lateness duplicates outcomes linking"
    assert verdicts(facts()) == dict.fromkeys(topics.split(), "ok")


@pytest.mark.parametrize(
    ("topic", "change"),
    [
        *(("columns", {name: None}) for name in ("group", "score", "called", "weight", "formula_score", "propensity")),
        ("claims", {"version": "never registered"}),
        ("claims", {"score": 0.1, "propensity": 1.0}),
        ("assignment", {"agent_id": FORMULA_AGENT}),
        ("fallbacks", {"neural_score": None, "weight": 0.0, "fallback": "calling_score: slow"}),
        ("lateness", {"reported_at": MOMENT + timedelta(days=3)}),
        ("duplicates", {"decided_at": MOMENT}),
    ],
    ids=str,
)
def test_what_many_lack_is_missing_and_what_few_lack_is_worth_a_look(topic, change):
    one_more = topic == "duplicates"  # the first of equal ones is no repetition
    assert verdicts(facts(change, times=MANY + one_more))[topic] == "missing"
    assert verdicts(facts(change, times=FEW + one_more))[topic] == "look"


def test_a_share_is_too_large_above_what_is_tolerated_and_of_nothing_nothing_is():
    assert [exceeds(part, 100) for part in (0, FEW, MANY)] == [False, False, True]
    assert not exceeds(0, 0)


def test_nothing_reported_is_what_is_missing_and_the_rest_is_not_asked():
    empty = LogFacts(reports(), judge_reports(reports(), SERVICE, reports()), None, (), MOMENT, HOUR, n_silent=7)
    assert verdicts(empty) == {"reports": "missing"}
    assert "7 records tell nothing of a decision" in sentence(empty, "reports")


def test_records_that_tell_nothing_are_worth_a_look_and_values_that_no_table_takes_are_missing():
    assert verdicts(facts(n_silent=3))["reports"] == "look"
    assert verdicts(facts(n_silent=0, n_unkept=3))["reports"] == "look"
    assert verdicts(facts(n_silent=0, n_unkept=50))["reports"] == "missing"


def test_what_is_set_aside_is_told_by_its_reason():
    told = sentence(facts({"version": "never registered"}, times=3), "claims")
    assert told.startswith("97 of 100 (97.0 %) count; set aside: not_in_service 3 (a version that it names")


def test_a_report_that_does_not_say_when_it_was_written_is_taken_for_in_time_and_told():
    found = facts(n_untimed=9)
    assert verdicts(found)["lateness"] == "look"
    assert "9 records do not say when they were written (reported_at)" in sentence(found, "lateness")


def test_propensities_of_one_are_worth_a_look_and_none_at_all_is_missing():
    assert verdicts(facts({"propensity": 1.0}))["propensity"] == "look"
    assert verdicts(facts({"propensity": None}))["propensity"] == "missing"


def test_outcomes_are_told_by_how_they_were_found_among_matured_calls_that_count():
    found = facts({"outcome_by": "id"}, times=4)
    assert sentence(found, "outcomes") == (
        "of 100 calls that count and have matured, 96 have their outcome in the same row, 4 by outcome_id, 0 by the "
        "moment, 0 have none"
    )
    without = dict.fromkeys(WHOLE)
    assert verdicts(facts(without, times=N - 1))["outcomes"] == "ok"
    assert verdicts(facts(without))["outcomes"] == "missing"
    assert verdicts(facts(without, after=timedelta(days=2)))["outcomes"] == "missing"
    assert verdicts(facts(without, after=timedelta(days=2) - MINUTE))["outcomes"] == "look"


@pytest.mark.parametrize(
    ("unlinked", "near", "verdict"), [(0, 0, "ok"), (9, 0, "look"), (9, FEW, "look"), (9, MANY, "missing")]
)
def test_outcomes_that_miss_their_decision_by_a_moment_are_missing_and_others_without_one_worth_a_look(
    unlinked, near, verdict
):
    found = facts(linking=OutcomeLinking(n_outcomes=N, n_without_decision=unlinked, n_near=near))
    assert verdicts(found)["linking"] == verdict


def in_rollout(told, n_otherwise):
    """Decisions of an agent that is treated in the first stage; of some the phone asked the champion all the same."""
    hybrid = (one for one in map("agent-{}".format, range(200)) if group_of(one) == "hybrid")
    agent = next(one for one in hybrid if place_of(one, SALT) < 0.1)
    table = reports(
        *(
            {
                "agent_id": agent,
                "decided_at": MOMENT + number * MINUTE,
                "version": CHAMPION if number < n_otherwise else CHALLENGER,
            }
            | told
            for number in range(N)
        )
    )
    periods = (StagePeriod(1, 0.0, 0.1, MOMENT, None),)
    claims = judge_reports(table, SERVICE, reports())
    return LogFacts(table, claims, None, ((rollout(), periods),), MOMENT + HOUR, HOUR)


def test_decisions_of_a_rollout_are_held_against_hash_and_salt():
    named = {"experiment": "rollout-1", "stage": 1}
    assert verdicts(in_rollout(named, 0))["rollout-1"] == "ok"
    assert verdicts(in_rollout({}, 0))["rollout-1"] == "look"
    assert verdicts(in_rollout(named, 10))["rollout-1"] == "look"
    assert verdicts(in_rollout(named, 11))["rollout-1"] == "missing"
    assert "11 of 100 (11.0 %) were not made as" in sentence(in_rollout(named, 11), "rollout-1")


def test_a_rollout_in_which_nothing_was_decided_is_not_told():
    before = (StagePeriod(1, 0.0, 0.1, MOMENT - HOUR, MOMENT),)
    assert "rollout-1" not in verdicts(facts(rollouts=((rollout(), before),)))
