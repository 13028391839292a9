"""Enough data, or a sentence that says what is missing."""

import pytest

from spots_ml.errors import InsufficientDataError
from spots_ml.interactions.learning.sufficiency import check_sufficiency
from spots_ml_tests.interactions.reported import report


def test_the_recommended_amount_passes_in_silence() -> None:
    assert check_sufficiency(report(10_000, 20_000)) == []


def test_enough_to_train_but_less_than_recommended_is_a_warning() -> None:
    (warning,) = check_sufficiency(report(1_000, 1_000))
    assert "1,000" in warning and "10,000 are recommended" in warning


def test_one_label_too_few_is_refused_with_the_number_missing() -> None:
    with pytest.raises(InsufficientDataError, match=r"999 labelled .* at least 1,000 .* \(1 missing\)"):
        check_sufficiency(report(999, 999))


def test_too_sparse_labels_are_refused_with_the_share() -> None:
    with pytest.raises(InsufficientDataError, match=r"49\.9% of 10,000 .* at least 50\.0%"):
        check_sufficiency(report(4_990, 10_000))


def test_everything_that_is_missing_is_listed_at_once() -> None:
    with pytest.raises(InsufficientDataError, match=r"10 labelled.*1\.0% of 1,000.*every labelled outcome is pos"):
        check_sufficiency(report(10, 1_000, n_positive=10))


def test_no_rows_at_all_are_refused_without_dividing_by_zero() -> None:
    with pytest.raises(InsufficientDataError, match="0 labelled"):
        check_sufficiency(report(0, 0))


def test_a_constant_outcome_score_is_refused() -> None:
    with pytest.raises(InsufficientDataError, match=r"every outcome score is 0\.5"):
        check_sufficiency(report(2_000, 2_000, outcome_score_range=(0.5, 0.5)))


@pytest.mark.parametrize("n_positive", [0, 2_000])
def test_a_single_class_is_refused(n_positive: int) -> None:
    with pytest.raises(InsufficientDataError, match="labelled outcome is positive"):
        check_sufficiency(report(2_000, 2_000, n_positive=n_positive))
