"""Arms: which agent belongs to which, and that rows of several are scored together as each arm alone would."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from spots_ml.errors import ConfigError, ContractError
from spots_ml.scoring.arms import Arm, stages_told, treating
from spots_ml.scoring.assignment import FactorialAssignment, group_of, hybrid_mask, place_of, places_of
from spots_ml.scoring.challengers import Challenger
from spots_ml.scoring.decision_log.deciding_arms import deciding_arms
from spots_ml.scoring.scorer import _PIECE_ROWS, Scorer
from spots_ml.scoring.served import MissingModel, ServedChallenger, ServedModel
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


SALTS = {"calling_score": "0a" * 16, "outcome": "1b" * 16}
EXPERIMENTS = {"calling_score": "rollout-7", "outcome": "rollout-3"}


def challenger(model_type, share, **values):
    told = {"stage": 1, "salt": SALTS[model_type], "version": "v1.1-real", "weight": 0.3} | values
    return Challenger(EXPERIMENTS[model_type], share=share, model_type=model_type, **told)


def divided(neural=None, outcome=None, **values):
    """Rollouts with these shares; None: there is none of that model."""
    shares = {"calling_score": neural, "outcome": outcome}
    return FactorialAssignment(
        formula=Arm("formula", VERSIONS, 0.0),
        champion=Arm("champion", VERSIONS, 0.1),
        challengers=tuple(challenger(kind, share, **values) for kind, share in shares.items() if share is not None),
    )


def assigned(assignment, agents=AGENTS):
    return assignment.assign(agents, NO_MOMENTS[: len(agents)])


def model(version, column, weight=0.0, **values):
    return ServedModel(version, Counted(column), weight, **values)


CHAMPION = model("v1.0-real", 24, 0.1), model("v1.0-real", 27)
TRIED = {
    "calling_score": model("v1.2-real", 26, confidence=ByProximity()),
    "outcome": model("v1.1-real", 28, filter_on=False),
}
BROKEN = MissingModel("damaged", "said so", "v1.3-real")


def several(shares=(0.5, 0.4), tried=TRIED, **options):
    served = [
        ServedChallenger(challenger(kind, share, version=one.version, stage=stage), one)
        for (kind, one), share, stage in zip(tried.items(), shares, (2, 1), strict=True)
    ]
    # In the wrong order: a scorer puts them right.
    return Scorer(*CHAMPION, challengers=served[::-1], **options)


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


@pytest.mark.parametrize(
    ("id_", "taken_as"),
    [
        ("a\ud800", "a\ufffd"),
        ("\udc00b", "\ufffdb"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ude00", "\N{GRINNING FACE}"),
    ],
)
def test_half_of_a_surrogate_pair_is_taken_as_the_replacement_character(id_, taken_as):
    assert place_of(id_, "a") == place_of(taken_as, "a")
    assert group_of(id_) == group_of(taken_as)


@settings(deadline=None)
@given(st.lists(st.text(), max_size=20))
def test_many_agents_are_placed_as_one_by_one(agent_ids):
    places = places_of(agent_ids, "salt")

    assert places.dtype == np.float64
    assert places.tolist() == [place_of(agent_id, "salt") for agent_id in agent_ids]


def test_nobody_is_placed_without_a_salt():
    for place in (lambda: place_of("agent-1", ""), lambda: places_of([], "")):
        with pytest.raises(ConfigError, match="without a salt"):
            place()
    with pytest.raises(ConfigError, match="rollout-7 has no salt"):
        challenger("calling_score", 0.5, salt="")


def test_without_rollouts_the_groups_are_the_arms():
    assert assigned(divided()).tolist() == [int(group_of(agent) == "hybrid") for agent in AGENTS]


def test_the_group_formula_based_is_in_no_rollout():
    positions = assigned(divided(1.0, 1.0))

    hybrid = np.array([group_of(agent) == "hybrid" for agent in AGENTS])
    assert set(positions[~hybrid].tolist()) == {0}
    assert set(positions[hybrid].tolist()) == {4}


def test_an_unknown_agent_is_the_formula_s():
    assert divided(1.0).assign([None, None], NO_MOMENTS[:2]).tolist() == [0, 0]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_many_agents_are_assigned_as_one_by_one(agent_ids, one, other):
    assignment = divided(one, other)
    expected = [assignment.arm_of(agent, NOW) for agent in agent_ids]

    for ids in (agent_ids, pa.array(agent_ids, pa.string())):
        positions = assignment.assign(ids, NO_MOMENTS[: len(agent_ids)])
        assert [assignment.arms[position] for position in positions] == expected


@settings(deadline=None)
@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_an_agent_is_treated_in_each_rollout_by_its_own_place_and_share_alone(agent_id, one, other):
    assignment = divided(one, other)
    arm = assignment.arm_of(agent_id, NOW)

    treated = treating(arm.id, arm.experiment)
    for kind, share in (("calling_score", one), ("outcome", other)):
        expected = group_of(agent_id) == "hybrid" and place_of(agent_id, SALTS[kind]) < share
        assert (EXPERIMENTS[kind] in treated) == expected
        assert arm.versions[kind] == ("v1.1-real" if expected else "v1.0-real")


def test_an_agent_whose_place_is_the_share_is_not_treated():
    agent = next(agent for agent in AGENTS if group_of(agent) == "hybrid")
    place = place_of(agent, SALTS["calling_score"])

    assert divided(place).arm_of(agent, NOW).id == "champion"
    assert divided(np.nextafter(place, 1.0)).arm_of(agent, NOW).id == "rollout-7"
    assert assigned(divided(place), [agent]).tolist() == [1]
    assert assigned(divided(np.nextafter(place, 1.0)), [agent]).tolist() == [2]


def test_two_rollouts_make_four_arms_with_the_products_of_their_shares():
    assignment = divided(0.1, 0.3)
    counts = np.bincount(assigned(assignment)[hybrid_mask(AGENTS)], minlength=5)

    assert [arm.id for arm in assignment.arms] == [
        "formula",
        "champion",
        "rollout-7",
        "rollout-3",
        "rollout-7+rollout-3",
    ]
    shares = [0.9 * 0.7, 0.1 * 0.7, 0.9 * 0.3, 0.1 * 0.3]
    np.testing.assert_allclose([arm.share for arm in assignment.arms[1:]], shares)
    assert counts[0] == 0
    np.testing.assert_allclose(counts[1:] / counts.sum(), shares, atol=0.03)


def test_who_is_treated_by_one_rollout_says_nothing_about_the_other():
    agents = [f"agent-{number}" for number in range(40_000)]
    positions = assigned(divided(0.1, 0.5), agents)[hybrid_mask(agents)]
    table = np.bincount(positions, minlength=5)[1:].reshape(2, 2)

    assert chi2_contingency(table).pvalue > 0.001
    # The group is no part of a draw either.
    everybody = np.array([[place_of(agent, SALTS["outcome"]) < 0.5, group_of(agent) == "hybrid"] for agent in agents])
    assert chi2_contingency(np.histogram2d(*everybody.T.astype(int), bins=2)[0]).pvalue > 0.001


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=5), st.floats(0, 1))
def test_whom_a_rollout_treats_it_keeps_when_its_share_grows_whatever_the_other_one_does(shares, other):
    before = np.zeros(300, bool)
    for share in sorted(shares):
        assignment = divided(share, other)
        treated = np.isin(assigned(assignment, AGENTS[:300]), (2, 4))
        assert not (before & ~treated).any()
        assert (treated == np.isin(assigned(divided(share), AGENTS[:300]), (2,))).all()
        before = treated


def test_another_salt_draws_afresh():
    hybrid = hybrid_mask(AGENTS)
    first, second = (assigned(divided(0.5, salt=salt))[hybrid] == 2 for salt in ("one", "two"))

    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1


def test_challengers_that_do_not_go_together_are_refused():
    neural, outcome = challenger("calling_score", 0.1), challenger("outcome", 0.1)
    formula, champion = Arm("formula", VERSIONS, 0.0), Arm("champion", VERSIONS, 0.1)
    for wrong in ((neural, neural), (outcome, neural), (replace(neural, model_type="trend"),)):
        with pytest.raises(ConfigError, match="at most one for each of calling_score, outcome"):
            FactorialAssignment(formula, champion, wrong)
    for name in ("salt", "experiment"):
        with pytest.raises(ConfigError, match=f"have the same {name}"):
            FactorialAssignment(formula, champion, (neural, replace(outcome, **{name: getattr(neural, name)})))
    for wrong in ({"share": 1.1}, {"share": float("nan")}, {"weight": -0.1}, {"stage": 0}, {"stage": 10}):
        with pytest.raises(ConfigError, match="expected"):
            replace(neural, **wrong)
    for wrong in ({"weight": 1.5}, {"share": -0.1}, {"weight": float("nan")}, {"stage": 0}, {"experiment": ""}):
        with pytest.raises(ConfigError, match="expected"):
            Arm(**({"id": "a", "versions": VERSIONS, "weight": 0.1} | wrong))


def expected_scorers(tried=TRIED):
    """A scorer with the versions of each arm of the hybrid group alone, by position."""
    neural, outcome = tried["calling_score"], tried["outcome"]
    neural = replace(neural, weight=0.3) if isinstance(neural, ServedModel) else neural
    return {
        1: Scorer(*CHAMPION),
        2: Scorer(neural, CHAMPION[1]),
        3: Scorer(CHAMPION[0], outcome),
        4: Scorer(neural, outcome),
    }


@pytest.mark.parametrize("tried", [TRIED, TRIED | {"calling_score": BROKEN}], ids=["whole", "broken"])
def test_rows_of_several_arms_get_the_very_scores_that_their_arm_alone_gives(tried):
    scorer = several(tried=tried)
    inputs = rows_of(scorer, 5 * _PIECE_ROWS + 17)
    scores = scorer.score(inputs)

    assert np.bincount(inputs.position, minlength=5).min() > 100
    for position, one in expected_scorers(tried).items():
        rows = np.flatnonzero(inputs.position == position)
        expected = columns(one.score(replace(take(inputs, rows), position=None)))
        for name, values in columns(scores).items():
            if name != "position":
                np.testing.assert_array_equal(values[rows], expected[name], err_msg=f"arm {position}: {name}")


def test_a_rollout_of_a_weight_gives_the_same_version_another_one():
    tried = challenger("calling_score", 0.5, version="v1.0-real")
    scorer = Scorer(*CHAMPION, challengers=[ServedChallenger(tried, CHAMPION[0])])
    inputs = rows_of(scorer, 500)
    scores = scorer.score(inputs)

    assert {(int(one), float(weight)) for one, weight in zip(inputs.position, scores.weight, strict=True)} == {
        (0, 0.0),
        (1, 0.1),
        (2, 0.3),
    }
    np.testing.assert_array_equal(scores.neural_score, inputs.features[:, 24])


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
    for one in (*CHAMPION, *TRIED.values()):
        one.predictor.asked.clear()
    scorer.score(inputs)

    n_rows = np.bincount(inputs.position, minlength=5)
    assert CHAMPION[0].predictor.asked == [n_rows[0] + n_rows[1] + n_rows[3]]
    assert TRIED["calling_score"].predictor.asked == [n_rows[2] + n_rows[4]]
    assert CHAMPION[1].predictor.asked == [n_rows[0] + n_rows[1] + n_rows[2]]
    assert TRIED["outcome"].predictor.asked == [n_rows[3] + n_rows[4]]


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


def test_the_log_says_who_was_drawn_who_was_treated_and_with_which_share():
    rows = [{"agent_id": agent, "opportunity_id": "o", "scored_at": NOW} for agent in AGENTS[:200]]
    scorer = several((0.5, 0.4))
    told = decide(rows, now=NOW, scorer=scorer).to_pylist()

    drawn = ("rollout-7+rollout-3", 21)
    found = {row["arm"]: tuple(row[name] for name in ("experiment", "stage", "share")) for row in told}
    assert {name: (one, two, round(three, 9)) for name, (one, two, three) in found.items()} == {
        "formula": (None, None, 1.0),
        "calling_score v1.0-real": (*drawn, 0.3),
        "rollout-7": (*drawn, 0.3),
        "rollout-3": (*drawn, 0.2),
        "rollout-7+rollout-3": (*drawn, 0.2),
    }
    for row in told:
        hybrid = group_of(row["agent_id"]) == "hybrid"
        assert stages_told(row["experiment"], row["stage"]) == ({"rollout-7": 2, "rollout-3": 1} if hybrid else {})
        treated = treating(row["arm"], row["experiment"])
        for kind, share in (("calling_score", 0.5), ("outcome", 0.4)):
            assert (EXPERIMENTS[kind] in treated) == (hybrid and place_of(row["agent_id"], SALTS[kind]) < share)
    assert {(row["arm"], row["version"], row["outcome_version"]) for row in told} == {
        ("formula", "v1.0-real", "v1.0-real"),
        ("calling_score v1.0-real", "v1.0-real", "v1.0-real"),
        ("rollout-7", "v1.2-real", "v1.0-real"),
        ("rollout-3", "v1.0-real", "v1.1-real"),
        ("rollout-7+rollout-3", "v1.2-real", "v1.1-real"),
    }


def test_stages_that_are_not_one_for_each_rollout_are_refused():
    for experiment, stage in (("rollout-7", 21), ("rollout-7+rollout-3", 2), (None, 1), ("rollout-7", None)):
        with pytest.raises(ConfigError, match="one digit for each rollout"):
            stages_told(experiment, stage)


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
