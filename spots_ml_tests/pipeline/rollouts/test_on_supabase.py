"""The same loop on a Supabase project: what is promoted, rolled back and taken back there is what is here."""

import numpy as np
import pytest

from spots_ml.experiments.rollout import ON_THE_WAY
from spots_ml.registry.published_files import ONNX_NAME, version_directory
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml_tests.pipeline.rollouts.rehearsed import (
    FIRST,
    SECOND,
    actions,
    active,
    days,
    look_at,
    rehearsal,
    traffic,
    with_champion,
)


@pytest.fixture
def place(project, tmp_path):
    place = rehearsal(tmp_path, 120)
    with Calls(SupabaseConnection(project.url, project.keys.secret), random=np.random.default_rng(1)) as calls:
        place.store = supabase_store(calls)
        yield place


def over(looked):
    return looked.looked_at is not None and looked.looked_at.status not in ON_THE_WAY


@pytest.mark.slow  # a week over the network: every day is scored, logged, imported and looked at by calls
def test_a_better_version_is_widened_and_promoted_and_tried_at_the_trusted_weight(place):
    with_champion(place)
    place.register(SECOND)
    started = look_at(place).started
    assert traffic(place, SECOND) == 0.3
    looked = days(place, 8, good=0.9, until=over)
    assert [action for action, _ in actions(place, started)] == ["started", "widened", "promoted"]
    assert (active(place), looked.started.kind) == (SECOND, "weight")


def test_files_that_storage_gives_back_take_nothing_back(place):
    with_champion(place)
    path = version_directory(place.places.models_dir, place.model_type, FIRST) / ONNX_NAME
    whole = path.read_bytes()
    path.write_bytes(b"no model")
    assert look_at(place).taken_back is None
    assert (active(place), path.read_bytes()) == (FIRST, whole)
