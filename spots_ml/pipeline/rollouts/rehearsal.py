"""A small platform of its own in which rollouts are rehearsed: a store in a folder, a few agents, days that pass.

Scorer, decision log, interactions and registry are the real ones; only agents, outcomes and the clock are made up.
What is rehearsed is told by who uses it: `drill`, and the tests of the whole loop.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from spots_ml.experiments.serving import serving_challengers
from spots_ml.features.contract import RAW_FEATURES
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.interactions.source import InteractionStream
from spots_ml.models.declared import ModelType, model_in
from spots_ml.models.spec import Role
from spots_ml.pipeline.rollouts.rehearsed_version import register_rehearsed
from spots_ml.places import Places
from spots_ml.registry.blessings import Blessing
from spots_ml.registry.records import ModelVersion
from spots_ml.registry.serving import open_scorer
from spots_ml.requests.request_schema import REQUESTS
from spots_ml.scoring.assignment import HYBRID, group_of
from spots_ml.scoring.decision_log.claims import SERVED
from spots_ml.scoring.decision_log.log import decision_table
from spots_ml.scoring.inputs import scoring_inputs
from spots_ml.scoring.scorer import Scorer
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.stores.store import Store

ACTOR: Final = "rehearsal"
DOUBTFUL: Final = 0.32
"""Value of all features of a pair that the formula just does not call: a model that says yes calls it, at any weight
from 0.1."""
OUTCOME_AFTER: Final = timedelta(hours=2)


def hybrid_agents(number: int) -> list[str]:
    """Name agents of the group `hybrid`.

    Args:
        number: How many.

    Returns:
        Ids, the same ones every time.
    """
    names: list[str] = []
    candidate = 0
    while len(names) < number:
        name = f"agent-{candidate}"
        if group_of(name) == HYBRID:
            names.append(name)
        candidate += 1
    return names


@dataclass
class Rehearsal:
    """A platform in a folder.

    Attributes:
        folder: Where all of it lies; the caller throws it away.
        now: What time it is there (UTC).
        agents: Who is asked about, every day.
        model_type: Whose versions are rolled out.
    """

    folder: Path
    now: datetime
    agents: Sequence[str]
    model_type: ModelType = field(default_factory=lambda: model_in(Role.NEURAL_SCORE).name)

    def __post_init__(self) -> None:
        """Open the store."""
        self.places = Places(self.folder / "data", self.folder / "artifacts")
        self.store: Store = embedded_store(self.places.database)
        self._n_asked = 0

    def register(self, version: str, *, says_yes: bool = True, blessed: bool = True) -> ModelVersion:
        """Register a version in staging, and bless it beside what is active."""
        made = register_rehearsed(
            self.store.versions,
            self.places.models_dir,
            self.model_type,
            version,
            says_yes=says_yes,
            now=self.now,
            actor=ACTOR,
        )
        if blessed:
            self.bless(version)
        return made

    def bless(self, version: str, *, passed: bool = True) -> None:
        """Say of a version whether it may have traffic beside what is active."""
        active = next(
            (one for one in self.store.versions.list_versions(self.model_type) if one.status == "active"), None
        )
        blessing = Blessing(
            model_type=self.model_type,
            version=version,
            champion=None if active is None else active.version,
            passed=passed,
            sentence="a rehearsal: nothing was compared",
        )
        self.store.versions.bless(blessing, now=self.now, actor=ACTOR)

    def promote(self, version: str) -> None:
        """Make a version the active one, by hand."""
        self.store.versions.promote(
            self.model_type, version, now=self.now, actor=ACTOR, reason="a rehearsal", forced=True
        )

    def scorer(self) -> Scorer:
        """Open what answers now, with what is rolled out."""
        return open_scorer(
            self.store.versions,
            self.places.models_dir,
            challengers=serving_challengers(self.store.rollouts.list_rollouts()),
        )

    def serve(self, *, good: float, agents: Sequence[str] | None = None, scorer: Scorer | None = None) -> pa.Table:
        """Ask about one doubtful pair per agent now, log what is decided, and let outcomes of the called arrive.

        Args:
            good: Share of positive outcomes among the called, in [0, 1]; the others are negative.
            agents: Who is asked about; None: all.
            scorer: What answers; None: what is served now.

        Returns:
            The decisions, as they were logged.
        """
        asked = list(self.agents if agents is None else agents)
        rows = [self._pair(agent) for agent in asked]
        batch = pa.RecordBatch.from_pylist(rows, schema=REQUESTS)
        answering = scorer or self.scorer()
        inputs = scoring_inputs(batch, None, answering.assignment.assign(batch["agent_id"], _moments(batch)))
        claims = pa.repeat(pa.scalar(SERVED), len(rows))
        decided = decision_table(batch, inputs, answering.score(inputs), claims=claims, now=self.now, watermark=None)
        self.store.decisions.log_decisions([decided], now=self.now)
        # Which of the called are pleased does not depend on who called them: every share of them, evenly.
        pleased = (np.arange(len(rows)) * good) % 1.0 + good >= 1.0
        self._outcomes(
            [row for row, called in zip(rows, decided["called"].to_pylist(), strict=True) if called], pleased
        )
        return decided

    def pass_time(self, duration: timedelta) -> None:
        """Let time pass."""
        self.now += duration

    def _pair(self, agent: str) -> dict[str, object]:
        self._n_asked += 1
        told: dict[str, object] = {
            "position": 0,
            "agent_id": agent,
            "opportunity_id": f"spot-{self._n_asked}",
            "scored_at": self.now,
        }
        return told | dict.fromkeys(RAW_FEATURES, DOUBTFUL)

    def _outcomes(self, rows: Sequence[dict[str, object]], pleased: np.ndarray) -> None:
        if not rows:
            return
        at = self.now + OUTCOME_AFTER
        labelled = [
            row
            | {
                "position": position,
                "formula_score": 0.69,
                "is_called": True,
                "outcome_type": "positive" if pleased[position] else "negative",
                "outcome_score": 0.9 if pleased[position] else 0.1,
                "outcome_at": at,
            }
            for position, row in enumerate(rows)
        ]
        batch = pa.RecordBatch.from_pylist(labelled, schema=INTERACTIONS)
        stream = InteractionStream("synthetic", iter([batch]), description="a rehearsal")
        self.store.interactions.import_interactions(stream, now=at)


def _moments(batch: pa.RecordBatch) -> np.ndarray:
    moments: np.ndarray = batch["scored_at"].to_numpy(zero_copy_only=False)
    return moments
