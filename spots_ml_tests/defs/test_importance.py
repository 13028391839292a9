"""The importance of the features after a real chain: what it shows, keeps and refuses."""

import json

import pytest

from spots_ml.defs.pages import plots
from spots_ml.defs.pages.charts import SHOWN_IN_PLACE
from spots_ml.digests import digest_json, unseal
from spots_ml.explaining.importance import Importance
from spots_ml.explaining.importance_files import load_importance
from spots_ml_tests.defs.chain import Chain
from spots_ml_tests.defs.pictures import svg, texts

FAST = "max_epochs: 12\nn_resamples: 20\ntolerated_excess: 1.0\n"
KEY = "calling_score/feature_importance"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A chain up to the trained model."""
    folder = tmp_path_factory.mktemp("importance")
    (folder / "fast.yaml").write_text(FAST)
    chain = Chain(folder / "chain", {"synthetic_rows": 4_000, "profile": folder / "fast.yaml"})
    chain.run("raw_training_data", "validated_dataset", "trained_model")
    return chain


@pytest.fixture(scope="module")
def measured(trained):
    return trained.run("feature_importance", job="feature_importance")


def test_it_shows_groups_with_intervals_the_floor_and_every_input(measured):
    assert measured.failures == {}
    shown = measured.metadata[KEY]
    assert {"summary", "groups_plot", "groups", "inputs", "noise_floor", "method", "test_mse", "path"} <= set(shown)
    assert len(shown["groups_plot"]) < SHOWN_IN_PLACE
    assert len(shown["groups"].splitlines()) == 2 + 5 + 1
    assert len(shown["inputs"].splitlines()) == 2 + 39 + 1
    assert shown["importance/agent vibes"] > shown["noise_floor"] > 0
    assert "vibe_compatibility" in shown["method"]


def test_it_keeps_a_sealed_document_under_its_digest(trained, measured):
    digest = measured.digests[KEY]
    directory = trained.settings.artifacts_dir / "importance"
    (path,) = directory.iterdir()
    assert path.name == f"{digest}.json"
    assert digest_json(unseal(path.read_bytes())) == digest
    found = load_importance(directory, digest)
    assert found.trained_digest in str(list(trained.platform.places.trained_dir.iterdir()))
    assert found.n_repeats == 10
    assert json.loads(path.read_bytes())["probe"]["name"] == "noise probe"


def test_measuring_again_gives_the_same_digest_and_fewer_permutations_another(trained, measured):
    again = trained.run("feature_importance", job="feature_importance")
    assert again.digests == measured.digests
    other = trained.run(
        "feature_importance", job="feature_importance", config={"calling_score__feature_importance": {"n_repeats": 2}}
    )
    assert other.digests != measured.digests


@pytest.mark.parametrize("n_repeats", [0, 1_001])
def test_a_number_of_permutations_that_cannot_be_is_refused(trained, n_repeats):
    config = {"calling_score__feature_importance": {"n_repeats": n_repeats}}
    outcome = trained.run("feature_importance", job="feature_importance", config=config)
    assert f"n_repeats is {n_repeats}" in outcome.failures[KEY]


def test_without_a_trained_model_it_says_so(tmp_path):
    outcome = Chain(tmp_path / "chain").run("feature_importance", job="feature_importance")
    assert "calling_score/trained_model was never materialised" in outcome.failures[KEY]


def importance(name, value, low, high):
    return Importance(name=name, value=value, low=low, high=high, above_noise=low > 0.001)


GROUPS = [
    importance("agent vibes", 0.02, 0.015, 0.026),
    importance("opportunity vibes", 0.021, 0.016, 0.027),
    importance("context", 0.0012345678, 0.0001, 0.002),
    importance("match", -0.0001234, -0.0012, 0.0009),
    importance("timing", 0.004, 0.003, 0.005),
    importance("history", 1e-7, -1e-6, 2e-6),
]


@pytest.mark.parametrize("groups", [GROUPS, GROUPS[:1], [], [importance("match", 0.0, 0.0, 0.0)]])
def test_the_picture_is_small_enough_and_stays_inside_its_frame(groups):
    value = plots.importances(groups, 0.001, "increase of test mse")
    assert len(value.value) < SHOWN_IN_PLACE
    assert "nan" not in value.value
    alt, root = svg(value)
    assert alt == "increase of test mse"
    assert [text.rpartition(" ")[0] for text in texts(root)] == ["noise", *(one.name for one in groups)]
    for path in root.iter("{http://www.w3.org/2000/svg}path"):
        for start in path.get("d").split("M")[1:]:
            x, _, end = start.partition(" ")
            assert 0 <= int(x) <= int(root.get("width"))
            if "H" in end:
                assert int(x) <= int(end.partition("H")[2]) <= int(root.get("width"))


def test_the_line_of_the_floor_stands_between_what_is_below_and_above_it():
    _, root = svg(plots.importances(GROUPS, 0.001, "x"))
    lines, _, mark = (path.get("d") for path in root.iter("{http://www.w3.org/2000/svg}path"))
    floor = int(mark[1:].split()[0])
    spans = [(int(one.split()[0]), int(one.partition("H")[2])) for one in lines.split("M")[1:]]
    assert spans[0][0] > floor and spans[4][0] > floor
    assert spans[3][0] < floor and spans[5][1] < floor
