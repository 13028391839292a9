"""History features against an independent row-by-row calculation, and against planted leaks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spots_ml.features.history import NO_HISTORY, history_features

History = Callable[..., np.ndarray]
NAT = np.datetime64("NaT")
DAY = np.timedelta64(1, "D")
HOUR = np.timedelta64(1, "h")
NEW_YEAR = np.datetime64("2026-01-01T00:00:00", "us")


def interactions(n_rows: int, n_agents: int, seed: int, unknown_share: float = 0.0) -> dict[str, np.ndarray]:
    """Rows of few moments, so that many events fall on the same instant."""
    generator = np.random.default_rng(seed)
    scored = NEW_YEAR + generator.integers(0, 90, n_rows) * DAY
    score = generator.random(n_rows)
    types = np.where(score >= 0.7, "positive", np.where(score >= 0.4, "neutral", "negative")).astype(object)
    arrived = scored + generator.integers(0, 20, n_rows) * DAY
    agent = generator.integers(0, n_agents, n_rows)
    if unknown_share:
        lost = generator.random((4, n_rows)) < unknown_share
        agent[lost[0]] = -1
        scored[lost[1]] = NAT
        arrived[lost[2]] = NAT
        score[lost[3]], types[lost[3]], arrived[lost[3]] = np.nan, None, NAT
    return {
        "agent": agent,
        "scored_at": scored,
        "outcome_at": arrived,
        "outcome_score": score,
        "outcome_type": types,
    }


def history_by_hand(rows: dict[str, np.ndarray], row: int) -> list[float]:
    """The documented rule for one row, in plain Python."""
    agent, now = rows["agent"][row], rows["scored_at"][row]
    if agent < 0 or np.isnat(now):
        return list(NO_HISTORY)
    same = [i for i in range(len(rows["agent"])) if rows["agent"][i] == agent]
    arrival = {
        i: rows["outcome_at"][i] if np.isnat(rows["scored_at"][i]) else max(rows["outcome_at"][i], rows["scored_at"][i])
        for i in same
        if not np.isnat(rows["outcome_at"][i]) and not np.isnan(rows["outcome_score"][i])
    }
    past = [i for i, at in arrival.items() if at < now]
    earlier = [i for i in same if rows["scored_at"][i] < now]
    recent = [i for i in earlier if rows["scored_at"][i] >= now - 30 * DAY]
    positive = [i for i in past if rows["outcome_type"][i] == "positive"]
    negative = [i for i in past if rows["outcome_type"][i] == "negative"]
    since = min(((now - arrival[i]) / DAY for i in positive), default=30.0)
    return [
        len(positive) / len(past) if past else 0.5,
        len(negative) / len(past) if past else 0.5,
        sum(rows["outcome_score"][i] for i in past) / len(past) if past else 0.5,
        min(len(earlier) / 100, 1.0),
        min(since / 30, 1.0) if past else 0.5,
        min(len(recent) / 30, 1.0) if earlier else 0.5,
    ]


def leaks(history: History, rows: dict[str, np.ndarray]) -> bool:
    """Whether anything that happened at or after a row's scoring moves the row's history features."""
    before = history(**rows)
    for row in range(len(rows["agent"])):
        now = rows["scored_at"][row]
        future = ~(rows["outcome_at"] < now) | (np.arange(len(rows["agent"])) == row)
        changed: dict[str, Any] = {name: values.copy() for name, values in rows.items()}
        changed["outcome_score"][future] = 1.0 - changed["outcome_score"][future]
        opposite = np.where(changed["outcome_type"] == "positive", "negative", "positive")
        changed["outcome_type"][future] = opposite[future]
        if not np.array_equal(history(**changed)[row], before[row]):
            return True
    return False


@pytest.mark.parametrize("unknown_share", [0.0, 0.2])
@pytest.mark.parametrize("n_agents", [1, 4, 60])
def test_every_row_agrees_with_the_rule_applied_by_hand(n_agents: int, unknown_share: float) -> None:
    rows = interactions(150, n_agents, seed=n_agents, unknown_share=unknown_share)
    expected = [history_by_hand(rows, row) for row in range(150)]
    np.testing.assert_allclose(history_features(**rows), expected, atol=1e-6)


def test_nothing_that_arrives_later_moves_a_row() -> None:
    assert not leaks(history_features, interactions(60, 3, seed=5))


def test_a_planted_leak_of_global_averages_is_caught() -> None:
    def averages(outcome_type: np.ndarray, **_: np.ndarray) -> np.ndarray:
        return np.full((len(outcome_type), 6), np.mean(outcome_type == "positive"))

    assert leaks(averages, interactions(60, 3, seed=5))


def test_a_planted_leak_of_outcomes_that_count_before_they_arrive_is_caught() -> None:
    def impatient(**rows: np.ndarray) -> np.ndarray:
        return history_features(**{**rows, "outcome_at": rows["scored_at"]})

    assert leaks(impatient, interactions(60, 3, seed=5))


def test_a_planted_leak_of_the_own_outcome_is_caught() -> None:
    def own(outcome_score: np.ndarray, **rows: np.ndarray) -> np.ndarray:
        features = history_features(outcome_score=outcome_score, **rows)
        features[:, 2] = 0.99 * features[:, 2] + 0.01 * outcome_score
        return features

    assert leaks(own, interactions(60, 3, seed=5))


def test_row_order_does_not_matter() -> None:
    rows = interactions(400, 7, seed=6, unknown_share=0.1)
    order = np.random.default_rng(0).permutation(400)
    shuffled = history_features(**{name: values[order] for name, values in rows.items()})
    assert shuffled.tobytes() == history_features(**rows)[order].tobytes()


def test_rows_of_other_agents_do_not_move_a_single_bit() -> None:
    rows = interactions(400, 7, seed=7)
    mine = rows["agent"] == 3
    alone = history_features(**{name: values[mine] for name, values in rows.items()})
    assert alone.tobytes() == history_features(**rows)[mine].tobytes()


def test_agents_differ_from_each_other() -> None:
    features = history_features(**interactions(400, 7, seed=8))
    assert len(np.unique(features, axis=0)) > 100


def test_the_first_interaction_has_no_history() -> None:
    rows = interactions(1, 1, seed=9)
    assert history_features(**rows)[0].tolist() == list(NO_HISTORY)


def two_rows(arrival: np.datetime64, now: np.datetime64 = NEW_YEAR + DAY) -> np.ndarray:
    """History of a row scored at `now`, after one whose positive outcome arrived at `arrival`."""
    return history_features(
        agent=np.array([4, 4]),
        scored_at=np.array([NEW_YEAR, now]),
        outcome_at=np.array([arrival, NAT]),
        outcome_score=np.array([0.9, np.nan]),
        outcome_type=np.array(["positive", None], dtype=object),
    )[1]


def test_an_outcome_that_arrives_at_the_very_moment_does_not_count_yet() -> None:
    assert two_rows(NEW_YEAR + DAY)[:3].tolist() == [0.5, 0.5, 0.5]


def test_an_outcome_counts_from_the_microsecond_after_its_arrival() -> None:
    assert two_rows(NEW_YEAR + DAY - np.timedelta64(1, "us"))[:2].tolist() == [1.0, 0.0]


def test_an_outcome_of_unknown_arrival_never_counts_but_its_interaction_does() -> None:
    features = two_rows(NAT)
    assert features[:3].tolist() == [0.5, 0.5, 0.5]
    assert features[3] == pytest.approx(0.01)


def test_an_outcome_that_claims_to_precede_its_interaction_is_not_known_before_it() -> None:
    rows = {
        "agent": np.array([1]),
        "scored_at": np.array([NEW_YEAR]),
        "outcome_at": np.array([NEW_YEAR - DAY]),
        "outcome_score": np.array([0.9]),
        "outcome_type": np.array(["positive"]),
    }
    assert history_features(**rows)[0].tolist() == list(NO_HISTORY)


@pytest.mark.parametrize(("days", "expected"), [(3, 0.1), (30, 1.0), (300, 1.0)])
def test_time_since_the_last_positive_outcome_is_in_units_of_thirty_days(days: int, expected: float) -> None:
    assert two_rows(NEW_YEAR + HOUR, NEW_YEAR + HOUR + days * DAY)[4] == pytest.approx(expected)


def test_an_agent_that_rests_for_more_than_thirty_days_is_not_active() -> None:
    assert two_rows(NEW_YEAR, NEW_YEAR + 30 * DAY)[5] == pytest.approx(1 / 30)
    assert two_rows(NEW_YEAR, NEW_YEAR + 31 * DAY)[5] == 0.0


def test_large_agent_codes_are_told_apart() -> None:
    rows = interactions(200, 5, seed=10)
    far_apart = {**rows, "agent": rows["agent"].astype(np.int64) * 2**60}
    np.testing.assert_array_equal(history_features(**far_apart), history_features(**rows))


def test_no_rows_give_no_rows() -> None:
    assert history_features(**interactions(0, 1, seed=0)).shape == (0, 6)
