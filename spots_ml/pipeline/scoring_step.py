"""Scoring the pairs of one day (UTC): which they are, and what the serving versions answer to them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from spots_ml.experiments.serving import serving_challengers
from spots_ml.interactions.keeping.interaction_store import EmptyStoreError, InteractionReader
from spots_ml.models.declared import ModelType
from spots_ml.places import Places
from spots_ml.registry.service import service_periods
from spots_ml.registry.serving import open_scorer
from spots_ml.requests.of_day import DayCount, interactions_as_requests, of_day, read_pairs
from spots_ml.scoring.answering.score_tally import fallbacks_told
from spots_ml.scoring.answering.scored_day import ScoredDay, score_day
from spots_ml.scoring.decision_log.claims import ClaimRule
from spots_ml.scoring.scorer import Scorer
from spots_ml.stores.store import Store


@dataclass(frozen=True)
class DayOfRequests:
    """What is to be scored for a day.

    Attributes:
        again: Whether all of it is scored again: interactions of the store are, candidate pairs are not.
        batches: The requests, read once.
        count: How many rows fell on the day; complete when the batches are read.
        description: Where they come from, in words.
        watermark: The label watermark the store is read at; None: candidate pairs.
    """

    again: bool
    batches: Iterator[pa.RecordBatch]
    count: DayCount
    description: str
    watermark: str | None = None


@dataclass(frozen=True)
class DayAnswered:
    """What came of scoring a day.

    Attributes:
        asked: What was asked; its requests are read.
        scored: The answers.
        scorer: What answered.
    """

    asked: DayOfRequests
    scored: ScoredDay
    scorer: Scorer

    @property
    def fallbacks(self) -> list[str]:
        """Why models did not answer, one sentence per cause."""
        return fallbacks_told(self.scored.tally, self.scorer)


def open_day(
    interactions: InteractionReader, start: datetime, end: datetime, *, pairs: Path | None = None
) -> DayOfRequests:
    """Open the requests of a day.

    Candidate pairs when there are some; a pair without a moment is a candidate of every day, decided at its begin.
    Otherwise the store's interactions of that day; those without a moment belong to no day.

    Args:
        interactions: The store.
        start: Begin of the day (UTC).
        end: Its end.
        pairs: Candidate pairs, a Parquet file or a folder of them; None: the store's interactions are scored again.

    Returns:
        The requests, read as they are asked for; none when the store is empty.

    Raises:
        InputError: When the source cannot be read as what it claims to be (here, or while it is read).
    """
    count = DayCount()
    if pairs is not None:
        batches = of_day(read_pairs(pairs), start, end, count, undated=True)
        return DayOfRequests(False, batches, count, f"candidate pairs of {pairs}")
    reached = interactions.label_watermark()
    try:
        known = interactions.read_interactions(reached, since=start, until=end).batches
    except EmptyStoreError:
        known = iter(())
    batches = of_day(interactions_as_requests(known), start, end, count, undated=False)
    return DayOfRequests(True, batches, count, "interactions of the store", reached)


def answer_day(
    places: Places,
    store: Store,
    start: datetime,
    end: datetime,
    *,
    name: str,
    pairs: Path | None,
    versions: Mapping[ModelType, str | None],
    by_confidence: bool,
    exploration: float,
    now: datetime,
) -> DayAnswered:
    """Score the pairs of a day, keep the answers, log the decisions.

    Args:
        places: Where versions lie, and scored days are kept.
        store: The registry, what is rolled out, the interactions, their history and the decision log.
        start: Begin of the day (UTC).
        end: Its end.
        name: The day's folder among the scored days.
        pairs: Candidate pairs, as `open_day` takes them.
        versions: Version by model, where another than the serving one is wanted; outside of any rollout then.
        by_confidence: Whether the neural weight follows the model's confidence.
        exploration: Share of the served decisions left to a coin, in [0, 0.2].
        now: The present, with a time zone.

    Returns:
        What came of it.

    Raises:
        InputError: When the source cannot be read as what it claims to be; then no file is left.
        RegistryError: When a version named does not exist.
    """
    asked = open_day(store.interactions, start, end, pairs=pairs)
    scorer = open_scorer(
        store.versions,
        places.models_dir,
        versions=versions,
        by_confidence=by_confidence,
        exploration=exploration,
        challengers=serving_challengers(store.rollouts.list_rollouts()),
    )
    scored = score_day(
        asked.batches,
        scorer,
        places.scored_dir / name,
        rule=ClaimRule(service_periods(store.versions.history()), now, again=asked.again),
        history=store.history,
        log=store.decisions,
        now=now,
        up_to=asked.watermark,
    )
    return DayAnswered(asked, scored, scorer)
