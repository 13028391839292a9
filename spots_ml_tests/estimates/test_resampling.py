import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spots_ml.errors import ConfigError
from spots_ml.estimates.agents import Resampling


def drawn(n_agents: int, n_resamples: int) -> np.ndarray:
    return np.concatenate(list(Resampling(3, n_resamples).counts(n_agents)))


@given(st.integers(1, 40), st.integers(1, 60))
def test_every_resample_draws_as_many_agents_as_there_are(n_agents: int, n_resamples: int) -> None:
    counts = drawn(n_agents, n_resamples)
    assert counts.shape == (n_resamples, n_agents)
    assert (counts.sum(axis=1) == n_agents).all()


def test_agents_are_drawn_with_equal_chances() -> None:
    counts = drawn(5, 4_000)
    assert counts.mean(axis=0) == pytest.approx(np.ones(5), abs=0.06)
    assert counts.var(axis=0) == pytest.approx(np.full(5, 0.8), abs=0.08)


def test_drawing_in_parts_gives_what_drawing_at_once_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn(7, 30)
    monkeypatch.setattr("spots_ml.estimates.agents._CHUNK", 21)
    parts = list(Resampling(3, 30).counts(7))
    assert [len(part) for part in parts] == [3] * 10
    assert (np.concatenate(parts) == whole).all()


def test_memory_is_in_the_number_of_agents_and_not_times_the_resamples() -> None:
    assert {part.shape for part in Resampling(0, 40).counts(600_000)} == {(1, 600_000)}


@pytest.mark.parametrize(("n_agents", "n_resamples"), [(0, 5), (5, 0)])
def test_drawing_nothing_is_refused(n_agents: int, n_resamples: int) -> None:
    with pytest.raises(ConfigError, match="at least one of each"):
        next(Resampling(0, n_resamples).counts(n_agents))
