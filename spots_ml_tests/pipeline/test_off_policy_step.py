"""What a version would have been worth, from a store with a log in which a coin decided some."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from spots_ml.experiments.forecasting.off_policy import OffPolicyRules
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.pipeline.forecasting.off_policy_step import value_from_log
from spots_ml.registry.serving import open_scorer
from spots_ml.scoring.decision_log.log import decision_table
from spots_ml.scoring.exploration import chances
from spots_ml.scoring.inputs import scoring_inputs
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.building import register_network
from spots_ml_tests.scoring.deciding import claimed, requests
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, take_in

RULES = OffPolicyRules(least_effective=100, least_effective_changed=10)
POLICY = RolloutPolicy()


def likely(number):
    """Someone whom the formula scores about 0.7, and who liked what came of it if the place was near."""
    row = interaction(number, agent_id=f"agent {number % 90}")
    generator = np.random.default_rng(number)
    high = {name: float(generator.uniform(0.55, 1.0)) for name, value in row.items() if isinstance(value, float)}
    kind = "positive" if high["location_proximity"] > 0.7 else "negative"
    return row | high | {"outcome_type": kind, "outcome_score": 0.9 if kind == "positive" else 0.1}


ROWS = [likely(number) for number in range(1_200)]


def log_decisions(store, scorer, rows):
    batch = requests(rows)
    moments = batch["scored_at"].to_numpy()
    inputs = scoring_inputs(batch, None, scorer.assignment.assign(batch["agent_id"], moments))
    drawn = chances(batch["agent_id"].to_pylist(), batch["opportunity_id"].to_pylist(), moments)
    inputs = replace(inputs, chance=drawn)
    table = decision_table(
        batch, inputs, scorer.score(inputs), claims=claimed("served", len(rows)), now=NOW, watermark=None
    )
    store.decisions.log_decisions([table], now=NOW)
    return table


def place_with(tmp_path, exploration, rows=ROWS, kept=ROWS):
    store = embedded_store(tmp_path / "spots_ml.sqlite")
    register_network(store.versions, tmp_path / "models")
    register_network(store.versions, tmp_path / "models", version="v1.1-synthetic", seed=8, active=False)
    take_in(store, kept)
    table = log_decisions(store, open_scorer(store.versions, tmp_path / "models", exploration=exploration), rows)
    return store, table


def value(store, tmp_path, version="v1.1-synthetic", weight=0.3, now=NOW, **options):
    return value_from_log(
        store,
        tmp_path / "models",
        "calling_score",
        version,
        weight=weight,
        policy=POLICY,
        now=now,
        rules=RULES,
        **options,
    )


@pytest.fixture(scope="module")
def explored(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("explored")
    store, table = place_with(tmp_path, 0.2)
    return store, table, tmp_path


def test_a_candidate_is_valued_by_outcomes_of_what_a_coin_decided(explored):
    store, _table, tmp_path = explored
    found = value(store, tmp_path)
    assert found.cannot is None
    assert (found.n_decisions, found.n_agents) == (1_200, 90)
    assert found.overlap > 0.9 and 0 < found.n_changed < 1_200
    assert found.effect.low < found.effect.value < found.effect.high
    assert "more than what answers now" in found.told()


def test_what_answers_now_is_worth_no_more_than_itself(explored):
    store, _, tmp_path = explored
    found = value(store, tmp_path, version="v1.0-synthetic", weight=0.1)
    assert (found.n_changed, found.effect.value) == (0, 0.0)


def test_only_matured_decisions_within_reach_count(explored):
    store, table, tmp_path = explored
    decided = table["decided_at"].to_pylist()
    middle = sorted(decided)[600]
    early = value(store, tmp_path, now=middle + timedelta(hours=48))
    late = value(store, tmp_path, now=middle + timedelta(days=28))
    assert early.n_decisions == 600
    assert late.n_decisions == 600


def test_without_chance_calls_may_be_left_out_but_not_added(tmp_path):
    store, _table = place_with(tmp_path, 0.0)
    # Both networks score lower than the formula: the higher the weight, the fewer the calls.
    fewer, more = value(store, tmp_path), value(store, tmp_path, weight=0.0)
    assert fewer.called < fewer.called_before < more.called
    assert fewer.cannot is None and fewer.effect is not None
    assert "no decision of the log was left to chance" in more.cannot


def test_decisions_whose_interactions_changed_or_are_gone_are_not_taken_for_the_rest(tmp_path):
    store, _ = place_with(tmp_path, 0.2, kept=ROWS[:900])
    found = value(store, tmp_path)
    assert "75% of 1,200 decisions can be made again" in found.cannot
    assert "300: their interaction is not in the store" in found.cannot


def test_a_version_that_does_not_answer_and_an_empty_log_are_told(tmp_path):
    store, _ = place_with(tmp_path, 0.2, rows=ROWS[:1], kept=ROWS[:1])
    assert "no matured decision" in value(store, tmp_path, now=NOW + timedelta(days=90)).cannot
    (tmp_path / "models" / "calling_score" / "v1.1-synthetic" / "model.onnx").unlink()
    assert "does not answer" in value(store, tmp_path).cannot
