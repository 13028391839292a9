"""The app's formula against a hand-worked row and an independent scalar calculation."""

from math import prod

import numpy as np
import pytest

from spots_ml.features.contract import FEATURES, RAW_FEATURES
from spots_ml.features.derived import derive
from spots_ml.scoring.formula import formula_score, simple_score


def formula_by_hand(f: dict[str, float]) -> dict[str, float]:
    """The written formula in scalar Python, with 0.5 for what is not among the features."""

    def tendency(side: str) -> float:
        return (f[f"{side}_exploration_eagerness"] + f[f"{side}_novelty_seeking"]) / 2

    exploration = 1 - abs(tendency("agent") - tendency("opportunity"))
    social = 1 - abs(f["agent_social_preference"] - f["opportunity_social_preference"])
    lively = (f["opportunity_overall_energy"] + f["opportunity_social_preference"]) / 2
    compatibility = f["vibe_compatibility"]
    connection = 0.4 * compatibility + 0.25 * f["network_effects"] + 0.2 * f["community_patterns"] + 0.15 * lively
    fulfilment = 0.4 * f["energy_match"] + 0.35 * exploration + 0.25 * social
    betterment = 0.4 * 0.5 + 0.3 * connection + 0.2 * 0.5 + 0.1 * fulfilment
    near = 0.9 if f["location_proximity"] < 0.5 else 1.1 if f["location_proximity"] > 0.8 else 1.0
    context = prod(
        [
            near,
            0.8 + 0.2 * f["journey_alignment"],
            0.7 + 0.3 * f["user_receptivity"],
            f["opportunity_availability"],
        ]
    )
    timing = prod(
        [
            0.8 + 0.2 * f["optimal_time_of_day"],
            0.8 + 0.2 * f["optimal_day_of_week"],
            0.7 + 0.3 * f["user_patterns"],
            f["opportunity_timing"],
        ]
    )
    score = 0.4 * compatibility + 0.3 * betterment + 0.15 * connection + 0.1 * context + 0.05 * timing
    return {
        "score": min(max(score, 0.0), 1.0),
        "vibe_compatibility": compatibility,
        "life_betterment": betterment,
        "meaningful_connection": connection,
        "context": context,
        "timing": timing,
    }


def random_features(n_rows: int) -> np.ndarray:
    return derive(np.random.default_rng(0).random((n_rows, len(RAW_FEATURES))))


def test_score_and_breakdown_agree_with_the_written_formula_row_by_row() -> None:
    features = random_features(200)
    result = formula_score(features)
    for row in range(200):
        expected = formula_by_hand(dict(zip(FEATURES, features[row].astype(float).tolist(), strict=True)))
        for name, value in expected.items():
            assert getattr(result, name)[row] == pytest.approx(value), name


def test_a_row_of_halves_is_worked_by_hand() -> None:
    # Compatibility 1; connection .4 + .125 + .1 + .075 = .7; fulfilment 1; betterment .2+.21+.1+.1 = .61;
    # context 1 * .9 * .85 * .5 = .3825; timing .9 * .9 * .85 * .5 = .34425.
    score = formula_score(derive(np.full((1, 34), 0.5))).score
    assert score[0] == pytest.approx(0.4 + 0.183 + 0.105 + 0.03825 + 0.0172125)


@pytest.mark.parametrize(("proximity", "factor"), [(0.49, 0.9), (0.5, 1.0), (0.8, 1.0), (0.81, 1.1)])
def test_proximity_bounds_themselves_are_neither_near_nor_far(proximity: float, factor: float) -> None:
    features = np.full((1, 39), 1.0)
    features[0, FEATURES.index("location_proximity")] = proximity
    assert formula_score(features).context[0] == pytest.approx(factor)


def test_known_trajectory_and_influence_raise_the_score() -> None:
    features = random_features(10)
    better = formula_score(features, trajectory_potential=1.0, positive_influence=np.full(10, 1.0)).score
    np.testing.assert_allclose(better - formula_score(features).score, 0.3 * (0.4 + 0.2) * 0.5)


def test_scores_stay_in_range_on_the_corners_of_the_contract() -> None:
    corners = np.random.default_rng(1).integers(0, 2, (1_000, 39)).astype(float)
    score = formula_score(corners, trajectory_potential=1.0, positive_influence=1.0).score
    assert score.min() >= 0.0
    assert score.max() <= 1.0


def test_the_simple_score_is_worked_by_hand() -> None:
    features = np.full((1, 39), 0.5)
    features[0, :12] = 0.8
    features[0, 24:30] = 0.2
    features[0, 34:38] = 1.0
    assert simple_score(features)[0] == pytest.approx(0.5 * 0.7 + 0.3 * 0.2 + 0.2 * 1.0)


def test_no_rows_give_no_scores() -> None:
    assert formula_score(np.empty((0, 39))).score.shape == (0,)
