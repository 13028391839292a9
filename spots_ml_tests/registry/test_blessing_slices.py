"""Which rows are in which slice."""

from dataclasses import replace

import numpy as np
import pytest

from spots_ml.registry.gates.blessing_slices import nearest, slices, vibe_centres
from spots_ml_tests.training.learning_rows import rows_of_a_step


@pytest.fixture(scope="module")
def rows():
    rows = rows_of_a_step(30)
    hours = np.arange(rows.n_rows)
    history = rows.history.copy()
    history[::3, 3] = 0.0
    return replace(rows, scored_at=np.datetime64("2026-11-23T00:00", "us") + hours.astype("m8[h]"), history=history)


def cut(rows, formula=None):
    formula = np.linspace(0.0, 1.0, rows.n_rows) if formula is None else formula
    return slices(rows, formula, vibe_centres(rows))


@pytest.mark.parametrize("kind", ["formula_score_", "opportunity_energy_", "on_", "hour_", "vibe_cluster_"])
def test_of_each_kind_every_row_is_in_one_slice(rows, kind):
    masks = [mask for name, mask in cut(rows).items() if name.startswith(kind)]

    assert len(masks) > 2
    assert (np.sum(masks, axis=0) == 1).all()


def test_new_and_known_agents_are_told_by_their_history(rows):
    found = cut(rows)
    assert found["new_agents"].tolist() == [place % 3 == 0 for place in range(rows.n_rows)]
    assert (found["new_agents"] != found["known_agents"]).all()


def test_the_threshold_of_calls_is_an_end_of_a_band(rows):
    found = cut(rows, np.where(np.arange(rows.n_rows) % 2, 0.7, 0.6999))
    assert found["formula_score_0.7_to_0.8"].sum() == found["formula_score_0.6_to_0.7"].sum() == rows.n_rows / 2


def test_a_day_and_an_hour_are_those_of_the_moment_in_utc(rows):
    found = cut(rows)
    assert found["on_monday"][:25].tolist() == [True] * 24 + [False]
    assert found["hour_06_to_12_utc"][:13].tolist() == [False] * 6 + [True] * 6 + [False]
    before = replace(rows, scored_at=np.full(rows.n_rows, np.datetime64("1969-12-31T23:30", "us")))
    assert {name for name in cut(before) if name.startswith(("on_", "hour_"))} == {
        "on_wednesday",
        "hour_18_to_24_utc",
    }


def test_what_is_unknown_is_in_no_slice_of_its_kind(rows):
    unknown = replace(
        rows,
        scored_at=np.full(rows.n_rows, np.datetime64("NaT", "us")),
        unknown=np.ones_like(rows.unknown),
    )
    kinds = ("on_", "hour_", "opportunity_energy_", "vibe_cluster_")
    assert not [name for name in cut(unknown) if name.startswith(kinds)]


def test_clusters_are_where_the_vibes_are_whatever_the_order_of_the_rows(rows):
    generator = np.random.default_rng(0)
    truth = np.array([0.1, 0.4, 0.6, 0.9])
    features = rows.features.copy()
    place = generator.integers(0, 4, rows.n_rows)
    features[:, :12] = truth[place][:, None] + 0.02 * generator.normal(size=(rows.n_rows, 12))
    made = replace(rows, features=features)
    centres = vibe_centres(made)

    assert np.sort(centres.mean(axis=1)) == pytest.approx(truth, abs=0.02)
    assert np.array_equal(centres, vibe_centres(made.take(generator.permutation(made.n_rows))))
    found = nearest(features[:, :12], centres)
    assert len(set(zip(found.tolist(), place.tolist(), strict=True))) == 4


def test_fewer_vibes_than_clusters_are_as_many_clusters_and_none_is_none(rows):
    same = rows.take(np.zeros(5, int))
    assert vibe_centres(same).shape == (1, 12)
    assert vibe_centres(rows.take(np.zeros(0, int))).shape == (0, 12)
    assert nearest(rows.features[:2, :12], np.empty((0, 12))).tolist() == [-1, -1]
