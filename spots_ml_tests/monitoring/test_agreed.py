"""When to learn again, and over which time a version is measured: what the app's team was promised."""

from datetime import timedelta

from spots_ml.interactions.learning.maturity import DEFAULT_WINDOW
from spots_ml.monitoring.formula_baseline import OUTCOME_GAIN, SCORE_GAIN
from spots_ml.monitoring.performance import METRICS, WINDOW_DAYS
from spots_ml.monitoring.retraining import RetrainConfig
from spots_ml.scoring.arms import FORMULA_ARM
from spots_ml.settings import Settings


def test_a_model_learns_again_after_a_thousand_labels_or_corrections_or_seven_days():
    agreed = {
        "new_labels": 1_000,
        "corrected_labels": 1_000,
        "max_age_days": 7.0,
        "backoff_first_hours": 1.0,
        "backoff_max_hours": 24.0,
        # The threshold of labels stays where it was agreed on, unless somebody declares bounds for it.
        "least_labels": None,
        "most_labels": None,
    }
    assert {name: value for name, value in RetrainConfig().model_dump().items() if name in agreed} == agreed


def test_a_version_is_measured_over_seven_days_by_outcomes_that_had_two():
    assert WINDOW_DAYS == 7
    assert timedelta(hours=48) == DEFAULT_WINDOW
    assert Settings().maturity_hours == 48.0
    assert FORMULA_ARM == "formula"
    assert " ".join(METRICS) == (
        "called_rate positive_outcome_rate mean_calling_score mean_outcome_score fallback_rate"
    )


def test_the_targets_are_fifteen_and_twenty_per_cent_better_than_the_formula():
    assert (SCORE_GAIN, OUTCOME_GAIN) == (0.15, 0.20)
