"""A version that does not answer is found within a day, and by no single agent."""

import pyarrow as pa
import pytest

from spots_ml.monitoring.fallback_budget import LEAST_AGENTS, beyond_budget, share_unanswered

DAMAGED = "calling_score: damaged"


def decisions(fallbacks, *, n_agents=None, version="v1.0-real", outcome_version="v2.0-real"):
    n_rows = len(fallbacks)
    return pa.table(
        {
            "agent_id": [f"agent-{row % (n_agents or n_rows)}" for row in range(n_rows)],
            "version": pa.array([version] * n_rows, pa.string()),
            "outcome_version": pa.array([outcome_version] * n_rows, pa.string()),
            "fallback": pa.array(fallbacks, pa.string()),
        }
    )


def told(table, model_type="calling_score", version="v1.0-real", most=0.05):
    return beyond_budget(share_unanswered(table, model_type, version, seed=0), most)


def test_a_storm_is_told_with_its_numbers():
    assert told(decisions([DAMAGED] * 30 + [None] * 10)).startswith("it did not answer in 75.0% of its decisions")


def test_a_version_that_answers_is_within_its_budget():
    assert told(decisions([None] * 400)) is None
    assert told(decisions([DAMAGED] * 4 + [None] * 396)) is None


def test_a_few_agents_prove_nothing_however_often_they_tell_it():
    assert told(decisions([DAMAGED] * 5_000, n_agents=LEAST_AGENTS - 1)) is None
    assert told(decisions([DAMAGED] * 5_000, n_agents=LEAST_AGENTS)) is not None


def test_one_agent_with_most_of_the_decisions_is_one_agent():
    loud = decisions([DAMAGED] * 5_000, n_agents=1)
    quiet = decisions([None] * 60)
    assert told(pa.concat_tables([quiet, loud])) is None


def test_a_few_agents_in_a_hundred_take_nothing_back_however_much_they_ask():
    loud = decisions([DAMAGED] * 10_000, n_agents=2 * LEAST_AGENTS)
    quiet = decisions([None] * 5_000, n_agents=1_000).set_column(
        0, "agent_id", pa.array([f"quiet-{row % 1_000}" for row in range(5_000)])
    )
    both = pa.concat_tables([quiet, loud])
    assert told(both) is None
    assert told(both, most=0.02) is not None


@pytest.mark.parametrize("text", [None, "calling_score: no_version", "outcome: damaged"])
def test_what_another_model_does_not_answer_or_nobody_promoted_is_not_its_fault(text):
    assert told(decisions([text] * 100)) is None


def test_each_model_answers_for_itself():
    both = decisions(["calling_score: slow, outcome: failed"] * 100)
    assert told(both) is not None
    assert told(both, "outcome", "v2.0-real") is not None
    assert told(both, "outcome", "v1.0-real") is None


def test_decisions_that_asked_another_version_do_not_count():
    other = decisions([DAMAGED] * 100, version="v0.9-real")
    assert told(pa.concat_tables([other, decisions([None] * 100)])) is None
    assert share_unanswered(other, "calling_score", "v1.0-real", seed=0) is None
