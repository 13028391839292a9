"""Generated interactions as record batches: what the generators share. One batch is in memory at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.errors import ConfigError
from spots_ml.features.contract import (
    AGENT_VIBES,
    CONTEXT_FEATURES,
    OPPORTUNITY_VIBES,
    TIMING_FEATURES,
)
from spots_ml.interactions.generators.outcome_law import DECIMALS, NEUTRAL_FROM, POSITIVE_FROM, OutcomeLaw
from spots_ml.interactions.generators.simple_score import score_of_parts
from spots_ml.interactions.generators.timeline import Timeline, draw_timeline
from spots_ml.interactions.schema import INTERACTIONS

BATCH_ROWS: Final = 50_000
"""Rows per batch. Chance is drawn batch by batch: another size would be another data set."""
_SCORE_DECIMALS: Final = 6


@dataclass(frozen=True)
class InteractionLaw:
    """What one kind of generated interactions is made of.

    Attributes:
        name: Prefix of agent and opportunity ids.
        rows_per_agent: Mean rows per agent, at least 1.
        draw_agents: Given the number of agents and a generator, `(12, n_agents)` vibe dimensions in [0, 1].
        draw_opportunities: Given `(12, n_rows)` vibe dimensions of the agents and a generator, those of the
            opportunities, `(12, n_rows)` in [0, 1].
        outcome: How the outcome follows from the score.
    """

    name: str
    rows_per_agent: float
    draw_agents: Callable[[int, np.random.Generator], np.ndarray]
    draw_opportunities: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    outcome: OutcomeLaw


def draw_interactions(
    law: InteractionLaw, n_rows: int, *, seed: int, until: datetime, labelled_share: float
) -> Iterator[pa.RecordBatch]:
    """Draw interactions under a law. Arguments are checked at once, rows are drawn when they are taken.

    Args:
        law: The law.
        n_rows: Number of rows, at least 1.
        seed: Which of the possible data sets; also part of the ids, so that two seeds can live in one store.
        until: End of the generated period, with zone.
        labelled_share: Probability that a row has an outcome, in [0, 1].

    Returns:
        Batches of schema `schema.INTERACTIONS` in the order of time; features and outcomes with four
        decimals.

    Raises:
        ConfigError: When an argument is out of its range.
    """
    if not 0.0 <= labelled_share <= 1.0:
        raise ConfigError(f"labelled_share is {labelled_share}, expected a share in [0, 1]")
    if seed < 0:
        raise ConfigError(f"seed is {seed}, expected a whole number of at least 0")
    who_and_when, agents, rows = np.random.SeedSequence(seed).spawn(3)
    timeline = draw_timeline(
        n_rows,
        rows_per_agent=law.rows_per_agent,
        generator=np.random.default_rng(who_and_when),
        until=until,
    )
    vibes = np.round(law.draw_agents(timeline.n_agents, np.random.default_rng(agents)), DECIMALS)
    prefix = f"{law.name}-{seed}"
    return _batches(law, timeline, vibes, rows, prefix, labelled_share)


def beta_two_two(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Draw from Beta(2, 2), the middle one of three uniform numbers: several times faster than by rejection.

    Args:
        shape: Shape of the result.
        generator: The source of chance.

    Returns:
        Floats in [0, 1) of that shape.
    """
    first, second, third = generator.random(shape), generator.random(shape), generator.random(shape)
    middle: np.ndarray = np.maximum(np.minimum(first, second), np.minimum(np.maximum(first, second), third))
    return middle


def _batches(
    law: InteractionLaw,
    timeline: Timeline,
    vibes: np.ndarray,
    chance: np.random.SeedSequence,
    prefix: str,
    labelled_share: float,
) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(timeline.agent), BATCH_ROWS):
        generator = np.random.default_rng(chance.spawn(1)[0])
        rows = slice(start, min(start + BATCH_ROWS, len(timeline.agent)))
        position = np.arange(rows.start, rows.stop)
        agent = vibes[:, timeline.agent[rows]]
        opportunity = np.round(law.draw_opportunities(agent, generator), DECIMALS)
        context = np.round(beta_two_two((len(CONTEXT_FEATURES), len(position)), generator), DECIMALS)
        timing = np.round(beta_two_two((len(TIMING_FEATURES), len(position)), generator), DECIMALS)
        score = score_of_parts(agent, opportunity, context, timing)
        outcome = law.outcome.draw(score, generator)
        unlabelled = generator.random(len(position)) >= labelled_share
        features = {
            **dict(zip(AGENT_VIBES, agent, strict=True)),
            **dict(zip(OPPORTUNITY_VIBES, opportunity, strict=True)),
            **dict(zip(CONTEXT_FEATURES, context, strict=True)),
            **dict(zip(TIMING_FEATURES, timing, strict=True)),
        }
        columns = {
            "position": pa.array(position),
            "agent_id": _ids(f"{prefix}-agent-", timeline.agent[rows]),
            "opportunity_id": _ids(f"{prefix}-spot-", position),
            "scored_at": pa.array(timeline.scored_at[rows]).cast(INTERACTIONS.field("scored_at").type),
            **{name: pa.array(values) for name, values in features.items()},
            "formula_score": pa.array(np.round(score, _SCORE_DECIMALS)),
            "is_called": pa.array(law.outcome.called(score)),
            "outcome_type": _outcome_types(outcome, unlabelled),
            "outcome_score": pa.array(outcome, mask=unlabelled),
            "outcome_at": pa.array(timeline.outcome_at[rows], mask=unlabelled).cast(
                INTERACTIONS.field("outcome_at").type
            ),
            "first_outcome_at": pa.nulls(len(position), INTERACTIONS.field("first_outcome_at").type),
            "record": pa.nulls(len(position), pa.string()),
            "problems": pa.nulls(len(position), INTERACTIONS.field("problems").type),
        }
        yield pa.record_batch([columns[name] for name in INTERACTIONS.names], schema=INTERACTIONS)


def _ids(prefix: str, numbers: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "")


def _outcome_types(outcome: np.ndarray, unlabelled: np.ndarray) -> pa.Array:
    codes = (outcome < POSITIVE_FROM).astype(np.int8) + (outcome < NEUTRAL_FROM)
    types = pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=unlabelled), pa.array(["positive", "neutral", "negative"])
    )
    return types.cast(pa.string())
