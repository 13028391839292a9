"""What is read, what of it may be learned from, and in which words the rest is refused."""

from datetime import UTC, datetime

import pytest

from spots_ml.errors import ConfigError, GateError, InputError, InsufficientDataError, ValidationFailedError
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.learning.fitness import read_verdict
from spots_ml.pipeline.data_steps import Sources, make_dataset, take_snapshot
from spots_ml.places import Places
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.pipeline.chosen_data import Told, export, interactions, with_broken_rows, with_labels_of_the_first

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "data", tmp_path / "artifacts")


@pytest.fixture
def sources(places):
    return Sources("embedded", lambda: embedded_store(places.database).interactions, synthetic_rows=1_200)


def dataset(places, table, told=None):
    """Take an export of these interactions and make a dataset of it."""
    path = export(table, places.data_dir.parent / "export.json")
    taken = take_snapshot(places, "export", Sources("embedded", lambda: None, export_path=path))
    return make_dataset(places, taken.digest, now=NOW, validation=ValidationConfig(), expectations=told or Told())


def kept(places):
    return [path.name for path in places.datasets_dir.glob("*/verdict.json")]


def test_a_snapshot_says_where_it_lies_and_what_was_read(places, sources):
    taken = take_snapshot(places, "synthetic", sources)
    assert (taken.source, taken.snapshot.n_rows, taken.snapshot.kind) == ("synthetic", 1_200, "synthetic")
    assert taken.path == places.snapshots_dir / taken.digest / "interactions.parquet"
    assert taken.path.is_file()


def test_a_source_that_is_not_the_store_opens_no_store(places, sources):
    take_snapshot(places, "synthetic", sources)
    assert not places.database.exists()


def test_a_store_that_is_not_the_configured_one_is_no_source(places, sources):
    with pytest.raises(ConfigError, match="set SPOTS_ML_STORE=supabase, or choose the source 'embedded'"):
        take_snapshot(places, "supabase", sources)


def test_an_export_that_is_named_nowhere_is_refused_with_the_variable(places, sources):
    with pytest.raises(ConfigError, match="SPOTS_ML_EXPORT_PATH is not set"):
        take_snapshot(places, "export", sources)


def test_an_empty_store_is_told_in_a_sentence(places, sources):
    with pytest.raises(InputError, match="holds no interactions; fill it with `spots-ml import FILE`"):
        take_snapshot(places, "embedded", sources)


@pytest.mark.parametrize("content", ['{"training_data": [{"user_vibe_dim', None])
def test_an_export_that_is_none_is_told_by_its_name_and_nothing_is_kept(places, tmp_path, content):
    path = tmp_path / "export.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError) as refused:
        take_snapshot(places, "export", Sources("embedded", lambda: None, export_path=path))
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)
    assert not list(places.snapshots_dir.glob("*"))


def test_a_fit_dataset_gets_its_verdict_beside_it(places):
    built = dataset(places, interactions(1_500))
    built.require_fit()
    assert built.labels.passed and built.expectations.passed
    verdict = read_verdict(places.datasets_dir, built.digest)
    assert verdict.passed
    assert (verdict.measured["n_labelled"], verdict.measured["n_expectations"]) == (1_500.0, 2.0)


def test_too_many_broken_rows_are_refused_with_their_reasons_and_nothing_is_kept(places):
    with pytest.raises(ValidationFailedError, match=r"150 of 1,500 records are broken.*out_of_range 150"):
        dataset(places, with_broken_rows(interactions(1_500), 150))
    assert not list(places.datasets_dir.glob("*"))


def test_too_few_labels_are_told_before_any_expectation_is_looked_at(places):
    told = Told()
    built = dataset(places, interactions(999), told)
    assert not built.labels.passed and built.expectations is None
    with pytest.raises(InsufficientDataError, match=r"999 labelled interactions, .* \(1 missing\)"):
        built.require_fit()
    assert told.submitted == [] and kept(places) == []


def test_too_few_rows_with_a_label_are_refused_with_the_share(places):
    built = dataset(places, with_labels_of_the_first(interactions(2_100), 1_000))
    with pytest.raises(InsufficientDataError, match=r"47\.6% of 2,100 accepted interactions have an outcome"):
        built.require_fit()
    assert built.expectations is None and kept(places) == []


def test_a_broken_expectation_is_named_and_leaves_no_verdict(places):
    built = dataset(places, interactions(1_200), Told("agent_energy"))
    assert built.labels.passed and not built.expectations.passed
    with pytest.raises(ValidationFailedError, match=r"1 of 2 expectations on the accepted rows .*agent_energy"):
        built.require_fit()
    with pytest.raises(GateError, match="has no readable verdict"):
        read_verdict(places.datasets_dir, built.digest)


def test_other_work_is_done_while_the_expectations_are_looked_at(places, sources):
    told, seen = Told(), []
    taken = take_snapshot(places, "synthetic", sources)
    make_dataset(
        places,
        taken.digest,
        now=NOW,
        validation=ValidationConfig(),
        expectations=told,
        meanwhile=lambda: seen.append(list(told.submitted)),
    )
    assert seen == [told.submitted] != [[]]
