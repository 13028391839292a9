"""Interactions as the tests of stores take them in and read them back."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from spots_ml.features.contract import RAW_FEATURES
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.interactions.source import InteractionStream

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def interaction(number, *, labelled=True, **changes):
    scored_at = NOW - timedelta(days=10) + timedelta(minutes=number)
    row = {
        "agent_id": f"agent {number % 7}",
        "opportunity_id": f"spot {number}",
        "scored_at": scored_at,
        **{name: ((number + index) % 11) / 10 for index, name in enumerate(RAW_FEATURES)},
        "formula_score": 0.5,
        "is_called": True,
    }
    if labelled:
        row |= {"outcome_type": "positive", "outcome_score": 0.9, "outcome_at": scored_at + timedelta(hours=1)}
    return row | changes


def stream(rows, kind="real", batch_rows=1000):
    numbered = [{"position": position, **row} for position, row in enumerate(rows)]
    batches = [
        pa.RecordBatch.from_pylist(numbered[start : start + batch_rows], schema=INTERACTIONS)
        for start in range(0, len(numbered), batch_rows)
    ]
    return InteractionStream(kind=kind, batches=iter(batches), description="a test")


def take_in(store, rows, *, max_broken_share=0.05, **options):
    config = ValidationConfig(max_broken_share=max_broken_share)
    return store.interactions.import_interactions(stream(rows, **options), now=NOW, config=config)


def read(store, up_to=None, **bounds):
    batches = store.interactions.read_interactions(up_to, **bounds).batches
    return pa.Table.from_batches(list(batches), schema=INTERACTIONS)
