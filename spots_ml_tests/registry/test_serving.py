"""Which version answers, and that whatever is wrong with its files is a reason, never an exception."""

import json
from collections import Counter

import numpy as np
import pytest

from spots_ml.errors import ConfigError, RegistryError
from spots_ml.models.declared import declared_types
from spots_ml.registry import serving
from spots_ml.registry.serving import open_scorer, serve_model, serving_version
from spots_ml.scoring.answering.score_tally import ScoreTally, fallbacks_told, models_told
from spots_ml.scoring.assignment import hybrid_mask
from spots_ml.scoring.challengers import Challenger
from spots_ml.scoring.inputs import ScoringInputs
from spots_ml.scoring.served import MissingModel, ServedModel
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import hours, make_candidate, register_network


@pytest.fixture
def place(tmp_path):
    return embedded_store(tmp_path / "store.sqlite").versions, tmp_path / "models"


def directory(models_dir, version="v1.0-synthetic"):
    return models_dir / "calling_score" / version


def promote(store, version):
    promote_blessed(store, "calling_score", version, now=hours(1), actor="test", reason="")


def register_at(store, name, version, hour, model_type="calling_score"):
    store.register(make_candidate(name, version, model_type), now=hours(hour), actor="test")


def answering(store):
    return serving_version(store, "calling_score").version


def test_the_active_version_answers_and_nothing_that_nobody_promoted(place):
    store, _ = place
    assert serving_version(store, "calling_score") is None

    register_at(store, "a", "v1.0-synthetic", 1)
    register_at(store, "b", "v1.1-synthetic", 3)
    assert serving_version(store, "calling_score") is None
    promote(store, "v1.0-synthetic")
    assert answering(store) == "v1.0-synthetic"
    assert serving_version(store, "outcome") is None

    store.withdraw("calling_score", now=hours(4), actor="test", reason="")
    assert serving_version(store, "calling_score") is None


def missing(place):
    model = serve_model(*place, "calling_score")
    assert (model.reason, model.version) == ("no_version", None)
    return model.detail


def test_while_none_is_active_it_says_how_one_becomes_it_and_never_names_an_archived_one(place):
    store, _ = place
    assert missing(place) == (
        "no calling_score version is active; `make run` registers one that `spots-ml promote` makes active"
    )
    register_at(store, "a", "v1.0-synthetic", 5)
    register_at(store, "b", "v1.1-synthetic", 1)
    assert missing(place).endswith("`spots-ml promote calling_score v1.1-synthetic` makes one active")
    store.archive("calling_score", "v1.1-synthetic", now=hours(6), actor="test", reason="")
    assert missing(place).endswith("`spots-ml promote calling_score v1.0-synthetic` makes one active")
    promote(store, "v1.0-synthetic")
    store.withdraw("calling_score", now=hours(7), actor="test", reason="")
    assert missing(place).endswith('`spots-ml promote calling_score v1.0-synthetic --reason "..."` makes one active')


def test_a_version_that_nobody_promoted_is_opened_when_it_is_named(place):
    store, models_dir = place
    register_network(store, models_dir, active=False)

    assert isinstance(serve_model(store, models_dir, "calling_score"), MissingModel)
    assert isinstance(serve_model(store, models_dir, "calling_score", version="v1.0-synthetic"), ServedModel)


def test_a_sound_version_answers_with_its_own_weight(place):
    store, models_dir = place
    register_network(store, models_dir)
    model = serve_model(store, models_dir, "calling_score")

    assert isinstance(model, ServedModel)
    assert (model.version, model.weight, model.confidence) == ("v1.0-synthetic", 0.1, None)
    assert model.predictor.predict(np.full((2, 39), 0.5, np.float32)).shape == (2,)


def test_a_named_version_must_exist(place):
    with pytest.raises(RegistryError, match=r"v9\.9-real"):
        serve_model(*place, "calling_score", version="v9.9-real")


def test_without_versions_everything_falls_back_and_says_so(place):
    scorer = open_scorer(*place)

    assert isinstance(scorer.calling_score, MissingModel)
    assert scorer.calling_score.reason == scorer.outcome.reason == "no_version"
    inputs = ScoringInputs(np.full((2, 39), 0.5, np.float32), np.full((2, 6), 0.5, np.float32), np.array([True, False]))
    assert scorer.score(inputs).fallback_counts() == {"calling_score: no_version": 2, "outcome: no_version": 2}


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
@pytest.mark.parametrize(("spoil", "reason"), [(cut_short, "damaged"), (flip, "damaged")])
def test_changed_files_are_damaged(place, name, spoil, reason):
    store, models_dir = place
    register_network(store, models_dir)
    spoil(directory(models_dir) / name)
    model = serve_model(store, models_dir, "calling_score")

    assert isinstance(model, MissingModel)
    assert (model.reason, model.version) == (reason, "v1.0-synthetic")
    assert name in model.detail


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_lost_files_are_unreadable(place, name):
    store, models_dir = place
    register_network(store, models_dir)
    (directory(models_dir) / name).unlink()
    model = serve_model(store, models_dir, "calling_score")

    assert isinstance(model, MissingModel)
    assert model.reason == "unreadable"
    assert "No such file" in model.detail


def test_a_version_of_another_contract_is_not_opened(place, monkeypatch):
    store, models_dir = place
    register_network(store, models_dir)
    monkeypatch.setattr(serving, "CONTRACT_DIGEST", "0" * 64)
    model = serve_model(store, models_dir, "calling_score")

    assert isinstance(model, MissingModel)
    assert model.reason == "wrong_contract"
    assert "train again" in model.detail


def test_whether_a_filter_is_on_is_the_versions_own_even_when_its_file_is_damaged(place):
    store, models_dir = place
    register_network(store, models_dir, "outcome", filter_on=False)
    assert not serve_model(store, models_dir, "outcome").filter_on
    cut_short(models_dir / "outcome" / "v1.0-synthetic" / "model.onnx")
    missing = serve_model(store, models_dir, "outcome")
    assert isinstance(missing, MissingModel)
    assert not missing.filter_on


def test_where_no_outcome_version_is_there_is_no_filter(place):
    store, models_dir = place
    assert not serve_model(store, models_dir, "outcome").filter_on


def test_weights_by_confidence_need_a_profile(place):
    store, models_dir = place
    register_network(store, models_dir)

    with pytest.raises(ConfigError, match="has no confidence profile"):
        serve_model(store, models_dir, "calling_score", by_confidence=True)


def test_a_scorer_over_both_models(place):
    store, models_dir = place
    for model_type in declared_types():
        register_network(store, models_dir, model_type)
    scorer = open_scorer(store, models_dir, versions={"calling_score": "v1.0-synthetic"}, exploration=0.1)
    rng = np.random.default_rng(0)
    n = 100
    inputs = ScoringInputs(
        rng.random((n, 39), dtype=np.float32),
        rng.random((n, 6), dtype=np.float32),
        rng.random(n) < 0.5,
        chance=rng.random((n, 2)),
    )
    scores = scorer.score(inputs)

    assert not scores.fell_back.any()
    assert [arm.versions for arm in scores.arms] == [dict.fromkeys(declared_types(), "v1.0-synthetic")] * 2
    assert scorer.exploration == 0.1 and not (scores.explored & scores.blocked).any()
    assert json.dumps(scores.fallback_counts()) == "{}"


SALTS = {"calling_score": "0a" * 16, "outcome": "1b" * 16}


def rolled_out(model_type="calling_score", version="v1.1-synthetic", **values):
    told = {"stage": 1, "share": 0.5, "salt": SALTS.get(model_type, "x"), "weight": 0.3} | values
    return Challenger(f"rollout-{model_type}", model_type=model_type, version=version, **told)


@pytest.fixture
def both(place):
    """Two versions of each model, the first of them active."""
    for model_type in declared_types():
        register_network(*place, model_type)
        register_network(*place, model_type, version="v1.1-synthetic", seed=1, active=False)
    return place


def scored(scorer, n_rows=200):
    agents = [f"agent-{number}" for number in range(n_rows)]
    rng = np.random.default_rng(0)
    features, history = rng.random((n_rows, 39), dtype=np.float32), rng.random((n_rows, 6), dtype=np.float32)
    position = scorer.assignment.assign(agents, np.zeros(n_rows, "datetime64[us]"))
    return scorer.score(ScoringInputs(features, history, hybrid_mask(agents), position=position))


def test_a_scorer_opens_what_is_rolled_out_beside_the_champion(both):
    scorer = open_scorer(*both, challengers=[rolled_out("outcome"), rolled_out()])
    scores = scored(scorer)

    first, second = "v1.0-synthetic", "v1.1-synthetic"
    assert [tuple(arm.versions[kind] for kind in declared_types()) for arm in scorer.assignment.arms] == [
        *((first, first), (first, first), (second, first), (first, second), (second, second))
    ]
    assert not scores.fell_back.any()
    weights = [set(scores.weight[scores.position == place].tolist()) for place in range(5)]
    assert weights == [{0.0}, {0.1}, {0.3}, {0.1}, {0.3}]
    opened = {id(model) for place in range(5) for model in scorer.models_of(place).values()}
    assert len(opened) == 4


def test_a_rollout_of_a_weight_asks_the_very_model_that_the_champion_has(both):
    scorer = open_scorer(*both, challengers=[rolled_out(version="v1.0-synthetic")])
    scores = scored(scorer)

    assert scorer.models_of(2)["calling_score"] is scorer.calling_score
    assert [set(scores.weight[scores.position == place].tolist()) for place in range(3)] == [{0.0}, {0.1}, {0.3}]


def test_what_is_rolled_out_against_the_formula_decides_for_its_share(place):
    register_network(*place, version="v1.1-synthetic", active=False)
    scores = scored(open_scorer(*place, challengers=[rolled_out()]))

    assert [arm.id for arm in scores.arms] == ["formula", "calling_score none", "rollout-calling_score"]
    assert [set(scores.weight[scores.position == place].tolist()) for place in range(3)] == [{0.0}, {0.0}, {0.3}]


def test_a_challenger_whose_files_are_damaged_falls_back_for_its_share_alone_and_is_told(both):
    (directory(both[1], "v1.1-synthetic") / "model.onnx").write_bytes(b"damaged")
    scorer = open_scorer(*both, challengers=[rolled_out()])
    scores = scored(scorer)

    assert (scores.fell_back == (scores.position == 2)).all() and (scores.position == 2).any()
    tally = ScoreTally(n_read=200, fallbacks=Counter(scores.fallback_counts()))
    (told,) = fallbacks_told(tally, scorer)
    assert told.startswith("calling_score v1.1-synthetic: damaged: ")
    assert "v1.0-synthetic; v1.1-synthetic: damaged: " in models_told(scorer)["calling_score"].replace(
        " (weight 0.1)", ""
    )


def test_it_is_told_for_whom_a_version_is_rolled_out(both):
    told = models_told(open_scorer(*both, challengers=[rolled_out(), rolled_out("outcome", share=0.1, stage=2)]))

    assert told == {
        "calling_score": "v1.0-synthetic (weight 0.1); v1.1-synthetic for 50% of the hybrid group "
        "(rollout-calling_score, stage 1, weight 0.3)",
        "outcome": "v1.0-synthetic; v1.1-synthetic for 10% of the hybrid group (rollout-outcome, stage 2)",
    }


def test_whoever_names_a_version_stands_outside_of_any_rollout(both):
    challengers = [rolled_out(), rolled_out("outcome")]
    for versions in ({"calling_score": "v1.1-synthetic"}, {"outcome": "v1.0-synthetic"}):
        arms = open_scorer(*both, versions=versions, challengers=challengers).assignment.arms
        assert [(arm.experiment, arm.share) for arm in arms] == [(None, 1.0), (None, 1.0)]
    nobody = dict.fromkeys(declared_types())
    assert len(open_scorer(*both, versions=nobody, challengers=challengers).assignment.arms) == 5


def test_a_rollout_of_a_model_that_decides_nothing_is_left_out(both):
    assert len(open_scorer(*both, challengers=[rolled_out("trend")]).assignment.arms) == 2


def test_a_challenger_that_is_not_registered_is_an_error(both):
    with pytest.raises(RegistryError, match=r"there is no calling_score v9\.9-real"):
        open_scorer(*both, challengers=[rolled_out(version="v9.9-real")])
