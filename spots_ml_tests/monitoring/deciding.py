"""Decisions with outcomes, written by hand."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from spots_ml.digests import digest_json
from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.scoring.decision_log.fields import DECISIONS_WITH_OUTCOMES

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
"""The daily run's usual hour."""
_DEFAULTS = {
    "origin": "served",
    "group": "hybrid",
    "version": "v1.0-real",
    "outcome_version": "v1.0-real",
    "weight": 0.1,
    "formula_score": 0.6,
    "neural_score": 0.6,
    "outcome_probability": 0.8,
    "score": 0.6,
    "called": False,
    "blocked": False,
    "explored": False,
    "propensity": 1.0,
    "feature_digest": "0" * 64,
    **dict.fromkeys(HISTORY_FEATURES, 0.5),
    "watermark": None,
    "fallback": None,
    # As they are read of a log of before there were arms.
    "arm": None,
    "experiment": None,
    "stage": None,
    "share": None,
    "claim": None,
    "trend_boost": None,
    "filter_on": None,
}


def decision(agent="a", *, hours_ago=72.0, outcome=None, outcome_after=1.0, **changes):
    """One row; `outcome` is the outcome's score, which tells its type, `outcome_after` its delay in hours."""
    decided_at = NOW - timedelta(hours=hours_ago)
    row = {
        **_DEFAULTS,
        "agent_id": agent,
        "opportunity_id": "o",
        "decided_at": decided_at,
        "outcome_type": None
        if outcome is None
        else "positive"
        if outcome >= 0.7
        else "neutral"
        if outcome >= 0.4
        else "negative",
        "outcome_score": outcome,
        "outcome_at": None if outcome is None else decided_at + timedelta(hours=outcome_after),
        **changes,
    }
    if row["group"] == "formulaBased":
        row["weight"] = 0.0
    return row


def decisions(rows):
    """A table as the store gives it; ids are made from the rows and their places."""
    rows = [{"decision_id": digest_json([i, row["agent_id"]])[:32], **row} for i, row in enumerate(rows)]
    return pa.Table.from_pylist(rows, schema=DECISIONS_WITH_OUTCOMES)
