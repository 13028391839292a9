"""Off-policy value: worked by hand, against the textbook written out, and refused where the log says nothing."""

import numpy as np
import pytest

from spots_ml.estimates.agents import Agents
from spots_ml.experiments.forecasting.off_policy import LoggedDecisions, OffPolicyRules, off_policy_value
from spots_ml.experiments.forecasting.value_model import cross_fitted
from spots_ml_tests.experiments.logged_worlds import World

ANY = OffPolicyRules(least_overlap=1e-9, least_effective=1, least_effective_changed=1)

FIVE = LoggedDecisions(
    agents=Agents.of(np.arange(5)),
    guess=np.array([0.5, 0.2, -0.4, 0.0, 0.9]),
    called=np.array([True, False, True, True, False]),
    propensity=np.array([0.8, 0.5, 0.4, 0.5, 1.0]),
    value=np.array([1.0, np.nan, -1.0, 1.0, np.nan]),
)
MINE = np.array([True, True, True, False, False])
BEFORE = np.array([True, False, False, True, False])


def estimated(log, called, before, rules=ANY, **kwargs):
    return off_policy_value(log, called, before, seed=3, rules=rules, n_resamples=50, **kwargs)


def test_five_decisions_worked_by_hand():
    found = estimated(FIVE, MINE, BEFORE)

    # Three of five are called; made ones weigh 1/0.8 and 1/0.4 and came to +1 and -1.
    assert found.value_snips.value == pytest.approx(3 / 5 * (1.25 - 2.5) / (1.25 + 2.5))
    # The added call that was made came to -1, the dropped one to +1.
    assert found.effect_snips.value == pytest.approx(2 / 5 * -1.0 - 1 / 5 * 1.0)
    # Guess plus weighted surprise: 0.5 + 1.25 x 0.5, 0.2, -0.4 + 2.5 x -0.6.
    assert found.value.value == pytest.approx((1.125 + 0.2 - 1.9) / 5)
    # The dropped one: 0 + 2 x 1.
    assert found.effect.value == pytest.approx((0.2 - 1.9 - 2.0) / 5)
    assert (found.overlap, found.overlap_changed, found.n_chance, found.n_changed) == (1.0, 1.0, 4, 3)
    assert found.effective == pytest.approx(3.75**2 / (1.25**2 + 2.5**2))


def test_agrees_with_the_textbook_written_out_over_both_actions():
    drawn = World(n_agents=60).draw(np.random.default_rng(4))
    log, mine = drawn.log(), drawn.candidate()
    found = estimated(log, mine, drawn.wants)

    per_agent: dict[int, list[float]] = {}
    for row, agent in enumerate(log.agents.code.tolist()):
        action, wanted = bool(log.called[row]), bool(mine[row])
        reward = log.value[row] if action else 0.0
        guessed = {True: log.guess[row], False: 0.0}
        told = guessed[wanted]
        if action == wanted:
            told += (reward - guessed[action]) / log.propensity[row]
        per_agent.setdefault(agent, []).append(told)
    assert found.value.value == pytest.approx(np.mean([np.mean(rows) for rows in per_agent.values()]), abs=1e-7)


def test_every_agent_counts_once_however_much_it_decides():
    log = LoggedDecisions(
        Agents.of(np.array([0] * 99 + [1])), np.zeros(100), np.ones(100, bool), np.ones(100), np.array([1.0] * 99 + [0])
    )
    found = estimated(log, np.ones(100, bool), np.ones(100, bool))
    assert found.value.value == found.value_snips.value == 0.5


def test_the_truth_is_met_on_average_by_both_though_the_guess_is_useless():
    truth, robust, normalised = [], [], []
    for seed in range(60):
        drawn = World(n_agents=300).draw(np.random.default_rng(seed))
        log = drawn.log()
        log = LoggedDecisions(log.agents, np.full(len(log.guess), 0.8), log.called, log.propensity, log.value)
        found = estimated(log, drawn.candidate(), drawn.wants)
        sign = drawn.candidate().astype(float) - drawn.wants
        truth.append(drawn.per_agent(sign * drawn.worth))
        robust.append(found.effect.value)
        normalised.append(found.effect_snips.value)
    for estimates in (robust, normalised):
        apart = np.array(estimates) - truth
        assert abs(apart.mean()) < 3 * apart.std() / np.sqrt(len(apart))


def test_taking_what_was_decided_for_certain_is_biased():
    """The mistake that propensities are there for: it counts added calls as rarely as the coin made them."""
    apart = []
    for seed in range(60):
        drawn = World(n_agents=300).draw(np.random.default_rng(seed))
        log = drawn.log()
        log = LoggedDecisions(log.agents, np.zeros(len(log.guess)), log.called, np.ones(len(log.guess)), log.value)
        found = estimated(log, drawn.candidate(), drawn.wants)
        sign = drawn.candidate().astype(float) - drawn.wants
        apart.append(found.effect.value - drawn.per_agent(sign * drawn.worth))
    assert abs(np.mean(apart)) > 3 * np.std(apart) / np.sqrt(len(apart))


def test_a_candidate_that_adds_calls_is_refused_where_nothing_was_left_to_chance():
    drawn = World(n_agents=400, explored=0.0).draw(np.random.default_rng(0))
    found = off_policy_value(drawn.log(), drawn.candidate(), drawn.wants, seed=3)
    assert found.effect is None and found.value is None
    assert "no decision of the log was left to chance" in found.cannot
    assert "cannot be estimated, because" in found.told()


def test_a_few_added_calls_do_not_hide_among_the_many_that_were_possible():
    drawn = World(n_agents=400, explored=0.0).draw(np.random.default_rng(0))
    found = off_policy_value(drawn.log(), drawn.wants | (drawn.score > 0.48), drawn.wants, seed=3)
    assert found.overlap > 0.9
    assert (found.overlap_changed, found.effect) == (0.0, None)


def test_a_candidate_that_only_leaves_calls_out_needs_no_chance():
    drawn = World(n_agents=400, explored=0.0).draw(np.random.default_rng(0))
    mine = drawn.wants & (drawn.other > 0.2)
    found = off_policy_value(drawn.log(), mine, drawn.wants, seed=3)
    left_out = (drawn.wants & ~mine) * drawn.worth
    assert found.cannot is None
    assert found.effect.value == pytest.approx(-drawn.per_agent(left_out), abs=1e-7)


def test_few_calls_are_refused_by_their_effective_number_and_not_by_the_rows():
    drawn = World(n_agents=90).draw(np.random.default_rng(0))
    found = off_policy_value(drawn.log(), drawn.candidate(), drawn.wants, seed=3)
    assert found.n_decisions > 1_000 > found.effective
    assert "1,000 are needed" in found.cannot


def test_nothing_to_go_by_is_said_in_words():
    empty = LoggedDecisions(Agents.of(np.array([], int)), *(np.array([]),), np.array([], bool), *(np.array([]),) * 2)
    nobody = np.array([], bool)
    assert "no matured decision" in estimated(empty, nobody, nobody).cannot
    assert "call nobody" in estimated(FIVE, np.zeros(5, bool), BEFORE).cannot


def test_two_that_decide_alike_differ_by_nothing():
    drawn = World(n_agents=400).draw(np.random.default_rng(0))
    found = off_policy_value(drawn.log(), drawn.wants, drawn.wants, seed=3)
    assert (found.effect.value, found.effect_snips.value, found.overlap_changed) == (0.0, 0.0, None)


def test_no_agents_own_outcome_takes_part_in_the_guess_about_it():
    drawn = World(n_agents=50).draw(np.random.default_rng(1))
    inputs = np.stack([drawn.score, drawn.other], axis=1)
    before = cross_fitted(drawn.agents, inputs, drawn.worth, drawn.called, seed=5)
    mine = drawn.agents.code == 7
    after = cross_fitted(drawn.agents, inputs, np.where(mine, -drawn.worth, drawn.worth), drawn.called, seed=5)
    assert (before[mine] == after[mine]).all()
    assert (before[~mine] != after[~mine]).any()


def test_the_guess_is_that_of_ridge_regression():
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    drawn = World(n_agents=50).draw(np.random.default_rng(1))
    inputs = np.stack([drawn.score, drawn.other], axis=1)
    guess = cross_fitted(drawn.agents, inputs, drawn.worth, drawn.called, seed=5, n_folds=2)
    fold = (np.random.default_rng(5).permutation(50) % 2)[drawn.agents.code]
    theirs = drawn.called & (fold == 1)
    scaler = StandardScaler().fit(inputs[theirs])
    ridge = Ridge(alpha=10.0).fit(scaler.transform(inputs[theirs]), drawn.worth[theirs])
    expected = np.clip(ridge.predict(scaler.transform(inputs[fold == 0])), -1, 1)
    assert guess[fold == 0] == pytest.approx(expected)
