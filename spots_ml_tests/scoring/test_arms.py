"""Arms: which agent belongs to which, and that rows of several are scored together as each arm alone would."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spots_ml.errors import ConfigError, ContractError
from spots_ml.scoring.arms import Arm
from spots_ml.scoring.assignment import FixedAssignment, group_of, hybrid_mask, place_of
from spots_ml.scoring.decision_log.deciding_arms import deciding_arms
from spots_ml.scoring.scorer import _PIECE_ROWS, Scorer
from spots_ml.scoring.served import MissingModel, ServedArm, ServedModel
from spots_ml_tests.scoring.deciding import decide
from spots_ml_tests.scoring.scoring_rows import assert_same, columns, make_inputs, take

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AGENTS = [f"agent-{number}" for number in range(4_000)]
NO_MOMENTS = np.zeros(len(AGENTS), "datetime64[us]")
VERSIONS = {"calling_score": "v1.0-real", "outcome": "v1.0-real"}


class Counted:
    """Answers with one input, and keeps how many rows it was asked for each time."""

    def __init__(self, column):
        self.column = column
        self.asked = []

    def predict(self, inputs):
        self.asked.append(len(inputs))
        return inputs[:, self.column]


class ByProximity:
    def weights(self, features, limit):
        return limit * (features[:, 24] > 0.5)


def divided(*shares, salt="salt"):
    names = [f"challenger {number}" for number in range(len(shares))]
    return FixedAssignment(
        formula=Arm("formula", VERSIONS, 0.0),
        champion=Arm("champion", VERSIONS, 0.1, 1.0 - sum(shares)),
        challengers=tuple(Arm(name, VERSIONS, 0.1, share) for name, share in zip(names, shares, strict=True)),
        salt=salt,
    )


def assigned(assignment, agents=AGENTS):
    return assignment.assign(agents, NO_MOMENTS[: len(agents)])


def model(version, column, weight=0.0, **values):
    return ServedModel(version, Counted(column), weight, **values)


CHAMPION = model("v1.0-real", 24, 0.1), model("v1.0-real", 27)
OTHERS = {
    "second": (model("v1.1-real", 25), CHAMPION[1]),
    "third": (model("v1.2-real", 26, confidence=ByProximity()), model("v1.1-real", 28)),
    "broken": (MissingModel("damaged", "said so", "v1.3-real"), CHAMPION[1]),
}
WEIGHTS = {"second": 0.3, "third": 0.2, "broken": 0.25}


def several(shares=(0.2, 0.2, 0.2), **options):
    served = [
        ServedArm(
            Arm(
                name,
                {"calling_score": calling_score.version, "outcome": outcome.version},
                WEIGHTS[name],
                share,
                "exp-1",
                2,
            ),
            calling_score,
            outcome,
        )
        for (name, (calling_score, outcome)), share in zip(OTHERS.items(), shares, strict=True)
    ]
    return Scorer(*CHAMPION, challengers=served, salt="exp-1", **options)


def rows_of(scorer, n_rows):
    agents = [f"agent-{number % 500}" for number in range(n_rows)]
    position = scorer.assignment.assign(agents, np.zeros(n_rows, "datetime64[us]"))
    return replace(make_inputs(n_rows), hybrid=hybrid_mask(agents), position=position)


@pytest.mark.parametrize(("agent_id", "salt"), [("agent-1", "a"), ("agent-1", "b"), ("é", "a"), ("", "a")])
def test_a_place_is_the_first_53_bits_of_a_digest(agent_id, salt):
    bits = bin(int(sha256(f"{salt}:{agent_id}".encode()).hexdigest(), 16))[2:].zfill(256)[:53]

    assert place_of(agent_id, salt) == int(bits, 2) / 2**53


def test_known_agents_are_where_they_always_were():
    assert [place_of("agent-1", "a"), place_of("agent-1", "b")] == [0.11218570372333025, 0.8106602377475353]


def test_without_challengers_the_groups_are_the_arms():
    assert assigned(divided()).tolist() == [int(group_of(agent) == "hybrid") for agent in AGENTS]


def test_the_group_formula_based_is_in_no_experiment():
    positions = assigned(divided(0.5, 0.5))

    hybrid = np.array([group_of(agent) == "hybrid" for agent in AGENTS])
    assert set(positions[~hybrid].tolist()) == {0}
    assert set(positions[hybrid].tolist()) == {2, 3}


def test_an_unknown_agent_is_the_formula_s():
    assert divided(1.0).assign([None, None], NO_MOMENTS[:2]).tolist() == [0, 0]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=20), st.floats(0, 0.5), st.floats(0, 0.5))
def test_many_agents_are_assigned_as_one_by_one(agent_ids, one, other):
    assignment = divided(one, other)
    expected = [assignment.arm_of(agent, NOW) for agent in agent_ids]

    for ids in (agent_ids, pa.array(agent_ids, pa.string())):
        positions = assignment.assign(ids, NO_MOMENTS[: len(agent_ids)])
        assert [assignment.arms[position] for position in positions] == expected


def test_arms_get_their_shares_of_the_hybrid_group():
    counts = np.bincount(assigned(divided(0.1, 0.3))[hybrid_mask(AGENTS)], minlength=4)

    assert counts[0] == 0
    np.testing.assert_allclose(counts[1:] / counts.sum(), [0.6, 0.1, 0.3], atol=0.03)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_whom_a_challenger_has_it_keeps_when_its_share_grows(shares):
    before = np.zeros(300, bool)
    for share in sorted(shares):
        treated = assigned(divided(share), AGENTS[:300]) == 2
        assert not (before & ~treated).any()
        before = treated


def test_another_salt_draws_afresh():
    hybrid = hybrid_mask(AGENTS)
    first, second = (assigned(divided(0.5, salt=salt))[hybrid] == 2 for salt in ("one", "two"))

    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1


def test_arms_that_do_not_divide_the_group_are_refused():
    champion, formula = Arm("a", VERSIONS, 0.1, 0.5), Arm("formula", VERSIONS, 0.0)
    with pytest.raises(ConfigError, match=r"have 0\.5 of the hybrid group together"):
        FixedAssignment(formula, champion)
    with pytest.raises(ConfigError, match="an id for each"):
        FixedAssignment(formula, champion, (champion,), "salt")
    with pytest.raises(ConfigError, match="challengers have no salt"):
        divided(0.5, salt="")
    for wrong in ({"weight": 1.5}, {"share": -0.1}, {"weight": float("nan")}, {"stage": 0}, {"experiment": ""}):
        with pytest.raises(ConfigError, match="expected"):
            Arm(**({"id": "a", "versions": VERSIONS, "weight": 0.1} | wrong))


def test_rows_of_several_arms_get_the_very_scores_that_their_arm_alone_gives():
    scorer = several()
    inputs = rows_of(scorer, 5 * _PIECE_ROWS + 17)
    scores = scorer.score(inputs)

    alone = {"champion": Scorer(*CHAMPION)}
    for name, (calling_score, outcome) in OTHERS.items():
        weighted = calling_score if name == "broken" else replace(calling_score, weight=WEIGHTS[name])
        alone[name] = Scorer(weighted, outcome)
    assert np.bincount(inputs.position, minlength=5).min() > 100
    for position, one in enumerate([alone["champion"], *alone.values()]):
        rows = np.flatnonzero(inputs.position == position)
        expected = columns(one.score(replace(take(inputs, rows), position=None)))
        for name, values in columns(scores).items():
            if name != "position":
                np.testing.assert_array_equal(values[rows], expected[name], err_msg=f"arm {position}: {name}")


def test_one_row_of_several_arms_is_as_many_on_any_number_of_threads():
    scorer = several()
    inputs = rows_of(scorer, 2 * _PIECE_ROWS + 300)
    scores = scorer.score(inputs)

    assert_same(several(n_threads=1).score(inputs), scores)
    for row in range(0, inputs.n_rows, 97):
        alone = columns(scorer.score(take(inputs, slice(row, row + 1))))
        for name, values in columns(scores).items():
            np.testing.assert_array_equal(values[row : row + 1], alone[name], err_msg=name)


def test_each_version_is_asked_once_for_all_of_its_rows_of_a_piece():
    scorer = several(n_threads=1)
    inputs = rows_of(scorer, 2 * _PIECE_ROWS)
    models = {id(one): one for pair in (CHAMPION, *OTHERS.values()) for one in pair if isinstance(one, ServedModel)}
    for one in models.values():
        one.predictor.asked.clear()
    scorer.score(inputs)

    n_rows = np.bincount(inputs.position, minlength=5)
    assert CHAMPION[0].predictor.asked == [n_rows[0] + n_rows[1]]
    assert OTHERS["second"][0].predictor.asked == [n_rows[2]]
    assert CHAMPION[1].predictor.asked == [inputs.n_rows - n_rows[3]]
    assert OTHERS["third"][1].predictor.asked == [n_rows[3]]


def test_positions_that_do_not_fit_the_groups_are_refused():
    scorer = several()
    inputs = rows_of(scorer, 200)
    row = int(np.flatnonzero(inputs.hybrid)[0])

    with pytest.raises(ContractError, match="position has the shape None"):
        scorer.score(replace(inputs, position=None))
    for position in (0, 5, -1):
        wrong = inputs.position.copy()
        wrong[row] = position
        with pytest.raises(ContractError, match=f"row {row} is assigned to arm {position} of 5"):
            scorer.score(replace(inputs, position=wrong))


def test_the_log_says_what_decided_and_with_which_share():
    rows = [{"agent_id": agent, "opportunity_id": "o", "scored_at": NOW} for agent in AGENTS[:200]]
    scorer = several((0.1, 0.2, 0.3))
    told = decide(rows, now=NOW, scorer=scorer).to_pylist()

    found = {row["arm"]: tuple(row[name] for name in ("experiment", "stage", "share")) for row in told}
    assert {name: (one, two, round(three, 9)) for name, (one, two, three) in found.items()} == {
        "formula": (None, None, 1.0),
        "calling_score v1.0-real": (None, None, 0.4),
        "second": ("exp-1", 2, 0.1),
        "third": ("exp-1", 2, 0.2),
        "broken": ("exp-1", 2, 0.3),
    }
    for row in told:
        assert row["arm"] == scorer.assignment.arm_of(row["agent_id"], NOW).id
    assert {(row["arm"], row["version"], row["outcome_version"]) for row in told} == {
        ("formula", "v1.0-real", "v1.0-real"),
        ("calling_score v1.0-real", "v1.0-real", "v1.0-real"),
        ("second", "v1.1-real", "v1.0-real"),
        ("third", "v1.2-real", "v1.1-real"),
        ("broken", "v1.3-real", "v1.0-real"),
    }


def test_whoever_scores_with_one_version_logs_it_or_the_formula_with_the_whole_group():
    rows = [{"agent_id": agent, "opportunity_id": "o", "scored_at": NOW} for agent in AGENTS[:20]]
    told = decide(rows, now=NOW, scorer=Scorer(*CHAMPION)).to_pylist()

    for row in told:
        arm = "calling_score v1.0-real" if row["group"] == "hybrid" else "formula"
        assert [row[name] for name in ("arm", "experiment", "stage", "share")] == [arm, None, None, 1.0]


def test_a_decision_of_before_there_were_arms_is_that_of_its_group_or_version():
    rows = {
        "arm": [None, None, None, "any"],
        "group": ["formulaBased", "hybrid", "hybrid", "hybrid"],
        "version": ["v1.0-real", "v1.0-real", None, "v1.0-real"],
    }

    assert deciding_arms(pa.table(rows)).to_pylist() == [
        "formula",
        "calling_score v1.0-real",
        "calling_score none",
        "any",
    ]
    assert len(deciding_arms(pa.table({name: pa.array([], pa.string()) for name in rows}))) == 0
