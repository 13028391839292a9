"""What a version would have been worth, from a store with a log in which a coin decided some."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.experiments.forecasting.off_policy import OffPolicyRules
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.pipeline.forecasting.off_policy_step import value_from_log
from spots_ml.registry.serving import open_scorer
from spots_ml.scoring.decision_log.log import decision_table
from spots_ml.scoring.decision_log.phone_decisions import PHONE_DECISIONS
from spots_ml.scoring.exploration import chances
from spots_ml.scoring.inputs import scoring_inputs
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel
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


def decisions_of(scorer, rows):
    batch = requests(rows)
    moments = batch["scored_at"].to_numpy()
    inputs = scoring_inputs(batch, None, scorer.assignment.assign(batch["agent_id"], moments))
    drawn = chances(batch["agent_id"].to_pylist(), batch["opportunity_id"].to_pylist(), moments)
    inputs = replace(inputs, chance=drawn)
    claims = claimed("served", len(rows))
    return decision_table(batch, inputs, scorer.score(inputs), claims=claims, now=NOW, watermark=None)


def place_with(tmp_path, exploration, rows=ROWS, kept=ROWS):
    store = embedded_store(tmp_path / "spots_ml.sqlite")
    register_network(store.versions, tmp_path / "models")
    register_network(store.versions, tmp_path / "models", version="v1.1-synthetic", seed=8, active=False)
    take_in(store, kept)
    table = decisions_of(open_scorer(store.versions, tmp_path / "models", exploration=exploration), rows)
    store.decisions.log_decisions([table], now=NOW)
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
    assert "beside what answers now" in found.told()


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


class Phones:
    """What phones report, in the place of a store's part."""

    def __init__(self, reports):
        self._reports = reports

    def read_phone_decisions(self, _since, _until):
        return self._reports


def as_reports(table):
    """Decisions of the formula, as phones without a version report them, with the outcomes of their interactions."""
    outcomes = {row["opportunity_id"]: row for row in ROWS}
    rows = []
    for row in table.to_pylist():
        told = {name: row.get(name) for name in PHONE_DECISIONS.names}
        told |= {"reported_at": row["decided_at"], "reported_in": "training_data", "outcome_by": "row"}
        silent = "calling_score: no_version" if row["group"] == "hybrid" else None
        told |= {"version": None, "outcome_version": None, "fallback": silent}
        rows.append(told | {name: outcomes[row["opportunity_id"]][name] for name in ("outcome_type", "outcome_at")})
    return pa.Table.from_pylist(rows, schema=PHONE_DECISIONS)


def test_what_phones_decided_says_the_same_as_what_the_service_did(tmp_path):
    silent = MissingModel("no_version", "none yet", filter_on=False)
    store = embedded_store(tmp_path / "spots_ml.sqlite")
    register_network(store.versions, tmp_path / "models", version="v1.1-synthetic", seed=8, active=False)
    take_in(store, ROWS)
    table = decisions_of(Scorer(silent, silent, exploration=0.2), ROWS)
    reported = value(replace(store, phones=Phones(as_reports(table))), tmp_path)
    store.decisions.log_decisions([table], now=NOW)
    assert (reported.n_decisions, reported.cannot) == (1_200, None)
    assert reported == value(store, tmp_path)

    # Of what both tell the service's counts, once.
    assert value(replace(store, phones=Phones(as_reports(table))), tmp_path).n_decisions == 1_200


def test_where_a_filter_is_on_what_phones_decided_is_not_made_again(tmp_path):
    silent = MissingModel("no_version", "none yet", filter_on=False)
    store = embedded_store(tmp_path / "spots_ml.sqlite")
    register_network(store.versions, tmp_path / "models", version="v1.1-synthetic", seed=8, active=False)
    register_network(store.versions, tmp_path / "models", "outcome")
    take_in(store, ROWS)
    table = decisions_of(Scorer(silent, silent, exploration=0.2), ROWS)
    found = value(replace(store, phones=Phones(as_reports(table))), tmp_path)
    assert (found.n_decisions, "no matured decision" in found.cannot) == (0, True)
