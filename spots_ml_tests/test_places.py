from pathlib import Path

import pytest

from spots_ml.places import Places
from spots_ml.settings import Settings

PLACES = Places(Path("/d"), Path("/a"))


@pytest.mark.parametrize(
    ("found", "on_disk"),
    [
        (PLACES.database, "/d/spots_ml.sqlite"),
        (PLACES.local_supabase_dir, "/d/local_supabase"),
        (PLACES.snapshots_dir, "/d/snapshots"),
        (PLACES.datasets_dir, "/d/datasets"),
        (PLACES.data_docs_dir, "/d/data_docs"),
        (PLACES.scored_dir, "/d/scored"),
        (PLACES.baselines_dir, "/d/baselines"),
        (PLACES.checkpoints_dir("outcome"), "/d/checkpoints/outcome"),
        (PLACES.training_lock("outcome"), "/d/training-outcome.lock"),
        (PLACES.trained_dir, "/a/trained"),
        (PLACES.onnx_dir, "/a/onnx"),
        (PLACES.benchmarks_dir, "/a/benchmarks"),
        (PLACES.importance_dir, "/a/importance"),
        (PLACES.models_dir, "/a/models"),
    ],
)
def test_what_was_written_before_is_found_where_it_was_written(found, on_disk):
    assert found == Path(on_disk)


def test_the_settings_say_where_both_roots_are(tmp_path):
    settings = Settings(data_dir=tmp_path / "in", artifacts_dir=tmp_path / "out")

    assert settings.places == Places(tmp_path / "in", tmp_path / "out")
