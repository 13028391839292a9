"""Derived slots against a hand-worked row and an independent row-by-row calculation."""

import math

import numpy as np
import pytest

from spots_ml.errors import ContractError
from spots_ml.features.contract import FEATURES, RAW_FEATURES, TIMING_FEATURES, VIBE_DIMENSIONS
from spots_ml.features.derived import derive

SLOT = {name: index for index, name in enumerate(FEATURES)}


def raw_rows(n_rows: int, seed: int, unknown_share: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    raw = generator.random((n_rows, len(RAW_FEATURES)))
    raw[generator.random(raw.shape) < unknown_share] = np.nan
    return raw


def derive_by_hand(row: np.ndarray) -> dict[str, float]:
    """The app's rules in scalar Python; None is unknown."""
    value = {name: None if math.isnan(x) else float(x) for name, x in zip(RAW_FEATURES, row, strict=True)}

    def match(dimension: str) -> float | None:
        mine, theirs = value[f"agent_{dimension}"], value[f"opportunity_{dimension}"]
        return None if mine is None or theirs is None else 1 - abs(mine - theirs)

    def tendency(side: str) -> float | None:
        both = value[f"{side}_exploration_eagerness"], value[f"{side}_novelty_seeking"]
        return None if None in both else sum(both) / 2

    known = [match(name) for name in VIBE_DIMENSIONS if match(name) is not None]
    mine, theirs = tendency("agent"), tendency("opportunity")
    parts = [
        (0.50, sum(known) / len(known) if known else None),
        (0.20, match("overall_energy")),
        (0.15, None if mine is None or theirs is None else 1 - abs(mine - theirs)),
        (0.15, match("social_preference")),
    ]
    weight = sum(share for share, part in parts if part is not None)
    timing = [value[name] for name in TIMING_FEATURES if value[name] is not None]
    answers = {
        "vibe_compatibility": sum(w * part for w, part in parts if part is not None) / weight if weight else None,
        "energy_match": match("overall_energy"),
        "community_match": match("community_orientation"),
        "novelty_match": match("novelty_seeking"),
        "timing_alignment": sum(timing) / len(timing) if timing else 0.5,
    }
    return {name: math.nan if answer is None else answer for name, answer in answers.items()}


def test_a_hand_worked_row_comes_out_as_the_app_computes_it() -> None:
    raw = dict.fromkeys(RAW_FEATURES, np.array([0.5]))
    raw |= {"agent_overall_energy": np.array([0.9]), "opportunity_overall_energy": np.array([0.4])}
    raw |= {"agent_novelty_seeking": np.array([0.7]), "opportunity_novelty_seeking": np.array([0.3])}
    raw |= {"optimal_time_of_day": np.array([0.1])}
    row = derive(raw)[0]
    # Mean agreement 1 - (0.5 + 0.4) / 12 = 0.925; energy 0.5; exploration 1 - |0.6 - 0.4| = 0.8; social 1.
    assert row[SLOT["vibe_compatibility"]] == pytest.approx(0.4625 + 0.1 + 0.12 + 0.15)
    assert row[SLOT["energy_match"]] == pytest.approx(0.5)
    assert row[SLOT["community_match"]] == pytest.approx(1.0)
    assert row[SLOT["novelty_match"]] == pytest.approx(0.6)
    assert row[SLOT["timing_alignment"]] == pytest.approx(0.4)


@pytest.mark.parametrize("unknown_share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_every_row_agrees_with_the_rule_applied_by_hand(unknown_share: float) -> None:
    raw = raw_rows(300, seed=1, unknown_share=unknown_share)
    derived = derive(raw)
    for row, features in zip(raw, derived, strict=True):
        for name, expected in derive_by_hand(row).items():
            assert features[SLOT[name]] == pytest.approx(expected, abs=1e-6, nan_ok=True), name


def test_raw_features_are_carried_over_to_their_slots() -> None:
    raw = raw_rows(5, seed=2, unknown_share=0.2)
    derived = derive(raw)
    for index, name in enumerate(RAW_FEATURES):
        np.testing.assert_array_equal(derived[:, SLOT[name]], raw[:, index].astype(np.float32))


def test_one_row_alone_gives_the_same_bits_as_in_a_batch() -> None:
    raw = raw_rows(200, seed=3, unknown_share=0.1)
    batch = derive(raw)
    alone = np.concatenate([derive(raw[i : i + 1]) for i in range(len(raw))])
    assert batch.tobytes() == alone.tobytes()


def test_columns_by_name_and_an_array_give_the_same() -> None:
    raw = raw_rows(20, seed=4)
    by_name = derive({name: raw[:, index] for index, name in enumerate(RAW_FEATURES)})
    np.testing.assert_array_equal(by_name, derive(raw))


def test_derived_slots_are_in_range_and_float32() -> None:
    derived = derive(raw_rows(10_000, seed=5))
    assert derived.dtype == np.float32
    assert derived.min() >= 0.0
    assert derived.max() <= 1.0


def test_derived_slots_vary_instead_of_being_constant_one_half() -> None:
    derived = derive(raw_rows(1_000, seed=6))
    for slot in (30, 31, 32, 33, 38):
        assert derived[:, slot].std() > 0.02


def test_placeholders_and_derived_slots_that_came_along_are_ignored() -> None:
    raw = raw_rows(10, seed=7)
    columns = {name: raw[:, index] for index, name in enumerate(RAW_FEATURES)}
    noise = {name: np.full(10, 0.123) for name in ("context_feature_7", "timing_feature_5", "vibe_compatibility")}
    np.testing.assert_array_equal(derive({**columns, **noise}), derive(columns))


def test_a_match_with_one_unknown_side_is_unknown_and_not_one_half() -> None:
    raw = raw_rows(1, seed=8)
    raw[0, RAW_FEATURES.index("agent_overall_energy")] = np.nan
    row = derive(raw)[0]
    assert np.isnan(row[SLOT["energy_match"]])
    assert not np.isnan(row[SLOT["vibe_compatibility"]])


def test_no_rows_give_no_rows() -> None:
    assert derive(np.empty((0, 34))).shape == (0, 39)


def test_missing_columns_are_all_named() -> None:
    columns = {name: np.zeros(1) for name in RAW_FEATURES[2:]}
    with pytest.raises(ContractError, match=f"{RAW_FEATURES[0]}, {RAW_FEATURES[1]}"):
        derive(columns)


def test_an_array_with_another_width_is_refused() -> None:
    with pytest.raises(ContractError, match=r"\(3, 39\); expected \(n_rows, 34\)"):
        derive(np.zeros((3, 39)))
