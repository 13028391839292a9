"""The error budget over a lifetime: by hand, against an independent e-LOND, and never more than there is."""

import math

import numpy as np
import pytest

from spots_ml.errors import ConfigError
from spots_ml.experiments.budget import gamma, level_at, next_level
from spots_ml_tests.experiments.unit_tables import rollout


def test_the_first_needs_an_e_value_of_47_and_later_ones_more_without_a_promotion():
    needed = [1.0 / level_at(n, 0, 0.05) for n in range(5)]
    assert needed == pytest.approx([47.1, 187.9, 399.5, 666.3, 978.3], abs=0.1)
    assert 1.0 / level_at(4, 2, 0.05) == pytest.approx(978.3 / 3.0, abs=0.1)


def test_all_parts_together_are_the_budget_and_no_more():
    n = 200_000
    told = sum(gamma(number) for number in range(1, n + 1))
    rest = 2.0 / math.sqrt(math.log(n + 0.5)) * gamma(1) * math.log(2.0) ** 1.5  # the integral over all that follow
    assert told < 1.0
    assert told + rest == pytest.approx(1.0, abs=1e-5) and told + rest < 1.0


def test_levels_are_those_of_an_independent_e_lond():
    online_fdr = pytest.importorskip("online_fdr.e_values", reason="an environment of before it was among the tests'")
    sequences = pytest.importorskip("online_fdr.core.abstract.abstract_gamma_seq")

    class Ours(sequences.AbstractGammaSequence):
        def __init__(self):
            super().__init__(1.0)

        def calc_gamma(self, j, **kwargs):
            return gamma(j)

    theirs = online_fdr.ELond(0.05, Ours())
    promoted = 0
    for before, e in enumerate(np.random.default_rng(1).lognormal(4.0, 3.0, 60)):
        level = level_at(before, promoted, 0.05)
        assert theirs.test_one(e) == (e >= 1.0 / level)
        assert theirs.current_level == pytest.approx(level)
        promoted += bool(e >= 1.0 / level)
    assert 5 < promoted < 60


class Kept:
    """Rollouts that are over, by how each was promoted; None: it was not."""

    def __init__(self, *causes):
        self.causes = causes

    def list_rollouts(self, model_type=None):
        return tuple(
            rollout(number=number, status="promoted" if cause else "ended", promoted_by=cause)
            for number, cause in enumerate(self.causes, start=1)
        )


def test_promotions_that_a_person_forced_make_no_later_one_easier():
    assert next_level(Kept(), 0.05) == level_at(0, 0, 0.05)
    kept = Kept("evidence", None, "by_hand", "by_hand")
    assert next_level(kept, 0.05) == level_at(4, 1, 0.05)


@pytest.mark.parametrize(("before", "promoted"), [(-1, 0), (2, 3), (1, -1)])
def test_more_promotions_than_rollouts_are_refused(before, promoted):
    with pytest.raises(ConfigError, match="at most all"):
        level_at(before, promoted, 0.05)


def test_rollouts_are_numbered_from_1():
    with pytest.raises(ConfigError, match="from 1 on"):
        gamma(0)
