"""What a registry's rows say and what every version must have: words and numbers that stored rows were written with."""

from typing import get_args

from spots_ml.registry.records import EARLIER_GATES, REQUIRED_GATES, STATUSES, Action


def test_a_version_needs_these_verdicts_and_the_first_four_where_it_was_made_before_the_others():
    assert EARLIER_GATES == ("valid_dataset", "beats_baselines", "certified", "latency")
    assert (*EARLIER_GATES, "decision_effect", "not_worse_than_champion") == REQUIRED_GATES


def test_statuses_and_actions_keep_their_names():
    assert STATUSES == ("staging", "active", "deprecated", "archived")
    assert get_args(Action)[:7] == (
        *("registered", "reaffirmed", "promoted", "superseded", "rolled_back", "restored", "archived"),
    )
