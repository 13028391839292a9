"""Fitting the weights by confidence: independent references, known worlds, and too little to know anything."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import t
from sklearn.covariance import oas

from spots_ml.errors import ContractError
from spots_ml.features.contract import FEATURES, RAW_FEATURES
from spots_ml.features.derived import derive
from spots_ml.scoring.confidence import FARTHEST, ConfidenceProfile
from spots_ml.training.confidence import fit_confidence
from spots_ml.training.model import TrainedModel


def features_of(n_rows: int, seed: int) -> np.ndarray:
    return derive(np.random.default_rng(seed).beta(2, 2, (n_rows, len(RAW_FEATURES))))


def a_case(n_train: int = 2_000, n_validation: int = 1_000, rows_per_agent: int = 5, seed: int = 0) -> dict[str, Any]:
    """A world in which the outcome is the model's answer and noise, and the formula is off by noise of its own."""
    generator = np.random.default_rng([seed, 1])
    truth = generator.uniform(0.3, 0.7, n_validation)
    return {
        "train_features": features_of(n_train, 2 * seed),
        "validation_features": features_of(n_validation, 2 * seed + 1),
        "neural": truth,
        "formula": np.clip(truth + generator.normal(0, 0.1, n_validation), 0, 1),
        "outcome": np.clip(truth + generator.normal(0, 0.1, n_validation), 0, 1),
        "agent": np.arange(n_validation) // rows_per_agent,
    }


@pytest.fixture(scope="module")
def case() -> dict[str, Any]:
    return a_case()


@pytest.fixture(scope="module")
def profile(case: dict[str, Any]) -> ConfidenceProfile:
    return fit_confidence(**case)


def test_the_same_rows_give_the_same_profile_in_whatever_order(
    case: dict[str, Any], profile: ConfidenceProfile
) -> None:
    generator = np.random.default_rng(0)
    train, order = generator.permutation(2_000), generator.permutation(1_000)
    shuffled = {name: values[train if name == "train_features" else order] for name, values in case.items()}
    assert fit_confidence(**case) == profile
    assert fit_confidence(**shuffled) == profile


def test_distances_are_those_of_the_shrunk_covariance_of_scikit_learn() -> None:
    case = a_case(n_train=400)
    profile = fit_confidence(**case)
    train = case["train_features"].astype(np.float64)
    mean, spread = train.mean(axis=0), train.std(axis=0)
    shrunk, share = oas((train - mean) / spread, assume_centered=True)
    assert share > 0.01
    rows = np.concatenate([case["validation_features"], np.zeros((1, 39)), np.ones((1, 39))])
    peer = cdist((rows - mean) / spread, np.zeros((1, 39)), "mahalanobis", VI=np.linalg.inv(shrunk))[:, 0] ** 2
    assert np.allclose(profile.distances(rows), peer, rtol=2e-3)


def test_as_many_validation_rows_are_outside_as_the_level_says(case: dict[str, Any]) -> None:
    for alpha in (0.2, 0.05, 0.01, 0.001):
        profile = fit_confidence(**case, alpha=alpha)
        n_outside = np.sum(profile.steps_of(case["validation_features"]) == len(profile.steps))
        assert n_outside == max(1, math.ceil(alpha * 1_001 - 1)) - 1


def test_new_rows_like_the_training_s_are_seldom_outside_and_other_rows_always() -> None:
    fresh = features_of(4_000, 999)
    shares = []
    for seed in range(8):
        profile = fit_confidence(**a_case(seed=seed), alpha=0.02)
        shares.append(np.mean(profile.weights(fresh, 0.3) == 0.0))
        corners = np.random.default_rng(seed).integers(0, 2, (200, len(RAW_FEATURES))).astype(np.float64)
        assert not profile.weights(derive(corners), 0.3).any()
    # The share of one calibration has a standard deviation of 0.0044 (a beta distribution); the mean of eight a third.
    assert np.mean(shares) == pytest.approx(0.02, abs=0.006)


def test_nine_in_ten_outcomes_of_new_rows_lie_within_the_half_width() -> None:
    profile, new = fit_confidence(**a_case(n_validation=3_000)), a_case(n_validation=5_000, seed=7)
    width = profile.half_widths(new["validation_features"])
    known = ~np.isnan(width)
    assert known.mean() > 0.99
    assert np.mean((np.abs(new["outcome"] - new["neural"]) <= width)[known]) == pytest.approx(0.9, abs=0.02)


def test_the_innermost_weight_is_the_t_bound_of_a_ratio_over_agents(case: dict[str, Any]) -> None:
    case = case | {"neural": np.clip(case["formula"] + 0.2 * (case["outcome"] - 0.5), 0, 1)}
    gap, want = case["neural"] - case["formula"], case["outcome"] - case["formula"]
    case = case | {"outcome": np.clip(case["formula"] + 0.5 * gap + 0.1 * (want - want.mean()), 0, 1)}
    want = case["outcome"] - case["formula"]
    best = np.sum(want * gap) / np.sum(gap**2)
    residual = np.array([np.sum((want * gap - best * gap**2)[case["agent"] == one]) for one in range(200)])
    error = math.sqrt(200 / 199 * np.sum(residual**2)) / np.sum(gap**2)
    assert 0 < best - t.ppf(0.95, 199) * error < 1
    assert fit_confidence(**case).steps[0].weight == pytest.approx(best - t.ppf(0.95, 199) * error, abs=6e-5)


def test_a_model_that_is_right_weighs_much_and_one_that_is_worse_than_the_formula_nothing(
    case: dict[str, Any], profile: ConfidenceProfile
) -> None:
    assert profile.steps[0].weight > 0.8
    assert profile.steps[-1].weight > 0.5
    swapped = fit_confidence(**case | {"neural": case["formula"], "formula": case["neural"]})
    assert {step.weight for step in swapped.steps} == {0.0}
    same = fit_confidence(**case | {"neural": case["formula"]})
    assert {step.weight for step in same.steps} == {0.0}


def test_where_the_model_fails_far_from_the_middle_the_weight_falls_with_the_distance() -> None:
    case = a_case(n_validation=4_000)
    distance = fit_confidence(**case).distances(case["validation_features"])
    far = distance > np.quantile(distance, 0.8)
    broken = np.where(far, np.random.default_rng(0).permutation(case["neural"]), case["neural"])
    weights = [step.weight for step in fit_confidence(**case | {"neural": broken}).steps]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] > 0.3
    assert weights[-1] < 0.3
    widths = [step.half_width for step in fit_confidence(**case | {"neural": broken}).steps]
    assert widths[-1] > 1.3 * widths[0]


def test_the_same_rows_again_under_the_same_agents_add_no_confidence(case: dict[str, Any]) -> None:
    inner = fit_confidence(**case).steps[0].weight
    tenfold = {name: np.repeat(values, 10, axis=0) for name, values in case.items() if name != "train_features"}
    again = fit_confidence(case["train_features"], **tenfold).steps[0].weight
    assert again == pytest.approx(inner, abs=1e-4)
    strangers = fit_confidence(case["train_features"], **tenfold | {"agent": np.arange(10_000)}).steps[0].weight
    assert strangers > inner + 0.01


def test_one_agent_alone_proves_nothing(case: dict[str, Any]) -> None:
    profile = fit_confidence(**case | {"agent": np.zeros(1_000, np.int64)})
    assert profile.n_validation_agents == 1
    assert {step.weight for step in profile.steps} == {0.0}


@pytest.mark.parametrize("n_rows", [0, 1, 49])
def test_with_too_few_validation_rows_nothing_is_trusted(n_rows: int) -> None:
    case = a_case(n_validation=n_rows)
    profile = fit_confidence(**case)
    assert profile.steps == ()
    assert profile.n_validation_rows == n_rows
    assert not profile.weights(case["train_features"], 0.3).any()


def test_with_just_enough_validation_rows_there_is_one_shell_out_to_the_farthest() -> None:
    case = a_case(n_validation=50, rows_per_agent=1)
    (step,) = fit_confidence(**case).steps
    assert step.up_to == fit_confidence(**case).distances(case["validation_features"]).max()
    assert step.n_rows == 50


def test_more_validation_rows_make_more_shells() -> None:
    n_steps = [len(fit_confidence(**a_case(n_validation=n)).steps) for n in (150, 1_000, 6_000)]
    assert n_steps == [1, 4, 6]


def test_an_input_that_never_varied_puts_rows_outside_when_it_moves_by_more_than_its_hundredth() -> None:
    case = a_case()
    column = FEATURES.index("network_effects")
    for name in ("train_features", "validation_features"):
        case[name] = case[name].copy()
        case[name][:, column] = 0.5
    profile = fit_confidence(**case)
    rows = case["validation_features"][:200].copy()
    inside = profile.weights(rows, 0.3) > 0
    assert inside.mean() > 0.95
    rows[:, column] = 0.505
    assert (profile.weights(rows, 0.3) > 0).mean() > 0.95
    rows[:, column] = 0.7
    assert not profile.weights(rows, 0.3).any()


def test_validation_rows_out_of_reach_of_training_earn_no_trust() -> None:
    case = a_case() | {"train_features": np.full((100, 39), 0.5, np.float32)}
    case["validation_features"] = np.zeros((1_000, 39), np.float32)
    profile = fit_confidence(**case)
    assert profile.distances(case["validation_features"]).min() >= FARTHEST
    assert profile.steps == ()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"train_features": np.zeros((1, 39))}, r"shapes \(1, 39\)"),
        ({"train_features": np.zeros((10, 38))}, r"shapes \(10, 38\)"),
        ({"neural": np.zeros(3)}, r"neural has the shape \(3,\)"),
        ({"outcome": np.full(1_000, np.nan)}, "outcome has values that are not in"),
        ({"formula": np.full(1_000, 1.5)}, "formula has values that are not in"),
        ({"agent": np.zeros(999)}, "agent has the shape"),
        ({"alpha": 0.0}, "alpha is 0.0"),
    ],
)
def test_what_does_not_fit_together_is_refused(case: dict[str, Any], changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ContractError, match=problem):
        fit_confidence(**case | changes)


def test_the_document_is_small(profile: ConfidenceProfile) -> None:
    assert len(profile.model_dump_json()) < 10_000


def test_a_trained_calling_score_model_brings_its_profile_and_the_outcome_model_none(
    calling_score: TrainedModel, outcome: TrainedModel
) -> None:
    profile = calling_score.document.confidence
    assert profile is not None
    assert profile.alpha == 0.002
    assert profile.n_training_rows == calling_score.document.n_rows_by_split["train"]
    assert profile.n_validation_rows == calling_score.document.n_rows_by_split["validation"]
    assert profile.steps[0].weight > 0.3
    assert outcome.document.confidence is None
