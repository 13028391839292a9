"""What a model was judged on is found again, for its registration, its promotion and its explanation."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.errors import ArtifactError
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.learning.splits import OVER_CAP, split_rows
from spots_ml.interactions.learning.validation import load_labelled_rows
from spots_ml.pipeline.data_steps import Sources, make_dataset, take_snapshot
from spots_ml.pipeline.model_steps import rows_judged_on, train
from spots_ml.places import Places
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.training.config import TrainingConfig
from spots_ml.training.trained_model import split_of
from spots_ml_tests.pipeline.chosen_data import Told, export, interactions

NOW = datetime(2026, 11, 21, tzinfo=UTC)
N_ROWS = 1_500


def of_one_agent(table, n_rows):
    """Let the first rows be of one agent, about two places in turn."""
    for name, values in (("agent_id", ["heavy"]), ("opportunity_id", ["a place", "another"])):
        said = [*(values * n_rows)[:n_rows], *table[name].to_pylist()[n_rows:]]
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), pa.array(said))
    return table


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("judged")
    return Places(root / "data", root / "artifacts")


@pytest.fixture(scope="module")
def trained(places, tmp_path_factory):
    """A model that learned from rows of which one agent has a third."""
    path = export(of_one_agent(interactions(N_ROWS), N_ROWS // 3), tmp_path_factory.mktemp("export") / "e.json")
    sources = Sources("embedded", lambda: embedded_store(places.database).interactions, export_path=path)
    snapshot = take_snapshot(places, "export", sources)
    dataset = make_dataset(
        places, snapshot.snapshot.digest, now=NOW, validation=ValidationConfig(), expectations=Told()
    )
    config = TrainingConfig(max_epochs=1, n_resamples=20)
    return train(places, dataset.report.digest, "calling_score", config, seed=0)


def test_rows_judged_on_are_those_of_the_training_where_caps_left_rows_out(places, trained):
    document = trained.model.document
    found = rows_judged_on(places, document)

    assert document.n_rows_by_split["over_cap"] > 0
    assert np.array_equal(found.features, trained.test.features)
    assert np.array_equal(found.scored_at, trained.test.scored_at)


def test_a_model_of_before_there_were_caps_is_split_without_any(places, trained):
    document = trained.model.document
    _, rows = load_labelled_rows(places.datasets_dir, document.dataset_digest)
    older = document.model_copy(update={"split_sizes": None})

    with pytest.raises(ArtifactError, match="these are not its rows"):
        split_of(older, rows)
    assert not np.any(split_rows(rows.agent, rows.scored_at, seed=0, rules=older.split_rules) == OVER_CAP)


def test_other_rows_than_those_of_the_training_are_refused(places, trained):
    document = trained.model.document
    _, rows = load_labelled_rows(places.datasets_dir, document.dataset_digest)

    with pytest.raises(ArtifactError, match="these are not its rows"):
        split_of(document, rows.take(np.arange(rows.n_rows - 10)))
    with pytest.raises(ArtifactError, match="these are not its rows"):
        split_of(document, replace(rows, opportunity=np.arange(rows.n_rows)))
