"""What a version does to the decision is measured before it answers anything, and bounded."""

from dataclasses import replace

import numpy as np
import pytest

from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.registry.gates.decision_gate import decision_effect
from spots_ml.scoring.decision_effect import DecisionBounds
from spots_ml.scoring.formula import formula_score
from spots_ml.scoring.served import MissingModel, ServedModel
from spots_ml_tests.models.third_kind import TREND, declaring
from spots_ml_tests.registry.building import all_verdicts
from spots_ml_tests.training.learning_rows import rows_of_a_step

NOBODY = {
    "calling_score": MissingModel("no_version", "none", filter_on=False),
    "outcome": MissingModel("no_version", "none", filter_on=False),
}


class Answering:
    """Answers by a function of the inputs."""

    def __init__(self, function):
        self.function = function

    def predict(self, inputs):
        return np.clip(self.function(inputs), 0.0, 1.0).astype(np.float32)


def always(value):
    return Answering(lambda inputs: np.full(len(inputs), value))


def favourable_rows(n_agents=60):
    """Rows of which the formula calls some."""
    rows = rows_of_a_step(n_agents)
    features = rows.features.copy()
    features[:, 24:30] = np.linspace(0.0, 1.0, rows.n_rows)[::-1][:, None]
    features[:, 12:24] = 0.9 * features[:, :12] + 0.1 * features[:, 12:24]
    features[:, 30:34] = 0.9
    features[:, 34:39] = 0.9
    return replace(rows, features=features)


@pytest.fixture(scope="module")
def rows() -> LabelledRows:
    rows = favourable_rows()
    assert 0.1 < np.mean(formula_score(rows.features).score >= 0.7) < 0.9
    return rows


def measured(model_type, predictor, rows, now=NOBODY, **changes):
    candidate = ServedModel("v1.0-real", predictor)
    return decision_effect(model_type, candidate, now, rows, n_resamples=50, seed=0, **changes)


def test_a_filter_that_blocks_everybody_is_switched_off_and_says_so(rows):
    found = measured("outcome", always(0.5), rows)
    on, off = found.report.effects
    assert (on.decides, on.called.value, on.blocked.value) == ("filter_on", 0.0, 1.0)
    assert (off.decides, off.called.value, off.changed.value) == ("filter_off", on.called_before.value, 0.0)
    assert not found.filter_on
    assert found.verdict.passed
    assert found.verdict.measured["filter_on"] == 0.0
    assert "switched off" in found.verdict.message
    assert "0.0% are called" in found.verdict.message


def test_a_filter_that_lets_most_calls_through_is_on(rows):
    found = measured("outcome", always(0.99), rows, bounds=DecisionBounds(most_changed=1.0))
    assert found.filter_on
    assert found.verdict.passed
    assert [effect.decides for effect in found.report.effects] == ["filter_on"]


def test_calls_that_the_filter_pushes_below_the_threshold_count_as_taken_away(rows):
    score = formula_score(rows.features).score
    found = measured("outcome", always(0.75), rows)
    effect = found.report.effects[0]
    assert effect.called.value == pytest.approx(np.mean(score * np.float32(0.75) >= 0.7))
    assert effect.blocked.value == pytest.approx(1 - effect.called.value / effect.called_before.value)


def test_a_score_like_the_formula_passes_at_both_weights(rows):
    found = measured("calling_score", Answering(lambda inputs: formula_score(inputs).score), rows)
    assert found.verdict.passed
    assert [one.decides for one in found.report.effects] == ["hybrid_at_0.1", "hybrid_at_0.3"]
    assert found.report.effects[0].changed.value == pytest.approx(0.0, abs=1e-3)
    assert list(found.report.shipped) == ["hybrid_at_0.1", "hybrid_at_0.3", "formula"]


def test_a_score_that_calls_nobody_at_a_weight_it_may_have_is_refused(rows):
    found = measured("calling_score", always(0.0), rows)
    assert not found.verdict.passed
    assert "hybrid_at_0.3: " in found.verdict.message
    assert found.filter_on


def test_too_few_rows_refuse_a_score_and_switch_a_filter_off(rows):
    few = rows.take(np.arange(40))
    score = measured("calling_score", Answering(lambda inputs: formula_score(inputs).score), few)
    assert not score.verdict.passed
    assert "40 rows of 4 agents are too few" in score.verdict.message
    outcome = measured("outcome", always(0.99), few)
    assert outcome.verdict.passed
    assert not outcome.filter_on


def test_it_is_held_against_what_answers_now_as_well(rows):
    now = {**NOBODY, "calling_score": ServedModel("v0.9-real", always(0.0), weight=0.1)}
    found = measured("calling_score", always(1.0), rows, now=now, bounds=DecisionBounds(most_changed=0.05))
    against = {one.against for one in found.report.effects}
    assert against == {"formula", "calling_score v0.9-real"}
    assert not found.verdict.passed
    assert "of calling_score v0.9-real" in found.verdict.message


def test_a_filter_beside_it_that_is_on_takes_part(rows):
    now = {**NOBODY, "outcome": ServedModel("v0.9-real", always(0.5))}
    found = measured("calling_score", Answering(lambda inputs: formula_score(inputs).score), rows, now=now)
    assert found.report.beside == {"outcome": "v0.9-real"}
    assert found.report.effects[0].called.value == 0.0
    assert not found.verdict.passed
    off = {**NOBODY, "outcome": ServedModel("v0.9-real", always(0.5), filter_on=False)}
    assert measured(
        "calling_score", Answering(lambda inputs: formula_score(inputs).score), rows, now=off
    ).verdict.passed


def test_a_kind_without_a_part_in_the_decision_changes_none(rows):
    with declaring(TREND):
        found = measured("trend", always(0.1), rows)
    assert found.report is None
    assert found.verdict.passed
    assert found.verdict.required


def test_its_verdict_is_one_that_registering_asks_for():
    assert {"decision_effect", "not_worse_than_champion"} <= {one.gate for one in all_verdicts()}
