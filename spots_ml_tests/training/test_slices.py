"""A network that is good on the whole and bad for some is refused, where enough agents show it."""

import numpy as np
import pytest

from spots_ml.training.config import TrainingConfig
from spots_ml.training.evaluation import Evaluation, evaluate, judge_network
from spots_ml.training.slices import SLICES
from spots_ml_tests.training.learning_rows import rows_of_a_step

N_AGENTS = 200


def judged(*, wrong_for, n_agents=N_AGENTS):
    """A network that knows the outcome but for some rows, against a formula that is a little off for everybody."""
    rows = rows_of_a_step(n_agents)
    generator = np.random.default_rng(0)
    formula = np.where(np.arange(rows.n_rows) % 4 == 0, 0.8, 0.5)
    wrong = SLICES[wrong_for](rows, formula) if wrong_for else np.zeros(rows.n_rows, bool)
    near = np.clip(rows.outcome_score + 0.1 * generator.normal(size=rows.n_rows), 0, 1)
    predictions = {
        "network": np.where(wrong, np.clip(near + 0.12, 0, 1), np.clip(rows.outcome_score + 0.01, 0, 1)),
        "constant": np.full(rows.n_rows, 0.5),
        "formula": near,
        "recorded_score": near,
        "ridge": near,
        "gradient_boosting": near,
    }
    evaluation = evaluate("calling_score", rows, predictions, formula=formula, prevalence=0.5, n_resamples=100, seed=0)
    return evaluation, judge_network(evaluation, TrainingConfig(tolerated_excess=0.03))


def test_a_network_that_is_better_everywhere_passes_and_every_slice_with_rows_is_told():
    evaluation, verdict = judged(wrong_for=None)
    assert verdict.passed and verdict.measured["n_slices_worse"] == verdict.required["n_slices_worse"] == 0.0
    assert set(evaluation.slices) == set(SLICES) - {"something_unknown", "without_history"}
    assert all(one.decides and one.lead.value > 0 for one in evaluation.slices.values())


@pytest.mark.parametrize("name", ["called_by_formula", "near"])
def test_a_network_that_is_better_on_the_whole_and_worse_on_a_slice_is_refused_by_its_name(name):
    evaluation, verdict = judged(wrong_for=name)
    assert evaluation.leads["formula"].low > 0.0
    assert not verdict.passed and verdict.measured["n_slices_worse"] >= 1.0
    assert f"worse than the formula beyond doubt on {name}" in verdict.message


def test_a_slice_of_few_agents_is_told_and_decides_nothing():
    evaluation, verdict = judged(wrong_for="called_by_formula", n_agents=20)
    one = evaluation.slices["called_by_formula"]
    assert (one.decides, verdict.passed) == (False, True)
    assert one.lead.high < 0.0 and one.effective_agents <= 20


def test_an_evaluation_of_before_has_no_slices_and_is_written_as_it_was():
    evaluation, verdict = judged(wrong_for="called_by_formula")
    earlier = evaluation.model_copy(update={"slices": {}})
    assert "slices" not in earlier.model_dump(mode="json")
    assert Evaluation.model_validate(earlier.model_dump(mode="json")) == earlier
    assert judge_network(earlier, TrainingConfig()).passed and not verdict.passed
