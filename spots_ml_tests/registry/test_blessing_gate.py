"""What a version must be beside the champion and what stands in, on rows of agents that neither learned from."""

from dataclasses import replace

import numpy as np
import pytest

from spots_ml.registry.gates.blessing import BlessingReport, FreshRows, bless, worth
from spots_ml.registry.gates.blessing_rules import BlessingRules
from spots_ml.scoring.fallback import ModelUnavailableError
from spots_ml.scoring.formula import formula_score
from spots_ml.scoring.served import MissingModel, ServedModel
from spots_ml_tests.models.third_kind import TREND, declaring
from spots_ml_tests.training.learning_rows import rows_of_a_step

NOBODY = {name: MissingModel("no_version", "none", filter_on=False) for name in ("calling_score", "outcome")}
RULES = BlessingRules(n_resamples=300)
N_AGENTS = 80


class Knowing:
    """Answers the truth of these rows, as far off as it is told."""

    def __init__(self, rows, off=0.0, model_type="calling_score"):
        truth = rows.target(model_type)
        self.known = {features.tobytes(): answer for features, answer in zip(rows.features, truth + off, strict=True)}

    def predict(self, inputs):
        return np.clip([self.known[row[:39].tobytes()] for row in inputs], 0.0, 1.0).astype(np.float32)


class Silent:
    def predict(self, inputs):
        raise ModelUnavailableError("failed", "no answer")


@pytest.fixture(scope="module")
def rows():
    rows = rows_of_a_step(N_AGENTS)
    features = rows.features.copy()
    features[:, 24:39] = np.clip(features[:, 24:39] + 0.2, 0.0, 1.0)
    made = replace(rows, features=features)
    assert 0.1 < np.mean(formula_score(made.features).score >= 0.7) < 0.9
    return made


def served(predictor, version="v1.1-real", **changes):
    return ServedModel(version, predictor, 0.1, **changes)


def blessed(rows, candidate, champion=None, now=NOBODY, model_type="calling_score", rules=RULES, **left_out):
    left = {"n_rows_left_out": 0, "n_agents_left_out": 0} | left_out
    fresh = FreshRows(rows, rows, **left)
    if champion is not None:
        now = {**now, model_type: champion}
    return bless(model_type, candidate, champion, now, fresh, rules=rules, seed=1)


def told(blessing):
    report = BlessingReport.model_validate(blessing.comparison)
    return report, {(one.subject, one.against, one.metric): one for one in report.overall}


def test_the_first_version_is_compared_with_the_formula_alone(rows):
    blessing = blessed(rows, served(Knowing(rows, 0.05)))
    report, found = told(blessing)

    assert blessing.passed
    assert (blessing.champion, report.weights) == (None, (0.1, 0.3))
    assert set(found) == {
        ("network", "formula", "mse"),
        *((f"hybrid_at_{weight}", "formula", metric) for weight in (0.1, 0.3) for metric in ("mse", "value")),
    }
    assert "800 rows of 80 agents that neither learned from" in blessing.sentence


def test_with_a_champion_it_is_compared_with_both_at_the_weights_of_both(rows):
    champion = replace(served(Knowing(rows, 0.1), "v1.0-real"), weight=0.2)
    blessing = blessed(rows, served(Knowing(rows, 0.05)), champion)
    report, found = told(blessing)

    assert (blessing.passed, blessing.champion) == (True, "v1.0-real")
    assert report.weights == (0.1, 0.2, 0.3)
    assert {against for _, against, _ in found} == {"v1.0-real", "formula"}
    hybrid = found["hybrid_at_0.2", "v1.0-real", "mse"]
    formula, target = formula_score(rows.features).score, rows.outcome_score.astype(np.float64)
    by_hand = np.mean((0.8 * formula + 0.2 * champion.predictor.predict(rows.features) - target) ** 2)
    assert hybrid.other == pytest.approx(by_hand, rel=1e-6)


def test_one_that_is_worse_than_the_champion_is_refused_with_its_numbers(rows):
    blessing = blessed(rows, served(Knowing(rows, 0.12)), served(Knowing(rows, 0.1), "v1.0-real"))

    assert not blessing.passed
    assert "network mse" in blessing.sentence
    assert "of v1.0-real" in blessing.sentence


def test_one_that_beats_the_champion_and_not_the_formula_is_refused(rows):
    blessing = blessed(rows, served(Knowing(rows, 0.7)), served(Knowing(rows, 0.8), "v1.0-real"))

    assert not blessing.passed
    assert all(one.passed for key, one in told(blessing)[1].items() if key[1] == "v1.0-real" and key[2] == "mse")
    assert "of formula" in blessing.sentence


def test_one_that_is_better_over_all_and_much_worse_for_new_agents_is_refused(rows):
    history = rows.history.copy()
    history[: rows.n_rows // 2, 3] = 0.0
    made = replace(rows, history=history)
    off = np.where(history[:, 3] == 0.0, 0.12, 0.0).astype(np.float32)
    blessing = blessed(made, served(Knowing(made, off)), served(Knowing(made, 0.1), "v1.0-real"))
    report, found = told(blessing)

    assert found["network", "v1.0-real", "mse"].passed
    assert not blessing.passed
    assert "on new_agents" in blessing.sentence
    assert {one.slice_name for one in report.slices if not one.passed} >= {"new_agents"}
    assert "known_agents" not in {one.slice_name for one in report.slices if not one.passed}


def test_the_same_model_again_is_no_worse(rows):
    again = Knowing(rows, 0.1)
    assert blessed(rows, served(again), served(again, "v1.0-real")).passed


@pytest.mark.parametrize("champion", [None, "v1.0-real"])
def test_too_few_agents_are_a_no_that_says_who_was_left_out(rows, champion):
    few = rows.take(rows.agent < 5)
    beside = None if champion is None else served(Knowing(rows, 0.5), champion)
    blessing = blessed(few, served(Knowing(rows)), beside, rules=BlessingRules(least_rows=1), n_rows_left_out=9)

    assert not blessing.passed
    assert "50 rows of 5 agents that neither learned from (without 9 rows of 0 agents" in blessing.sentence
    assert "100" not in blessing.sentence
    assert "8 agents are needed" in blessing.sentence


def test_a_champion_that_does_not_answer_is_a_no(rows):
    missing = MissingModel("damaged", "its file is gone", "v1.0-real")
    blessing = blessed(rows, served(Knowing(rows)), missing)

    assert (blessing.passed, blessing.champion) == (False, "v1.0-real")
    assert "its file is gone" in blessing.sentence


@pytest.mark.parametrize("which", ["candidate", "champion"])
def test_a_model_that_falls_silent_is_no_number(rows, which):
    models = {"candidate": served(Knowing(rows)), "champion": served(Knowing(rows, 0.1), "v1.0-real")}
    models[which] = replace(models[which], predictor=Silent())

    with pytest.raises(ModelUnavailableError):
        blessed(rows, **models)


def test_an_outcome_model_is_judged_by_its_promises_and_by_what_its_filter_does(rows):
    blessing = blessed(rows, served(Knowing(rows, 0.0, "outcome")), model_type="outcome")
    report, found = told(blessing)

    assert blessing.passed
    assert report.weights == ()
    assert set(found) == {
        ("network", "outcome rule", "brier"),
        ("network", "outcome rule", "log_loss"),
        ("filtered", "no filter", "value"),
    }
    filtered = found["filtered", "no filter", "value"]
    assert filtered.own > filtered.other, "who knows the outcomes blocks only what does no good"


class Doubting(Knowing):
    """Right about who is content, and never sure enough: its filter blocks everybody."""

    def predict(self, inputs):
        return (0.69 * super().predict(inputs)).astype(np.float32)


@pytest.mark.parametrize(("filter_on", "passes"), [(True, False), (False, True)])
def test_a_filter_that_takes_good_calls_away_is_refused_unless_it_is_off(rows, filter_on, passes):
    happy = replace(rows, outcome_score=np.full(rows.n_rows, 0.9, np.float32), positive=np.ones(rows.n_rows, bool))
    happy.positive[::7] = False
    model = Doubting(happy, 0.0, "outcome")
    blessing = blessed(happy, served(model, filter_on=filter_on), model_type="outcome")

    assert told(blessing)[1]["filtered", "no filter", "value"].passed is passes
    assert ("filtered value" in blessing.sentence) is not passes


def test_a_kind_without_a_part_in_the_decision_is_judged_by_its_answers_alone(rows):
    with declaring(TREND):
        blessing = blessed(rows, served(Knowing(rows, 0.05, TREND.name)), model_type=TREND.name)
    assert {subject for subject, *_ in told(blessing)[1]} == {"network"}


def test_the_same_comparison_says_the_same(rows):
    assert blessed(rows, served(Knowing(rows, 0.1))) == blessed(rows, served(Knowing(rows, 0.1)))


def test_what_is_worth_nothing():
    assert worth(np.array([True, False]), np.array([0.5, 0.0])).tolist() == [0.0, 0.0]
