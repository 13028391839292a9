"""The scorer: one row is a million rows, nothing stops a score, and nothing that is no number gets in."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spots_ml.errors import ConfigError, ContractError
from spots_ml.features.contract import FEATURES, RAW_FEATURES
from spots_ml.features.derived import derive
from spots_ml.scoring.decision import Scores
from spots_ml.scoring.fallback import ANSWERED, FALLBACK_REASONS, ModelUnavailableError, outcome_rule
from spots_ml.scoring.formula import FormulaScore, formula_score
from spots_ml.scoring.scorer import _PIECE_ROWS, Scorer
from spots_ml.scoring.served import MissingModel, ServedModel
from spots_ml_tests.scoring.scoring_rows import assert_same, columns, make_inputs, take


class Blend:
    """Answers with one input or, where that is above 0.99, with NaN."""

    def __init__(self, column):
        self.column = column

    def predict(self, inputs):
        answers = inputs[:, self.column]
        return np.where(answers > 0.99, np.float32(np.nan), answers)


class Trouble:
    def predict(self, inputs):
        raise ModelUnavailableError("slow", f"{len(inputs)} rows")


class ByProximity:
    def weights(self, features, limit):
        return limit * (features[:, FEATURES.index("location_proximity")] > 0.5)


CALLING, OUTCOME = ServedModel("v1.0-real", Blend(24), 0.3), ServedModel("v2.0-real", Blend(27))
MISSING = {
    reason: (MissingModel(reason, "said so"), MissingModel(reason, "said so", "v2.0-real"))
    for reason in FALLBACK_REASONS
}


SCORERS = {
    "both": Scorer(CALLING, OUTCOME),
    "by confidence": Scorer(replace(CALLING, confidence=ByProximity()), OUTCOME),
    "exploring": Scorer(CALLING, OUTCOME, exploration=0.2),
    "no calling score": Scorer(MISSING["damaged"][0], OUTCOME),
    "slow outcome": Scorer(CALLING, ServedModel("v2.0-real", Trouble())),
}


@pytest.mark.parametrize("name", SCORERS)
def test_one_row_is_as_many_and_order_means_nothing(name):
    scorer, inputs = SCORERS[name], make_inputs(3 * _PIECE_ROWS + 17)
    scores = scorer.score(inputs)

    order = np.random.default_rng(1).permutation(inputs.n_rows)
    shuffled = scorer.score(take(inputs, order))
    for key, values in columns(scores).items():
        np.testing.assert_array_equal(values[order], columns(shuffled)[key], err_msg=key)
    for row in (0, _PIECE_ROWS - 1, _PIECE_ROWS, inputs.n_rows - 1):
        alone = scorer.score(take(inputs, slice(row, row + 1)))
        for key, values in columns(scores).items():
            np.testing.assert_array_equal(values[row : row + 1], columns(alone)[key], err_msg=key)
    one_thread = Scorer(scorer.calling_score, scorer.outcome, exploration=scorer.exploration, n_threads=1)
    assert_same(one_thread.score(inputs), scores)


def test_no_rows_are_no_trouble():
    scores = SCORERS["both"].score(make_inputs(0))

    assert scores.n_rows == 0
    assert scores.fallback_texts() == []
    assert scores.fallback_counts() == {}


def test_every_number_is_where_it_belongs():
    inputs = make_inputs(2000)
    scores = SCORERS["both"].score(inputs)
    formula = formula_score(
        inputs.features,
        trajectory_potential=inputs.trajectory_potential,
        positive_influence=inputs.positive_influence,
    )
    answered = scores.calling_score_fallback == ANSWERED

    np.testing.assert_array_equal(scores.formula.score, formula.score)
    np.testing.assert_array_equal(scores.weight, np.where(inputs.hybrid & answered, 0.3, 0.0))
    np.testing.assert_array_equal(scores.neural_score[answered], inputs.features[answered, 24].astype(float))
    assert np.isnan(scores.neural_score[~answered]).all()
    np.testing.assert_array_equal(scores.hybrid_score[~inputs.hybrid], formula.score[~inputs.hybrid])
    for name in ("outcome_probability", "hybrid_score", "score"):
        assert ((getattr(scores, name) >= 0) & (getattr(scores, name) <= 1)).all()
    assert not (scores.called & scores.blocked).any()
    np.testing.assert_array_equal(scores.called, ~scores.blocked & (scores.score >= 0.7))
    assert (scores.propensity == 1).all()
    assert not scores.explored.any()


@pytest.mark.parametrize("reason", FALLBACK_REASONS)
def test_without_models_the_formula_and_the_rule_answer_and_every_row_says_why(reason):
    inputs = make_inputs(500)
    scores = Scorer(*MISSING[reason]).score(inputs)
    rule = outcome_rule(np.concatenate([inputs.features, inputs.history], axis=1))

    np.testing.assert_array_equal(scores.hybrid_score, scores.formula.score)
    np.testing.assert_array_equal(scores.outcome_probability, rule)
    assert np.isnan(scores.neural_score).all()
    assert (scores.weight == 0).all()
    assert scores.fell_back.all()
    assert set(scores.fallback_texts()) == {f"calling_score: {reason}, outcome: {reason}"}
    assert scores.fallback_counts() == {f"calling_score: {reason}": 500, f"outcome: {reason}": 500}
    assert [arm.versions for arm in scores.arms] == [{"calling_score": None, "outcome": "v2.0-real"}] * 2


@pytest.mark.parametrize("answers", [True, False])
def test_a_filter_that_is_off_blocks_nothing_and_its_probability_is_told_all_the_same(answers):
    inputs = make_inputs(500)
    model = OUTCOME if answers else MISSING["damaged"][1]
    on, off = (Scorer(CALLING, replace(model, filter_on=filter_on)).score(inputs) for filter_on in (True, False))
    assert np.array_equal(on.outcome_probability, off.outcome_probability)
    assert np.array_equal(on.hybrid_score, off.hybrid_score)
    assert not off.filter_on.any()
    assert on.filter_on.all()
    assert on.blocked.any()
    assert not off.blocked.any()
    assert off.score == pytest.approx(np.minimum(off.hybrid_score * (1 + inputs.trend_boost), 1.0))
    assert np.array_equal(off.called, off.score >= 0.7)


def test_falling_back_gives_the_very_scores_of_a_formula_based_agent():
    inputs = make_inputs(500)
    fallen = Scorer(MISSING["slow"][0], OUTCOME).score(inputs)
    control = SCORERS["both"].score(replace(inputs, hybrid=np.zeros(500, bool)))

    np.testing.assert_array_equal(fallen.score, control.score)
    np.testing.assert_array_equal(fallen.called, control.called)


def test_only_the_rows_that_a_model_does_not_answer_fall_back():
    inputs = make_inputs(300)
    inputs.features[7, 24] = 0.999
    inputs.features[8, 27] = 0.999
    inputs.features[9, [24, 27]] = 0.999
    inputs.features[:, 24] = np.where(np.isin(np.arange(300), [7, 9]), inputs.features[:, 24], 0.5)
    inputs.features[:, 27] = np.where(np.isin(np.arange(300), [8, 9]), inputs.features[:, 27], 0.5)
    scores = SCORERS["both"].score(inputs)

    texts = scores.fallback_texts()
    assert {row: text for row, text in enumerate(texts) if text} == {
        7: "calling_score: bad_answer",
        8: "outcome: bad_answer",
        9: "calling_score: bad_answer, outcome: bad_answer",
    }
    assert scores.fallback_counts() == {"calling_score: bad_answer": 2, "outcome: bad_answer": 2}
    assert np.isfinite(scores.score).all()


def test_the_weight_follows_the_confidence_and_never_exceeds_the_versions_own():
    inputs = make_inputs(1000)
    weight = SCORERS["by confidence"].score(inputs).weight
    near = inputs.features[:, 24] > 0.5

    assert (weight[~near] == 0).all()
    assert set(np.unique(weight[near & inputs.hybrid & (inputs.features[:, 24] < 0.99)])) == {0.3}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"features": math.nan}, "agent_exploration_eagerness of row 5 is nan"),
        ({"features": 1.5}, r"agent_exploration_eagerness of row 5 is 1.5, expected a number in \[0, 1\]"),
        ({"history": -0.1}, "past_positive_rate of row 5 is -0.1"),
        ({"trend_boost": 0.3}, r"trend_boost of row 5 is 0.3, expected a number in \[-0.1, 0.2\]"),
        ({"trajectory_potential": math.inf}, "trajectory_potential of row 5 is inf"),
        ({"positive_influence": math.nan}, "positive_influence of row 5 is nan"),
    ],
)
def test_what_is_no_number_in_its_range_is_refused_by_name(change, told):
    [(name, value)] = change.items()
    array = getattr(inputs := make_inputs(_PIECE_ROWS + 50), name)
    array[(5, 0) if array.ndim == 2 else 5] = value

    with pytest.raises(ContractError, match=told):
        SCORERS["both"].score(inputs)


def test_a_single_number_for_all_rows_is_checked_too():
    with pytest.raises(ContractError, match="trend_boost is nan"):
        SCORERS["both"].score(make_inputs(3, trend_boost=math.nan))


def test_wrong_shapes_are_told_all_at_once():
    inputs = make_inputs(4, features=np.zeros((4, 38), np.float32), hybrid=np.zeros(3, bool), chance=None)

    with pytest.raises(ContractError, match=r"features has the shape \(4, 38\), expected \(4, 39\); hybrid .*; chance"):
        SCORERS["exploring"].score(inputs)


@pytest.mark.parametrize("share", [-0.1, np.nextafter(0.0, -1.0), np.nextafter(0.2, 1.0), 0.21, math.nan])
def test_exploration_is_a_small_share(share):
    with pytest.raises(ConfigError, match=r"expected a share from 0 to 0\.2"):
        Scorer(CALLING, OUTCOME, exploration=share)


def test_a_weight_is_a_share():
    with pytest.raises(ConfigError, match="expected 0 to 1"):
        Scorer(replace(CALLING, weight=1.5), OUTCOME)


def raised(features, name, to):
    """The rows with one feature moved up to `to` where it is below; derived slots as they are."""
    changed = features.copy()
    changed[:, FEATURES.index(name)] = np.maximum(changed[:, FEATURES.index(name)], np.float32(to))
    return changed


@settings(deadline=None, max_examples=50)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0, 1, width=32),
    st.sampled_from(["location_proximity", "opportunity_availability"]),
)
def test_the_formula_never_falls_when_a_place_is_nearer_or_freer(seed, to, name):
    features = derive(np.random.default_rng(seed).random((200, len(RAW_FEATURES))))

    assert (formula_score(raised(features, name, to)).score >= formula_score(features).score - 1e-12).all()


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_component_stays_within_its_bounds(seed):
    generator = np.random.default_rng(seed)
    raw = np.where(generator.random((100, len(RAW_FEATURES))) < 0.5, generator.integers(0, 2, (100, 34)), 0.3)
    formula = formula_score(derive(raw), trajectory_potential=generator.random(100), positive_influence=1.0)

    assert isinstance(formula, FormulaScore)
    for name, values in vars(formula).items():
        highest = 1.1 if name == "context" else 1.0
        assert ((values >= 0.0) & (values <= highest + 1e-12)).all(), name


def test_scores_are_a_value_with_as_many_rows_everywhere():
    scores = SCORERS["both"].score(make_inputs(7))

    assert isinstance(scores, Scores)
    assert {len(values) for values in columns(scores).values()} == {7}
