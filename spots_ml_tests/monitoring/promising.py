"""Decisions of a version and of the formula on the same rows, of agents that come back, with a known truth."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

START = datetime(2026, 1, 1, tzinfo=UTC)
_MOMENT = pa.timestamp("us", "UTC")


def decided(random, *, days, agents=300, active=0.3, base=lambda day: 0.0 * day, network=0.04, formula=0.06):
    """Decisions by moment: `base` moves what both score would have to say, `network` and `formula` are their errors.

    Agents are alike with themselves: each has an error of its own that both scores share in part.
    """
    day = np.repeat(np.arange(days), agents)
    agent = np.tile(np.arange(agents), days)
    here = random.random(len(day)) < active
    day, agent = day[here], agent[here]
    n = len(day)
    second = day * 86_400 + random.integers(0, 86_400, n)
    truth = 0.6 + 0.1 * random.normal(size=n)
    own = random.normal(size=agents)[agent]
    error_of_network = network(day) if callable(network) else network
    scores = {
        "neural_score": truth + error_of_network * (random.normal(size=n) + 0.5 * own),
        "formula_score": truth + formula * (random.normal(size=n) + 0.5 * own),
    }
    outcome = np.clip(truth + base(day) + 0.15 * random.normal(size=n), 0.0, 1.0)
    at = np.datetime64(START.replace(tzinfo=None), "us") + second.astype("timedelta64[s]")
    table = pa.table(
        {
            "agent_id": [f"agent-{number}" for number in agent],
            "opportunity_id": [f"spot-{number}" for number in range(n)],
            "version": pa.array(["v1.0-real"] * n),
            **{name: np.clip(score, 0.0, 1.0) for name, score in scores.items()},
            "decided_at": pa.array(at, _MOMENT),
            "outcome_type": pa.array(["positive"] * n),
            "outcome_score": outcome,
            "outcome_at": pa.array(at + np.timedelta64(5, "h"), _MOMENT),
            "first_outcome_at": pa.nulls(n, _MOMENT),
        }
    )
    return table.sort_by("decided_at")


def days(number):
    return START + timedelta(days=number)
