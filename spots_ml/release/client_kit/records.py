"""Records in the app's layout, drawn under known laws: what golden lines start from.

A record is the JSON document that the app would send. What makes some of them special is in `situations`.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.features.contract import (
    HISTORY_FEATURES,
    VIBE_DIMENSIONS,
)
from spots_ml.interactions.generators.drawing import InteractionLaw, beta_two_two, draw_interactions
from spots_ml.interactions.generators.hybrid_law import HIGHEST_SHARE, HYBRID_OUTCOME, LEAST_SHARE, VIBE_NOISE_SD
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.generators.timeline import DEFAULT_UNTIL
from spots_ml.interactions.reading.record_layout import FEATURE_GROUPS
from spots_ml.requests.request_schema import TREND_BOOST_RANGE

Record = dict[str, Any]
Law = Literal["seed", "hybrid", "close"]
"""The two laws of generated interactions (agents of the hybrid one are drawn here, too: a survey is not always there),
and one whose two sides are nearly the same."""

_DECIMALS: Final = 4
_ROWS_PER_AGENT: Final = 10.0
_CLOSE_SD: Final = 0.05


def draw_records(law: Law, n_rows: int, *, seed: int) -> list[Record]:
    """Draw records under a law, with history, trend boost, trajectory potential and influence.

    Args:
        law: `seed`, `hybrid` or `close`.
        n_rows: How many.
        seed: Same seed, same records.

    Returns:
        Records in the app's layout; all values known, with four decimals.
    """
    rng = np.random.default_rng([seed, *law.encode()])
    names = [*HISTORY_FEATURES, "trend_boost", "trajectory_potential", "positive_influence"]
    low = np.array([0.0] * len(HISTORY_FEATURES) + [TREND_BOOST_RANGE[0], 0.0, 0.0])
    high = np.array([1.0] * len(HISTORY_FEATURES) + [TREND_BOOST_RANGE[1], 1.0, 1.0])
    drawn = np.round(rng.uniform(low, high, (n_rows, len(names))), _DECIMALS).tolist()
    records = []
    for row, extras in zip(_rows(law, n_rows, seed), drawn, strict=True):
        named = dict(zip(names, extras, strict=True))
        groups = {
            group: {key: row[column] for key, column in columns.items()} for group, columns in FEATURE_GROUPS.items()
        }
        records.append(
            {
                "agent_id": row["agent_id"],
                "opportunity_id": row["opportunity_id"],
                "timestamp": row["timestamp"],
                **groups,
                "history_features": {name: named.pop(name) for name in HISTORY_FEATURES},
                **named,
            }
        )
    return records


def _rows(law: Law, n_rows: int, seed: int) -> Iterator[dict[str, Any]]:
    if law == "seed":
        batches: Iterator[pa.RecordBatch] = iter(SeedLaw().generate(n_rows, seed=seed).batches)
    else:
        draw = _hybrid_opportunities if law == "hybrid" else _close_opportunities
        drawn = InteractionLaw(law, _ROWS_PER_AGENT, _agents, draw, HYBRID_OUTCOME)
        batches = draw_interactions(drawn, n_rows, seed=seed, until=DEFAULT_UNTIL, labelled_share=0.0)
    for batch in batches:
        times = pc.strftime(batch["scored_at"], format="%Y-%m-%dT%H:%M:%SZ").to_pylist()
        for row, timestamp in zip(batch.to_pylist(), times, strict=True):
            yield {**row, "timestamp": timestamp}


def _agents(n_agents: int, generator: np.random.Generator) -> np.ndarray:
    return beta_two_two((len(VIBE_DIMENSIONS), n_agents), generator)


def _hybrid_opportunities(agent: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    share = generator.uniform(LEAST_SHARE, HIGHEST_SHARE, agent.shape)
    return np.clip(agent * share + generator.normal(0.0, VIBE_NOISE_SD, agent.shape), 0.0, 1.0)


def _close_opportunities(agent: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return np.clip(agent + generator.normal(0.0, _CLOSE_SD, agent.shape), 0.0, 1.0)
