"""Answers and rankings, beside scikit-learn's numbers of the same rows repeated."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn import metrics as peer

from spots_ml.estimates.agents import Agents, Resampling
from spots_ml.estimates.statistic import AreaUnderCurve, answer_quality, estimate_all

N_ROWS = 300


@pytest.fixture
def rows() -> tuple[Agents, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    score = generator.random(N_ROWS).round(2)
    return Agents.of(generator.integers(0, 25, N_ROWS)), score, generator.random(N_ROWS) < score


def test_answers_are_judged_as_scikit_learn_judges_them_however_often_agents_count(
    rows: tuple[Agents, np.ndarray, np.ndarray],
) -> None:
    agents, score, truth = rows
    for counts in Resampling(0, 3).counts(agents.n):
        for each in counts:
            weight = each[agents.code]
            found = {name: one.of(each[None])[0] for name, one in answer_quality(agents, score > 0.6, truth).items()}
            assert found == pytest.approx(
                {
                    "accuracy": peer.accuracy_score(truth, score > 0.6, sample_weight=weight),
                    "precision": peer.precision_score(truth, score > 0.6, sample_weight=weight),
                    "recall": peer.recall_score(truth, score > 0.6, sample_weight=weight),
                    "f1": peer.f1_score(truth, score > 0.6, sample_weight=weight),
                }
            )
            area = AreaUnderCurve(agents, score, truth).of(each[None])[0]
            assert area == pytest.approx(peer.roc_auc_score(truth, score, sample_weight=weight))


def test_the_area_is_the_statistic_of_mann_and_whitney(rows: tuple[Agents, np.ndarray, np.ndarray]) -> None:
    agents, score, truth = rows
    statistic = mannwhitneyu(score[truth], score[~truth]).statistic / (truth.sum() * (~truth).sum())
    found = estimate_all({"auc": AreaUnderCurve(agents, score, truth)}, Resampling(0, 100))["auc"]
    assert found.value == pytest.approx(statistic, abs=1e-7)
    assert found.low is not None and found.high is not None
    assert found.low < statistic < found.high


def test_ties_count_half_and_one_class_has_no_area() -> None:
    agents, truth = Agents.of(np.arange(4)), np.array([True, False, True, False])
    everybody = np.ones((1, 4))
    assert AreaUnderCurve(agents, np.full(4, 0.3), truth).of(everybody) == 0.5
    assert np.isnan(AreaUnderCurve(agents, np.arange(4.0), np.ones(4, bool)).of(everybody)).all()


def test_a_perfect_ranking_of_few_agents_is_not_certain() -> None:
    agents, score = Agents.of(np.arange(20)), np.arange(20.0)
    for n_true in (1, 2, 10):
        found = estimate_all({"auc": AreaUnderCurve(agents, score, score >= 20 - n_true)}, Resampling(0, 50))["auc"]
        assert found.value == 1.0
        if n_true == 1:
            assert found.low is None
        else:
            # As if each true row were a trial: 0.025^(1/n)
            assert (found.low, found.high) == (pytest.approx(0.025 ** (1 / n_true), abs=1e-6), 1.0)


def test_what_nobody_answered_or_nobody_is_has_no_precision_or_recall() -> None:
    agents, nothing, some = Agents.of(np.arange(4)), np.zeros(4, bool), np.array([True, False, False, False])
    found = estimate_all(answer_quality(agents, nothing, some), Resampling(0, 20))
    assert (found["precision"].value, found["recall"].value, found["f1"].value) == (None, 0.0, 0.0)
    found = estimate_all(answer_quality(agents, some, nothing), Resampling(0, 20))
    assert (found["precision"].value, found["recall"].value, found["f1"].value) == (0.0, None, 0.0)
