"""Enough labels and expectations that hold, or a sentence that says what is missing."""

import pytest

from spots_ml.interactions.learning.expectations import ExpectationResult
from spots_ml.interactions.learning.fitness import judge_expectations, judge_labels
from spots_ml_tests.interactions.reported import report

HOLDS = ExpectationResult("expect_column_max_to_be_between", "energy_match", True, "critical", "0.9", 0, (), "")
FAILS = ExpectationResult("expect_column_min_to_be_between", "energy_match", False, "critical", "-0.2", 0, (), "")
WARNS = ExpectationResult("expect_column_stdev_to_be_between", "energy_match", False, "warning", "0.0", 0, (), "")


def refusal(*counts: int, **changes: object) -> str:
    verdict = judge_labels(report(*counts, **changes))
    assert not verdict.passed
    return verdict.message


def test_the_recommended_amount_passes_without_a_warning() -> None:
    verdict = judge_labels(report(10_000, 20_000))
    assert verdict.passed
    assert verdict.message == "10,000 labelled of 20,000 accepted: as much as recommended"


def test_enough_to_train_but_less_than_recommended_passes_with_a_warning() -> None:
    verdict = judge_labels(report(1_000, 1_000))
    assert verdict.passed
    assert "1,000" in verdict.message and "10,000 are recommended" in verdict.message


def test_one_label_too_few_is_refused_with_the_number_missing() -> None:
    assert "999 labelled interactions, at least 1,000 are needed (1 missing)" in refusal(999, 999)


def test_too_sparse_labels_are_refused_with_the_share() -> None:
    assert "49.9% of 10,000 accepted interactions have an outcome, at least 50.0% must" in refusal(4_990, 10_000)


def test_everything_that_is_missing_is_listed_at_once() -> None:
    sentence = refusal(10, 1_000, n_positive=10)
    assert "10 labelled" in sentence and "1.0% of 1,000" in sentence and "every labelled outcome is pos" in sentence


def test_no_rows_at_all_are_refused_without_dividing_by_zero() -> None:
    assert "0 labelled" in refusal(0, 0)


def test_a_constant_outcome_score_is_refused() -> None:
    assert "every outcome score is 0.5" in refusal(2_000, 2_000, outcome_score_range=(0.5, 0.5))


@pytest.mark.parametrize("n_positive", [0, 2_000])
def test_a_single_class_is_refused(n_positive: int) -> None:
    assert "labelled outcome is positive" in refusal(2_000, 2_000, n_positive=n_positive)


def test_no_expectation_is_no_pass() -> None:
    verdict = judge_expectations([])
    assert not verdict.passed
    assert "no expectation was evaluated" in verdict.message


def test_a_critical_expectation_that_does_not_hold_is_named_and_a_warning_passes() -> None:
    assert judge_expectations([HOLDS, WARNS]).passed
    verdict = judge_expectations([HOLDS, FAILS, WARNS])
    assert not verdict.passed
    assert "1 of 3 expectations" in verdict.message
    assert "expect_column_min_to_be_between(energy_match): -0.2" in verdict.message
