"""The verdict on a dataset: every reason alone makes it a no, and it is kept beside the dataset until asked for."""

import pytest

from spots_ml.errors import GateError
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.learning.expectations import ExpectationResult
from spots_ml.interactions.learning.fitness import SufficiencyConfig, judge_dataset, keep_verdict, read_verdict
from spots_ml_tests.interactions.reported import report


def found(passed=True, severity="critical", error=""):
    return ExpectationResult("expect_column_min_to_be_between", "energy_match", passed, severity, "0.1", 0, (), error)


ALL_HOLD = (found(), found())


def judged(n_labelled=1_000, n_accepted=2_000, results=ALL_HOLD, **changes):
    return judge_dataset(
        report(n_labelled, n_accepted, **changes),
        results,
        validation=ValidationConfig(),
        sufficiency=SufficiencyConfig(),
    )


def test_a_repetition_that_is_set_aside_is_not_broken():
    verdict = judged(n_quarantined=50, n_read=100, reasons={"duplicate": 45, "wrong_type": 5})

    assert verdict.measured["broken_share"] == 0.05
    assert verdict.passed


def test_a_dataset_at_every_limit_is_fit_and_the_verdict_says_all_numbers():
    verdict = judged(n_quarantined=5, n_read=100)

    assert verdict.passed
    assert verdict.gate == "valid_dataset"
    assert verdict.measured == {
        "n_labelled": 1_000.0,
        "label_coverage": 0.5,
        "broken_share": 0.05,
        "n_expectations": 2.0,
        "n_expectations_failed": 0.0,
    }
    assert verdict.required == {
        "n_labelled": 1_000.0,
        "label_coverage": 0.5,
        "broken_share": 0.05,
        "n_expectations": 1.0,
        "n_expectations_failed": 0.0,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"results": (found(), found(passed=False))},
        {"results": (found(passed=False, error="the column is missing"),)},
        {"results": ()},
        {"n_labelled": 999, "n_accepted": 999},
        {"n_accepted": 2_001},
        {"n_quarantined": 51, "n_read": 1_000},
        {"n_read": 0},
        {"n_labelled": 0, "n_accepted": 0},
    ],
    ids=[
        "a failed expectation",
        "an expectation that could not be evaluated",
        "no expectation at all",
        "a label too few",
        "too little coverage",
        "too many broken rows",
        "nothing read",
        "no rows",
    ],
)
def test_each_of_these_alone_makes_a_dataset_unfit(changes):
    assert not judged(**changes).passed


def test_a_warning_that_does_not_hold_is_not_counted():
    verdict = judged(results=(found(), found(passed=False, severity="warning")))

    assert verdict.passed
    assert verdict.measured["n_expectations_failed"] == 0.0


def test_an_unfit_dataset_says_how_far_it_is():
    verdict = judged(1_500, 10_000, results=(found(), found(passed=False)), n_quarantined=250, n_read=10_250)

    assert verdict.message == ("1,500 labelled rows (15% of the accepted), 2.4% broken, 1 of 2 expectations hold")
    assert (verdict.measured["label_coverage"], verdict.required["label_coverage"]) == (0.15, 0.5)
    assert (verdict.measured["n_expectations_failed"], verdict.required["n_expectations_failed"]) == (1.0, 0.0)


@pytest.mark.parametrize("n_accepted", [2_000, 2_001])
def test_a_verdict_is_read_back_as_it_went(tmp_path, n_accepted):
    verdict = judged(n_accepted=n_accepted)
    keep_verdict(tmp_path, "d" * 64, verdict)

    assert read_verdict(tmp_path, "d" * 64) == verdict


def test_a_dataset_that_was_never_judged_or_whose_verdict_was_touched_is_refused(tmp_path):
    with pytest.raises(GateError, match="has no readable verdict"):
        read_verdict(tmp_path, "d" * 64)

    keep_verdict(tmp_path, "d" * 64, judged(n_accepted=2_001))
    path = tmp_path / ("d" * 64) / "verdict.json"
    path.write_bytes(path.read_bytes().replace(b'"passed": false', b'"passed": true'))
    with pytest.raises(GateError, match="materialise validated_dataset again"):
        read_verdict(tmp_path, "d" * 64)
