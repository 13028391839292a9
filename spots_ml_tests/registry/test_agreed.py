"""What a registry's rows say and what every version must have: words and numbers that stored rows were written with."""

from typing import get_args

from spots_ml.registry.records import REQUIRED_GATES, STATUSES, Action


def test_a_version_needs_these_four_verdicts():
    assert REQUIRED_GATES == ("valid_dataset", "beats_baselines", "certified", "latency")


def test_statuses_and_actions_keep_their_names():
    assert STATUSES == ("staging", "active", "deprecated", "archived")
    assert get_args(Action)[:7] == (
        *("registered", "reaffirmed", "promoted", "superseded", "rolled_back", "restored", "archived"),
    )
