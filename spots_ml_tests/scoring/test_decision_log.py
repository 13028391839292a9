"""The table of decisions: what is logged about a scored request, and what is refused before anything is logged."""

import hashlib
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.errors import ContractError, InputError
from spots_ml.features.contract import HISTORY_FEATURES, RAW_FEATURES
from spots_ml.scoring.assignment import group_of
from spots_ml.scoring.decision_log.fields import DECISIONS
from spots_ml.scoring.decision_log.log import check_decisions, decision_table
from spots_ml.scoring.inputs import scoring_inputs
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel, ServedModel
from spots_ml_tests.scoring.deciding import NO_MODELS, changed, claimed, decide, requests

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Constant:
    def __init__(self, value):
        self.value = value

    def predict(self, inputs):
        return np.full(len(inputs), self.value, np.float32)


def ask(number=0, **changes):
    return {
        "agent_id": f"agent-{number}",
        "opportunity_id": f"spot-{number}",
        "scored_at": NOW - timedelta(minutes=number),
        **{name: ((number + index) % 11) / 10 for index, name in enumerate(RAW_FEATURES)},
    } | changes


def table_of(rows, scorer, *, origin="served", watermark=None, history=None):
    batch = requests(rows)
    inputs = scoring_inputs(batch, history)
    return inputs, decision_table(
        batch, inputs, scorer.score(inputs), claims=claimed(origin, len(rows)), now=NOW, watermark=watermark
    )


def test_a_row_says_what_was_decided_and_on_what_grounds():
    scorer = Scorer(
        ServedModel("v1.0-real", Constant(0.9), weight=0.25), MissingModel("damaged", "bytes", version="v2.0-real")
    )
    rows = [ask(number) for number in range(20)]
    inputs, table = table_of(rows, scorer)
    scores = scorer.score(inputs)

    assert table.schema.equals(DECISIONS)
    for number, row in enumerate(table.to_pylist()):
        hybrid = group_of(f"agent-{number}") == "hybrid"
        assert (row["agent_id"], row["opportunity_id"]) == (f"agent-{number}", f"spot-{number}")
        assert row["decided_at"] == NOW - timedelta(minutes=number)
        assert (row["group"], row["weight"]) == (group_of(f"agent-{number}"), 0.25 if hybrid else 0.0)
        assert (row["version"], row["outcome_version"]) == ("v1.0-real", "v2.0-real")
        assert row["neural_score"] == np.float32(0.9)
        assert row["formula_score"] == scores.formula.score[number]
        assert (row["score"], row["called"]) == (scores.score[number], scores.called[number])
        assert (row["outcome_probability"], row["blocked"]) == (
            scores.outcome_probability[number],
            scores.blocked[number],
        )
        assert (row["explored"], row["propensity"], row["fallback"]) == (False, 1.0, "outcome: damaged")


def test_what_did_not_answer_is_null_and_a_replay_has_no_propensity():
    _, table = table_of([ask()], NO_MODELS, origin="replayed")

    (row,) = table.to_pylist()
    assert [row[name] for name in ("version", "outcome_version", "neural_score", "propensity")] == [None] * 4
    assert row["fallback"] == "calling_score: no_version, outcome: no_version"


def test_the_feature_digest_is_that_of_the_45_inputs_and_moves_with_every_one_of_them():
    inputs, table = table_of([ask(3)], NO_MODELS)
    row = np.concatenate([inputs.features[0], inputs.history[0]]).astype("<f4")
    assert table["feature_digest"].to_pylist() == [hashlib.sha256(row.tobytes()).hexdigest()]

    _, others = table_of([ask(3) | {name: 0.123} for name in (*RAW_FEATURES, *HISTORY_FEATURES)], NO_MODELS)
    assert len({*others["feature_digest"].to_pylist(), *table["feature_digest"].to_pylist()}) == 41


def test_the_id_is_made_of_agent_opportunity_moment_and_versions():
    def only(row, scorer=NO_MODELS, origin="served"):
        return table_of([row], scorer, origin=origin)[1]["decision_id"][0].as_py()

    def versions(one, other):
        return Scorer(MissingModel("slow", "", version=one), MissingModel("slow", "", version=other))

    first = only(ask())
    assert only(ask(agent_overall_energy=0.77, past_positive_rate=1.0)) == first
    assert only(ask(), origin="replayed") == first, "the log keeps one of them"
    others = [
        only(ask(agent_id="agent-1")),
        only(ask(opportunity_id="spot-1")),
        only(ask(scored_at=NOW + timedelta(microseconds=1))),
        only(ask(agent_id=None)),
        only(ask(), versions("v1.0-real", None)),
        only(ask(), versions(None, "v1.0-real")),
    ]
    assert len({first, *others}) == 7
    assert {len(one) for one in others} == {32}


def test_a_request_without_a_moment_was_decided_now():
    table = decide([ask(scored_at=None)], now=NOW)

    assert table["decided_at"].to_pylist() == [NOW]


def test_only_history_that_was_served_whole_names_the_watermark():
    rows = [ask(0), ask(1, past_positive_rate=0.5), ask(2, **dict.fromkeys(HISTORY_FEATURES, 0.25))]
    served = np.full((3, 6), 0.75, np.float32)
    _, table = table_of(rows, NO_MODELS, watermark="3/4", history=served)

    assert table["watermark"].to_pylist() == ["3/4", None, None]
    assert table["average_engagement"].to_pylist() == [0.75, 0.75, 0.25]
    assert table["past_positive_rate"].to_pylist() == [0.75, 0.5, 0.25]


def test_no_requests_make_an_empty_table():
    _, table = table_of([], NO_MODELS)

    assert table.num_rows == 0
    assert check_decisions(table).schema.equals(DECISIONS)


def test_what_does_not_belong_together_is_refused():
    batch, inputs = requests([ask(0), ask(1)]), scoring_inputs(requests([ask(0)]))
    scores = NO_MODELS.score(inputs)

    served = {"now": NOW, "watermark": None, "claims": claimed("served", 1)}
    with pytest.raises(ContractError, match="2 requests, 1 inputs, 1 scores and 1 claims"):
        decision_table(batch, inputs, scores, **served)
    with pytest.raises(ContractError, match="1 requests, 1 inputs, 1 scores and 2 claims"):
        decision_table(requests([ask(0)]), inputs, scores, **served | {"claims": claimed("served", 2)})
    with pytest.raises(ContractError, match="has no zone"):
        decision_table(requests([ask(0)]), inputs, scores, **served | {"now": NOW.replace(tzinfo=None)})


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("agent_id", None, "decision 2 of the table has no agent_id .*leave such rows out"),
        ("opportunity_id", None, "decision 2 of the table has no opportunity_id .*leave such rows out"),
        ("decided_at", None, "decision 2 of the table has no decided_at .*leave such rows out"),
        ("agent_id", "", "decision 2 of the table has the agent_id ''"),
        ("decision_id", None, "decision 2 of the table has no decision_id .*decision_table"),
        ("called", None, "decision 2 of the table has no called"),
        ("activity_level", None, "decision 2 of the table has no activity_level"),
        ("origin", "guessed", "has the origin 'guessed'; expected served or replayed"),
        ("group", "test", "has the group 'test'; expected hybrid or formulaBased"),
        ("score", 1.5, r"has the score 1\.5; expected a number in \[0, 1\]"),
        ("score", float("nan"), "has the score nan"),
        ("weight", -0.1, r"has the weight -0\.1"),
        ("neural_score", float("nan"), "has the neural_score nan"),
        ("propensity", 2.0, r"has the propensity 2\.0"),
        ("past_positive_rate", 1.5, r"has the past_positive_rate 1\.5"),
        ("arm", None, "decision 2 of the table has no arm .*decision_table"),
        ("arm", "", "has the arm ''; expected a name"),
        ("claim", None, "decision 2 of the table has no claim .*decision_table"),
        ("claim", "sure", "has the claim 'sure'; expected at_its_moment or scored_again or"),
        ("claim", "another_moment", "is served with the claim 'another_moment'; expected the claim at_its_moment"),
        ("origin", "replayed", "is replayed with the claim 'at_its_moment'"),
        ("propensity", None, "is served with the propensity None"),
        ("share", None, "decision 2 of the table has no share"),
        ("share", 1.5, r"has the share 1\.5"),
        ("stage", 0, r"has the stage 0; expected a number in \[1, 1000\]"),
        ("feature_digest", "abc", "has the feature_digest 'abc'; expected 64"),
    ],
)
def test_a_table_that_cannot_be_logged_names_the_row_and_what_to_do(name, value, told):
    table = decide([ask(number) for number in range(4)], now=NOW)

    with pytest.raises(InputError, match=told):
        check_decisions(changed(table, name, 2, value))


def test_a_table_without_a_column_or_with_another_type_is_refused():
    table = decide([ask()], now=NOW)

    with pytest.raises(InputError, match="lacks score, blocked"):
        check_decisions(table.drop_columns(["score", "blocked"]))
    place = table.column_names.index("score")
    with pytest.raises(InputError, match="another type"):
        check_decisions(table.set_column(place, "score", pa.array(["much"])))


def test_the_order_of_the_columns_does_not_matter():
    table = decide([ask()], now=NOW)

    assert check_decisions(table.select(table.column_names[::-1])).equals(table)
