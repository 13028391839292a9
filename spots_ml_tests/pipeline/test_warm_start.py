"""A training that learns on from the version in service: what it needs on the machine, and whom it is judged on."""

import shutil
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.errors import ArtifactError, InsufficientDataError
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.learning.agent_names import labelled_agent_names
from spots_ml.interactions.learning.splits import TEST, TRAIN, VALIDATION
from spots_ml.interactions.learning.validation import load_labelled_rows
from spots_ml.pipeline.attempts import PresentAttempts
from spots_ml.pipeline.data_steps import Sources, make_dataset, take_snapshot
from spots_ml.pipeline.learned_rows import model_to_start_from, rows_of_learned_agents
from spots_ml.pipeline.model_steps import rows_judged_on, train
from spots_ml.pipeline.recipes import recipe
from spots_ml.places import Places
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.training.config import TrainingConfig
from spots_ml.training.trained_model import split_of
from spots_ml_tests.pipeline.chosen_data import Told, export, interactions
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import make_candidate

NOW = datetime(2026, 11, 21, tzinfo=UTC)
QUICK = TrainingConfig(max_epochs=3, n_resamples=20)
WARM = QUICK.changed({"warm_start": True, "warm_epochs": 2})


def dataset(places, table):
    path = export(table, places.data_dir.parent / "export.json")
    taken = take_snapshot(places, "export", Sources("embedded", lambda: None, export_path=path))
    return make_dataset(places, taken.digest, now=NOW, validation=ValidationConfig(), expectations=Told()).report.digest


def trained(places, dataset_digest, config=WARM, start=None):
    return train(places, dataset_digest, "calling_score", config, seed=0, start=start)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two datasets, the later with the rows of the earlier, and a model of the earlier."""
    folder = tmp_path_factory.mktemp("warm")
    places = Places(folder / "data", folder / "artifacts")
    early = interactions(2_500, seed=3)
    both = pa.concat_tables([early, interactions(3_500, seed=4)])
    first, second = dataset(places, early), dataset(places, both)
    return places, first, second, trained(places, first, QUICK)


@pytest.fixture
def copied(made, tmp_path):
    """A machine of its own, from which files may be taken away."""
    places = Places(tmp_path / "data", tmp_path / "artifacts")
    shutil.copytree(made[0].data_dir, places.data_dir)
    shutil.copytree(made[0].artifacts_dir, places.artifacts_dir)
    return (places, *made[1:])


def names_of_parts(places, document, parts):
    _, rows = load_labelled_rows(places.datasets_dir, document.dataset_digest)
    chosen = np.isin(split_of(document, rows), parts)
    return set(labelled_agent_names(places.datasets_dir, document.dataset_digest)[chosen].tolist())


def test_it_is_judged_on_nobody_whom_the_start_learned_from_and_found_the_next_time(made):
    places, _, second, start = made
    warm = trained(places, second, start=start.digest)

    assert warm.model.document.warm_start.trained_digest == start.digest
    learned = names_of_parts(places, start.model.document, (TRAIN, VALIDATION))
    judged = names_of_parts(places, warm.model.document, (VALIDATION, TEST))
    assert judged and not learned & judged
    assert warm.test.n_rows == rows_judged_on(places, warm.model.document).n_rows
    again = trained(places, second, start=start.digest)
    assert (again.made_already, again.digest) == (True, warm.digest)


def test_what_the_start_started_from_counts_as_well(made):
    places, first, second, start = made
    warm = trained(places, second, start=start.digest)
    _, rows = load_labelled_rows(places.datasets_dir, first)

    learned = rows_of_learned_agents(places, warm.digest, first, rows)
    itself = rows_of_learned_agents(places, start.digest, first, rows)
    assert (learned | itself == learned).all() and itself.any()


def test_on_the_very_same_data_enough_agents_are_left_only_in_the_test_part_and_it_is_refused(made):
    places, first, _, start = made
    with pytest.raises(InsufficientDataError, match=r"too few \(0 in validation; at least 8 each\): collect"):
        trained(places, first, start=start.digest)


def test_without_the_files_of_the_start_it_says_what_is_missing(copied):
    places, _, second, start = copied
    shutil.rmtree(places.trained_dir / start.digest)

    with pytest.raises(ArtifactError, match=f"needs the trained model {start.digest[:12]} and the dataset"):
        trained(places, second, start=start.digest)


def test_without_the_data_of_the_start_it_says_so_too(copied):
    places, first, second, start = copied
    shutil.rmtree(places.datasets_dir / first)

    with pytest.raises(ArtifactError, match="or train from the beginning"):
        trained(places, second, start=start.digest)


def test_it_starts_from_the_active_version_and_from_the_beginning_without_one(tmp_path):
    versions = embedded_store(tmp_path / "store.sqlite").versions
    registered = versions.register(make_candidate(), now=NOW, actor="a test").version
    assert model_to_start_from(versions.list_versions("calling_score"), WARM) is None

    promote_blessed(versions, "calling_score", registered.version, now=NOW, actor="a test", reason="")
    assert model_to_start_from(versions.list_versions("calling_score"), WARM) == registered.content_digest
    assert model_to_start_from(versions.list_versions("calling_score"), QUICK) is None


def test_a_refusal_is_about_what_was_started_from_as_well_and_a_datasets_refusal_is_not(tmp_path):
    def made_with(step, start):
        attempts = PresentAttempts(Places(tmp_path, tmp_path), None, ValidationConfig(), lambda: WARM, lambda: start)
        return attempts.recipe(step)

    assert made_with("trained_model", "a" * 64) != made_with("trained_model", "b" * 64)
    assert made_with("trained_model", None) == recipe(
        "trained_model", validation=ValidationConfig(), training=WARM, seed=0
    )
    assert made_with("validated_dataset", "a" * 64) == made_with("validated_dataset", "b" * 64)
