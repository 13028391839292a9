import numpy as np
import pytest

from spots_ml.monitoring.causes.learning_curve import CurvePoint, adapted_threshold, fit_curve

SIZES = (1_000, 1_500, 2_200, 3_100, 4_500, 6_000)


def points(law, sizes=SIZES):
    return [CurvePoint(n, law(n)) for n in sizes]


def threshold(law, *, fixed=1_000, least=200, most=20_000, gain=0.01, sizes=SIZES):
    return adapted_threshold(points(law, sizes), fixed=fixed, least=least, most=most, gain=gain)


@pytest.mark.parametrize("a", [0.0, 0.02])
@pytest.mark.parametrize("c", [0.3, 0.5, 1.0])
def test_a_curve_without_noise_is_found_again(a, c):
    curve = fit_curve(points(lambda n: a + 0.4 / n**c))

    assert (curve.a, curve.b, curve.c) == (pytest.approx(a, abs=1e-9), pytest.approx(0.4), c)


def test_what_is_expected_is_where_the_curve_has_come_down_by_the_gain():
    found = threshold(lambda n: 0.02 + 0.5 / n**0.5)

    goal = (0.02 + 0.5 / 6_000**0.5) * 0.99
    assert found.n_labels == round((0.5 / (goal - 0.02)) ** 2 - 6_000)
    assert found.told.startswith("the curve of 6 versions, 0.02 + 0.5 / n^0.5, has at 6,000 labels 1.0% to gain by ")


def test_who_learns_fast_is_asked_for_few_labels_and_who_has_learned_for_many():
    fast, slow = (threshold(lambda n, b=b: 0.02 + b / n**0.5, gain=0.02) for b in (2.0, 0.2))
    assert fast.n_labels < slow.n_labels


@pytest.mark.parametrize(
    ("law", "n_labels", "told"),
    [
        (lambda n: 5.0 / n, 200, "more, at least 200"),
        (lambda n: 0.02 + 0.02 / n**0.3, 2_000, "more, at most 2,000"),
        (lambda n: 0.02 + 0.0001 / n, 2_000, "to gain by any number: the most"),
        (lambda n: 0.02 + n * 1e-6, 2_000, "to gain by any number: the most"),
    ],
)
def test_it_never_leaves_the_declared_bounds_and_says_so(law, n_labels, told):
    found = threshold(law, most=2_000)
    assert found.n_labels == n_labels and found.told.endswith(told)


@pytest.mark.parametrize("sizes", [(), SIZES[:4], (3_000,) * 9, (3_000, 3_100, 3_200, 3_300, 5_999)])
def test_too_few_versions_or_versions_of_one_size_give_the_fixed_number_and_the_reason(sizes):
    found = threshold(lambda n: 0.02 + 0.5 / n**0.5, sizes=sizes, fixed=750)
    assert found.n_labels == 750
    assert found.told.startswith(
        "fixed: a learning curve needs 5 versions of this store whose labels differ by 2 times"
    )


def test_with_noise_it_stays_within_the_bounds_and_near_the_truth():
    random = np.random.default_rng(3)
    sizes = [1_000 * (number + 1) for number in range(12)]
    found = [
        threshold(lambda n: (0.02 + 0.6 / n**0.5) * (1 + 0.01 * random.normal()), sizes=sizes).n_labels
        for _ in range(200)
    ]
    truth = threshold(lambda n: 0.02 + 0.6 / n**0.5, sizes=sizes).n_labels
    assert min(found) >= 200 and max(found) <= 20_000
    assert truth / 2 < np.median(found) < truth * 2
