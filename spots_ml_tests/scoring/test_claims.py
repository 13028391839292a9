"""What a decision may claim: served is what was decided at its moment, by versions in service; at the edges."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.scoring.decision_log.claims import ClaimRule

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Since:
    """Versions that are in service from some moment on."""

    def __init__(self, **moments):
        self.moments = moments

    def covers(self, model_type, version, moments, *, behind=timedelta(0)):
        since = self.moments.get(f"{model_type}_{version}")
        return np.zeros(len(moments), bool) if since is None else moments >= at(since)


def at(moment):
    return np.datetime64(moment.replace(tzinfo=None), "us")


SERVICE = Since(calling_score_a=NOW - timedelta(hours=1), outcome_b=NOW - timedelta(minutes=5))


def judge(moments, versions=("a",), outcomes=("b",), **options):
    told = {"calling_score": pa.array(versions, pa.string()), "outcome": pa.array(outcomes, pa.string())}
    rule = ClaimRule(SERVICE, NOW, **options)
    return rule.judge(np.array([at(moment) for moment in moments]), told).to_pylist()


@pytest.mark.parametrize(
    ("moment", "claim"),
    [
        (NOW, "at_its_moment"),
        (NOW - timedelta(minutes=5), "at_its_moment"),
        (NOW - timedelta(minutes=5, microseconds=1), "not_in_service"),
        (NOW - timedelta(minutes=15), "not_in_service"),
        (NOW - timedelta(minutes=15, microseconds=1), "another_moment"),
        (NOW + timedelta(minutes=15), "at_its_moment"),
        (NOW + timedelta(minutes=15, microseconds=1), "another_moment"),
        (NOW - timedelta(days=5), "another_moment"),
    ],
)
def test_the_moment_must_be_the_present_and_the_versions_in_service(moment, claim):
    assert judge([moment]) == [claim]


def test_each_row_is_judged_by_its_own_versions_and_none_is_always_there():
    assert judge([NOW] * 4, ["a", None, "z", None], ["b", None, None, "z"]) == [
        *("at_its_moment", "at_its_moment", "not_in_service", "not_in_service")
    ]


def test_what_is_scored_again_on_purpose_is_a_replay_whatever_its_moment():
    assert judge([NOW, NOW - timedelta(days=1)], ["a", "a"], ["b", "b"], again=True) == ["scored_again"] * 2
