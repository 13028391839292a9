"""The weight by confidence as a function of the row: bounds, order, exactness, and what is refused."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from scipy.spatial.distance import cdist

from spots_ml.errors import ConfigError, ContractError
from spots_ml.scoring.confidence import FARTHEST, LARGEST_FACTOR, N_INPUTS_MAX, ConfidenceProfile, ConfidenceStep

N_INPUTS = 39


def a_profile(**changes: object) -> ConfidenceProfile:
    generator = np.random.default_rng(0)
    triangle = np.tril(generator.normal(0.0, 0.5, (N_INPUTS, N_INPUTS))) + 5.0 * np.eye(N_INPUTS)
    steps = (
        ConfidenceStep(up_to=80.0, weight=0.8, half_width=0.2, n_rows=700),
        ConfidenceStep(up_to=110.0, weight=0.25, half_width=0.25, n_rows=400),
        ConfidenceStep(up_to=140.0, weight=0.05, half_width=None, n_rows=5),
    )
    values: dict[str, object] = {
        "center": tuple(generator.uniform(0.4, 0.6, N_INPUTS).round(6).tolist()),
        "whitening": tuple(tuple(row[: n + 1]) for n, row in enumerate(triangle.round(4).tolist())),
        "alpha": 0.002,
        "steps": steps,
        "n_training_rows": 7_000,
        "n_validation_rows": 1_107,
        "n_validation_agents": 100,
    }
    return ConfidenceProfile.model_validate(values | changes)


PROFILE = a_profile()


def triangle_of(profile: ConfidenceProfile) -> np.ndarray:
    found = np.zeros((len(profile.center), len(profile.center)))
    for position, row in enumerate(profile.whitening):
        found[position, : len(row)] = row
    return found


def rows_at_all_distances(n_rows: int, seed: int = 0) -> np.ndarray:
    """From the center to far outside."""
    generator = np.random.default_rng(seed)
    reach = np.linspace(0.0, 1.0, n_rows)[:, None]
    rows = np.array(PROFILE.center) + reach * generator.uniform(-1.0, 1.0, (n_rows, N_INPUTS))
    return np.clip(rows, 0.0, 1.0).astype(np.float32)


features = arrays(np.float32, st.tuples(st.integers(0, 5), st.just(N_INPUTS)), elements=st.floats(0, 1, width=32))


@settings(deadline=None)
@given(features, st.floats(0, 1))
def test_weights_lie_between_nothing_and_the_limit_and_never_rise_with_the_distance(
    rows: np.ndarray, limit: float
) -> None:
    rows = np.concatenate([rows, rows_at_all_distances(50)])
    weights = PROFILE.weights(rows, limit)
    assert weights.shape == (len(rows),)
    assert weights.dtype == np.float64
    assert np.all((weights >= 0.0) & (weights <= limit))
    assert np.all(np.diff(weights[np.argsort(PROFILE.distances(rows), kind="stable")]) <= 0.0)


@settings(deadline=None)
@given(features, st.integers(1, 3_000), st.randoms(use_true_random=False))
def test_a_row_has_the_same_distance_alone_in_any_batch_and_in_any_order(
    rows: np.ndarray, n_others: int, chance: object
) -> None:
    batch = np.concatenate([rows_at_all_distances(n_others), rows])
    order = np.arange(len(batch))
    chance.shuffle(order)  # type: ignore[attr-defined]
    together = PROFILE.distances(batch)
    assert np.array_equal(PROFILE.distances(batch[order]), together[order])
    assert np.array_equal(PROFILE.distances(np.asfortranarray(batch)), together)
    assert np.array_equal(PROFILE.distances(batch[-1:]), together[-1:])
    assert np.array_equal(PROFILE.weights(batch[-1:], 0.3), PROFILE.weights(batch, 0.3)[-1:])


def test_every_row_alone_is_as_in_the_batch() -> None:
    rows = rows_at_all_distances(2_500)
    together = PROFILE.distances(rows)
    assert [float(PROFILE.distances(row[None])[0]) for row in rows] == together.tolist()
    assert len(set(PROFILE.weights(rows, 0.3))) == 4


def test_the_arithmetic_is_exact_also_for_the_largest_numbers_allowed() -> None:
    """Fractions have no rounding; floats may not differ from them by a bit."""
    generator = np.random.default_rng(1)
    n_inputs = N_INPUTS_MAX
    triangle = generator.choice([-LARGEST_FACTOR, LARGEST_FACTOR, 0.0001, 0.0123], (n_inputs, n_inputs))
    profile = a_profile(
        center=tuple(generator.random(n_inputs).tolist()),
        whitening=tuple(tuple(row[: n + 1]) for n, row in enumerate(triangle.tolist())),
    )
    near = np.array(profile.center) + generator.uniform(-1e-4, 1e-4, (5, n_inputs))
    for row in np.clip(np.concatenate([near, generator.random((3, n_inputs))]), 0.0, 1.0):
        moved = [
            round(Fraction(x) * 2**16) - round(Fraction(c) * 2**16) for x, c in zip(row, profile.center, strict=True)
        ]
        total = Fraction(0)
        for column in range(n_inputs):
            factors = [round(Fraction(profile.whitening[line][column]) * 10**4) for line in range(column, n_inputs)]
            product = sum(x * factor for x, factor in zip(moved[column:], factors, strict=True))
            assert abs(product) < 2**53
            coordinate = round(product * (2.0**-16 * 10.0**-4 / 2.0**-10))
            total += Fraction(min(max(coordinate, -(2**18)), 2**18), 2**10) ** 2
        assert profile.distances(row[None])[0] == total


def test_distances_are_those_of_mahalanobis() -> None:
    rows = rows_at_all_distances(500)
    triangle = triangle_of(PROFILE)
    peer = cdist(rows.astype(np.float64), [PROFILE.center], "mahalanobis", VI=triangle @ triangle.T)[:, 0] ** 2
    assert np.allclose(PROFILE.distances(rows), peer, rtol=1e-3, atol=0.02)


def test_the_edge_of_a_shell_belongs_to_it_and_beyond_the_last_there_is_nothing() -> None:
    rows = rows_at_all_distances(300)
    rows = rows[np.argsort(PROFILE.distances(rows))]
    edge = float(PROFILE.distances(rows)[150])
    one = a_profile(steps=(ConfidenceStep(up_to=edge, weight=0.4, half_width=0.2, n_rows=151),))
    assert one.weights(rows, 0.3)[:151].tolist() == [0.3] * 151
    assert one.weights(rows, 0.3)[151:].tolist() == [0.0] * 149
    assert one.weights(rows[:1], 1.0).tolist() == [0.4]
    assert np.isnan(one.half_widths(rows)[151:]).all()


def test_rows_far_from_training_weigh_nothing() -> None:
    corners = np.random.default_rng(0).integers(0, 2, (500, N_INPUTS)).astype(np.float32)
    assert not PROFILE.weights(corners, 1.0).any()
    steep = a_profile(whitening=tuple((0.0,) * n + (LARGEST_FACTOR,) for n in range(N_INPUTS)))
    assert steep.distances(corners).min() >= FARTHEST
    assert not steep.weights(corners, 1.0).any()


def test_half_widths_follow_the_shell_and_are_unknown_where_rows_were_too_few() -> None:
    rows = rows_at_all_distances(400)
    expected = np.array([0.2, 0.25, np.nan, np.nan])[PROFILE.steps_of(rows)]
    assert np.array_equal(PROFILE.half_widths(rows), expected, equal_nan=True)
    assert set(PROFILE.steps_of(rows)) == {0, 1, 2, 3}


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_row_with_a_value_that_is_no_number_weighs_nothing(broken: float) -> None:
    rows = np.array([PROFILE.center, PROFILE.center], dtype=np.float32)
    rows[1, 38] = broken
    assert PROFILE.weights(rows, 0.3).tolist() == [0.3, 0.0]


def test_without_shells_nothing_weighs_anything() -> None:
    nothing = a_profile(steps=())
    assert not nothing.weights(rows_at_all_distances(20), 1.0).any()
    assert np.isnan(nothing.half_widths(rows_at_all_distances(20))).all()


def test_no_rows_give_no_weights() -> None:
    assert PROFILE.weights(np.empty((0, N_INPUTS), np.float32), 0.3).shape == (0,)


def test_the_document_comes_back_with_the_same_weights() -> None:
    rows = rows_at_all_distances(2_000)
    back = ConfidenceProfile.model_validate_json(PROFILE.model_dump_json())
    assert back == PROFILE
    assert back.model_dump_json() == PROFILE.model_dump_json()
    assert np.array_equal(back.distances(rows), PROFILE.distances(rows))
    assert np.array_equal(back.weights(rows, 0.3), PROFILE.weights(rows, 0.3))


@pytest.mark.parametrize("limit", [-0.1, 1.1, float("nan")])
def test_a_limit_that_is_no_share_is_refused(limit: float) -> None:
    with pytest.raises(ConfigError, match="expected a share"):
        PROFILE.weights(rows_at_all_distances(1), limit)


@pytest.mark.parametrize("shape", [(N_INPUTS,), (3, N_INPUTS + 6), (3, N_INPUTS, 1)])
def test_features_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ContractError, match=r"expected \(n_rows, 39\)"):
        PROFILE.weights(np.zeros(shape, np.float32), 0.3)


STEP = {"up_to": 80.0, "weight": 0.5, "half_width": 0.2, "n_rows": 700}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"whitening": [[1.0, 2.0]] * N_INPUTS}, "triangle"),
        ({"whitening": [[1.0]]}, "triangle"),
        ({"whitening": [[LARGEST_FACTOR * 1.01]], "center": [0.5]}, "less than or equal to 2048"),
        ({"center": [1.5], "whitening": [[1.0]]}, "less than or equal to 1"),
        ({"steps": [STEP, STEP]}, "rising distances"),
        ({"steps": [STEP, {**STEP, "up_to": 90.0, "weight": 0.6}]}, "weights that never rise"),
        ({"steps": [{**STEP, "up_to": FARTHEST}]}, "less than 65536"),
        ({"steps": [{**STEP, "weight": 1.1}]}, "less than or equal to 1"),
        ({"steps": [{**STEP, "half_width": float("nan")}]}, "finite"),
        ({"alpha": 0.0}, "greater than 0"),
        ({"mood": "good"}, "Extra inputs"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        a_profile(**changes)
