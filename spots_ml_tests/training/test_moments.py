import numpy as np
import pytest

from spots_ml.training.moments import blocks, moments


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_block_has_the_mean_and_deviation_of_numpy_to_the_last_bit(dtype: type[np.floating]) -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, (5_000, 7)).astype(dtype)
    mean, deviation = moments(len(values), lambda block: values[block])
    assert np.array_equal(mean, values.mean(axis=0, dtype=np.float64))
    assert np.array_equal(deviation, values.std(axis=0, dtype=np.float64))


def test_many_blocks_have_them_too_but_for_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spots_ml.training.moments.BLOCK_ROWS", 64)
    values = np.random.default_rng(0).normal(1_000.0, 0.01, (1_001, 3))
    mean, deviation = moments(len(values), lambda block: values[block])
    assert mean == pytest.approx(values.mean(axis=0), rel=1e-12)
    assert deviation == pytest.approx(values.std(axis=0), rel=1e-9)


def test_blocks_cover_all_rows_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spots_ml.training.moments.BLOCK_ROWS", 4)
    assert [(block.start, block.stop) for block in blocks(9)] == [(0, 4), (4, 8), (8, 9)]
    assert list(blocks(0)) == []
