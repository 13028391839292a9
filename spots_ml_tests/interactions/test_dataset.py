"""Labelled rows as arrays: in one table or batch by batch, whole or selected, the same numbers."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.features.contract import FEATURES, HISTORY_FEATURES
from spots_ml.interactions.learning.dataset import LabelledRows, collect_labelled, labelled_rows
from spots_ml.interactions.schema import DATASET
from spots_ml.models.declared import declared_types, model_spec

N_ROWS = 57


@pytest.fixture
def table() -> pa.Table:
    generator = np.random.default_rng(0)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    rows = []
    for place in range(N_ROWS):
        labelled = place % 4 != 1
        rows.append(
            {
                "position": place,
                "agent_id": None if place % 10 == 3 else f"agent-{generator.integers(9)}",
                "scored_at": None if place % 7 == 2 else start + timedelta(minutes=place),
                **{name: None if generator.random() < 0.1 else float(generator.random()) for name in FEATURES},
                **{name: float(generator.random()) for name in HISTORY_FEATURES},
                "formula_score": None if place % 5 == 0 else 0.5,
                "outcome_type": ("positive" if place % 3 else "negative") if labelled else None,
                "outcome_score": float(generator.random()) if labelled else None,
            }
        )
    return pa.Table.from_pylist(rows, schema=DATASET)


def assert_same(found: LabelledRows, expected: LabelledRows) -> None:
    for field in fields(LabelledRows):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        assert one.dtype == other.dtype, field.name
        assert np.array_equal(one, other, equal_nan=one.dtype.kind in "fM"), field.name


def test_rows_are_those_with_an_outcome_and_unknown_features_are_one_half(table: pa.Table) -> None:
    rows = labelled_rows(table)
    labelled = [row for row in table.to_pylist() if row["outcome_score"] is not None]
    assert rows.n_rows == len(labelled) == 43
    for place, row in enumerate(labelled):
        given = [row[name] for name in FEATURES]
        assert rows.unknown[place].tolist() == [value is None for value in given]
        assert rows.features[place].tolist() == [0.5 if value is None else value for value in given]
        assert rows.history[place].tolist() == [row[name] for name in HISTORY_FEATURES]
        assert rows.positive[place] == (row["outcome_type"] == "positive")
        assert np.isnat(rows.scored_at[place]) == (row["scored_at"] is None)
        assert np.isnan(rows.formula_score[place]) == (row["formula_score"] is None)
    names = [row["agent_id"] for row in labelled]
    known = [name for name in names if name is not None]
    codes = [code for code, name in zip(rows.agent, names, strict=True) if name is not None]
    assert len(set(zip(known, codes, strict=True))) == len(set(known)) == len(set(codes))
    assert len(set(rows.agent.tolist())) == len(set(known)) + names.count(None)


@pytest.mark.parametrize("batch_rows", [1, 8, 1_000])
def test_batch_by_batch_gives_what_the_whole_table_gives(table: pa.Table, batch_rows: int) -> None:
    expected = labelled_rows(table)
    assert_same(collect_labelled(table.to_batches(max_chunksize=batch_rows), expected.n_rows), expected)


def test_another_number_of_outcomes_than_announced_is_noticed(table: pa.Table) -> None:
    with pytest.raises(AssertionError, match="43 labelled rows came, 44 were announced"):
        collect_labelled(table.to_batches(), 44)


def test_a_table_without_outcomes_gives_no_rows(table: pa.Table) -> None:
    assert labelled_rows(table.slice(0, 0)).n_rows == 0


@pytest.mark.parametrize("model_type", declared_types())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_are_the_same_selected_converted_or_whole(
    table: pa.Table, monkeypatch: pytest.MonkeyPatch, model_type: str, dtype: type[np.floating]
) -> None:
    monkeypatch.setattr("spots_ml.interactions.learning.dataset._BLOCK_ROWS", 5)
    rows = labelled_rows(table)
    everything = np.concatenate([rows.features, rows.history], axis=1)[:, : model_spec(model_type).n_inputs]
    chosen = np.random.default_rng(1).random(rows.n_rows) < 0.6
    for mask, expected in ((None, everything), (chosen, everything[chosen]), (~chosen & chosen, everything[:0])):
        found = rows.inputs(model_type, mask, dtype=dtype)
        assert found.dtype == dtype
        assert np.array_equal(found, expected)
    assert np.array_equal(rows.inputs(model_type, np.array([9, 2, 9]), dtype=dtype), everything[[9, 2, 9]])
