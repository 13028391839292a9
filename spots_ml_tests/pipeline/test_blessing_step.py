"""A version beside the champion, from files: which rows are fresh, what is kept, and when it is compared again."""

import dataclasses
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from spots_ml.errors import RegistryError
from spots_ml.interactions.learning.splits import TEST, TRAIN, VALIDATION
from spots_ml.interactions.learning.validation import load_labelled_rows
from spots_ml.pipeline.before_traffic.blessing_step import bless_version
from spots_ml.training.trained_model import load_trained_model, split_of
from spots_ml_tests.pipeline.world import World
from spots_ml_tests.registry.blessing import bless

MODEL, FIRST, SECOND = "calling_score", "v1.0-synthetic", "v1.1-synthetic"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A blessed and promoted version, and one of another seed in staging."""
    folder = tmp_path_factory.mktemp("blessed") / "world"
    world = World.at(folder)
    world.run()
    first = blessed(world, FIRST)
    world.store.promote(MODEL, FIRST, now=world.clock(), actor="a test", reason="")
    world.run(seed=5)
    return folder, first


@pytest.fixture
def world(finished, tmp_path):
    shutil.copytree(finished[0], tmp_path / "copy")
    return World.at(tmp_path / "copy")


def blessed(world, version, **changes):
    return bless_version(world.places, world.store, MODEL, version, now=world.clock(), actor="a test", **changes)


def parts(world, version):
    """Names of the agents of the labelled rows, and the part of each, read without the program's own way."""
    document = load_trained_model(world.places.trained_dir, world.store.get(MODEL, version).content_digest).document
    _, rows = load_labelled_rows(world.places.datasets_dir, document.dataset_digest)
    table = pq.read_table(world.places.datasets_dir / document.dataset_digest / "accepted.parquet").to_pylist()
    names = [row["agent_id"] for row in table if row["outcome_score"] is not None]
    return np.array(names), split_of(document, rows)


def fresh_by_hand(world, version, champion):
    names, split = parts(world, version)
    others, part = parts(world, champion)
    learned = set(others[np.isin(part, (TRAIN, VALIDATION))])
    test = [name for name, one in zip(names, split, strict=True) if one == TEST]
    return [name for name in test if name not in learned], len(test)


def test_the_first_version_is_compared_with_the_formula_on_all_its_test_rows(finished):
    _, first = finished
    kept, told = first.kept, first.kept.blessing.comparison
    assert (kept.passed, kept.blessing.champion, first.made_already) == (True, None, False)
    assert (told["n_rows_left_out"], told["n_agents_left_out"]) == (0, 0)
    assert {one["against"] for one in told["overall"]} == {"formula"}


def test_what_was_blessed_is_promoted_and_a_second_version_is_compared_with_it(world):
    rows, n_test = fresh_by_hand(world, SECOND, FIRST)
    assert 0 < len(rows) < n_test, "with another seed the champion learned from some of the test rows"

    blessing = blessed(world, SECOND).kept.blessing
    told = blessing.comparison
    assert blessing.champion == FIRST
    assert (told["n_rows"], told["n_agents"]) == (len(rows), len(set(rows)))
    assert told["n_rows_left_out"] == n_test - len(rows)
    assert {one["against"] for one in told["overall"]} == {"formula", FIRST}


def test_agents_of_another_dataset_are_told_apart_by_name(world):
    more = dataclasses.replace(world.config.sources, synthetic_rows=world.config.sources.synthetic_rows + 1_000)
    world.run(sources=more)
    (third,) = {one.version for one in world.store.list_versions()} - {FIRST, SECOND}
    rows, n_test = fresh_by_hand(world, third, FIRST)
    assert 0 < len(rows) < n_test

    told = blessed(world, third).kept.blessing.comparison
    assert (told["n_rows"], told["n_agents"]) == (len(rows), len(set(rows)))


def test_the_same_is_not_compared_twice_unless_asked(world):
    first = blessed(world, SECOND)
    again, anew = blessed(world, SECOND), blessed(world, SECOND, anew=True)

    assert (first.made_already, again.made_already, anew.made_already) == (False, True, False)
    assert again.kept == first.kept
    assert anew.kept.number > first.kept.number
    assert anew.kept.blessing == first.kept.blessing


def test_it_is_compared_again_when_the_champion_changed_and_after_a_rollback(world):
    numbers = [blessed(world, SECOND).kept.number]
    world.store.withdraw(MODEL, now=world.clock(), actor="a test", reason="")
    without = blessed(world, SECOND)
    assert (without.made_already, without.kept.blessing.champion) == (False, None)
    numbers.append(without.kept.number)
    bless(world.store, MODEL, SECOND)
    world.store.promote(MODEL, SECOND, now=world.clock(), actor="a test", reason="")
    world.store.rollback(MODEL, now=world.clock(), actor="a test", reason="worse")
    after = blessed(world, SECOND)
    assert (after.made_already, after.kept.blessing.champion) == (False, None)
    assert [*numbers, after.kept.number] == sorted({*numbers, after.kept.number})


def test_another_weight_is_compared_too(world):
    blessed(world, SECOND)
    world.store.set_weight(MODEL, SECOND, 0.25, now=world.clock(), actor="a test", reason="")

    again = blessed(world, SECOND)
    assert not again.made_already
    assert again.kept.blessing.comparison["weights"] == [0.25, 0.1, 0.3]


def test_another_weight_of_the_champion_is_compared_too(world):
    blessed(world, SECOND)
    world.store.set_weight(MODEL, FIRST, 0.25, now=world.clock(), actor="a test", reason="")

    again = blessed(world, SECOND)
    assert not again.made_already
    assert again.kept.blessing.comparison["weights"] == [0.1, 0.25, 0.3]


@pytest.mark.parametrize("version", [FIRST, SECOND])
def test_where_the_data_of_one_of_them_does_not_lie_it_is_a_no_that_says_so(world, version):
    digest = world.store.get(MODEL, version).content_digest
    shutil.rmtree(world.places.trained_dir / digest)

    kept = blessed(world, SECOND).kept
    assert not kept.passed
    assert "bless it where the datasets of both lie" in kept.blessing.sentence
    with pytest.raises(RegistryError, match="bless it where the datasets of both lie"):
        world.store.promote(MODEL, SECOND, now=world.clock(), actor="a test", reason="")


def test_a_version_whose_file_is_gone_is_a_no(world):
    (world.places.models_dir / MODEL / SECOND / "model.onnx").unlink()

    assert "it does not answer" in blessed(world, SECOND).kept.blessing.sentence


def test_the_champion_itself_is_not_blessed(world):
    with pytest.raises(RegistryError, match="is active; only a staging or a deprecated version is blessed"):
        blessed(world, FIRST)
