"""How good the hand-written formula and outcome rule are: the numbers a model has to be better than, and by how much.

Two formulas, because a record may hold the score of another one than the app's: as *recorded* (score and call as the
records have them) and as *recomputed* from the features with the app's weights. A model's own comparison on test rows
is in `training.evaluation`; here every matured labelled row counts.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spots_ml.digests import digest_json, seal, unseal
from spots_ml.errors import ArtifactError, InsufficientDataError
from spots_ml.estimates.agents import N_RESAMPLES, Agents, Resampling
from spots_ml.estimates.estimate import Estimate
from spots_ml.estimates.statistic import AreaUnderCurve, answer_quality, estimate_all, mean
from spots_ml.files import write_whole
from spots_ml.interactions.columns import agents_by_name, first_arrivals
from spots_ml.interactions.kinds import SourceKind
from spots_ml.interactions.learning.dataset import labelled_rows
from spots_ml.interactions.learning.maturity import DEFAULT_WINDOW, Maturity, mature
from spots_ml.models.declared import model_in
from spots_ml.models.spec import Role
from spots_ml.scoring.decision import CALLED_FROM, OUTCOME_ABOVE
from spots_ml.scoring.fallback import outcome_rule
from spots_ml.scoring.formula import formula_score
from spots_ml.troubles import raise_unless_missing

SCORE_METRICS: Final = ("accuracy", "precision", "recall", "f1", "mae")
"""Of called against positive; `mae` is the mean distance of score and outcome score, the one that is to fall."""
OUTCOME_METRICS: Final = ("accuracy", "auc")
SCORE_GAIN: Final = 0.15
OUTCOME_GAIN: Final = 0.20
_ERRORS: Final = ("mae",)


class FormulaMeasured(BaseModel):
    """One of the two formulas on matured labelled rows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_rows: int = Field(ge=0, description="Matured labelled rows that have this score and this call.")
    metrics: dict[str, Estimate] = Field(description="Estimates by name of the metric.")
    targets: dict[str, float] = Field(description="What a model must reach, by metric; absent where undefined.")


class FormulaBaseline(BaseModel):
    """The numbers to be beaten, on one dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dataset_digest: str = Field(description="The dataset that was measured.")
    kind: SourceKind = Field(description="Where its outcomes come from.")
    maturity_hours: float = Field(ge=0, description="How long an outcome may take, in hours.")
    n_resamples: int = Field(ge=1, description="Resamples behind each interval.")
    seed: int = Field(description="Of the resampling.")
    n_rows: int = Field(ge=0, description="Accepted rows of the dataset.")
    n_matured: int = Field(ge=0, description="Rows whose maturity window is over.")
    n_without_time: int = Field(ge=0, description="Matured rows without a time of scoring: their window is unknown.")
    n_labelled: int = Field(ge=1, description="Matured rows whose outcome arrived in time: what is measured on.")
    n_agents: int = Field(ge=1, description="Agents among those: the unit of the intervals.")
    recorded: FormulaMeasured = Field(description="Score and call as recorded.")
    recomputed: FormulaMeasured = Field(description=f"The app's formula, called from {CALLED_FROM:.2f}.")
    outcome_rule: FormulaMeasured = Field(description=f"The app's outcome rule; says yes above {OUTCOME_ABOVE:.2f}.")


def measure_baseline(
    table: pa.Table,
    *,
    dataset_digest: str,
    kind: SourceKind,
    now: datetime,
    maturity: timedelta = DEFAULT_WINDOW,
    seed: int,
    n_resamples: int = N_RESAMPLES,
) -> FormulaBaseline:
    """Measure formula and outcome rule against what happened.

    Args:
        table: Accepted rows, columns of `schema.DATASET`.
        dataset_digest: Their identity.
        kind: Where their outcomes come from.
        now: The present, with a time zone.
        maturity: How long an outcome may take. Rows without a time of scoring count as matured (see
            `interactions.learning.maturity`).
        seed: Of the resampling.
        n_resamples: How many times agents are drawn.

    Returns:
        The baseline with intervals over agents, and the targets derived from it.

    Raises:
        InsufficientDataError: When no row is matured and labelled.
        ConfigError: When a number is out of its range.
    """
    found = _maturity(table, now=now, window=maturity)
    kept = table.filter(pa.array(found.labelled))
    if not kept.num_rows:
        raise InsufficientDataError(
            f"none of {table.num_rows:,} rows is labelled and matured ({int(found.matured.sum()):,} matured, "
            f"{table.num_rows - table['outcome_score'].null_count:,} labelled): the formula cannot be measured yet; "
            f"wait until decisions are {maturity / timedelta(hours=1):g} hours old and have outcomes"
        )
    rows = labelled_rows(kept)
    agents = agents_by_name(kept["agent_id"])
    observed = _Observed(rows.positive, rows.outcome_score.astype(np.float64), agents, Resampling(seed, n_resamples))

    score = formula_score(rows.features).score
    recorded = rows.formula_score.astype(np.float64)
    has_record = ~np.isnan(recorded) & pc.is_valid(kept["is_called"]).to_numpy()
    recorded_call = pc.fill_null(kept["is_called"], False).to_numpy()
    return FormulaBaseline(
        dataset_digest=dataset_digest,
        kind=kind,
        maturity_hours=maturity / timedelta(hours=1),
        n_resamples=n_resamples,
        seed=seed,
        n_rows=table.num_rows,
        n_matured=int(found.matured.sum()),
        n_without_time=table["scored_at"].null_count,
        n_labelled=rows.n_rows,
        n_agents=agents.n,
        recorded=observed.take(has_record).score(recorded[has_record], recorded_call[has_record]),
        recomputed=observed.score(score, score >= CALLED_FROM),
        outcome_rule=observed.probability(outcome_rule(rows.inputs(model_in(Role.OUTCOME_FILTER).name))),
    )


def targets(metrics: Mapping[str, Estimate], gain: float) -> dict[str, float]:
    """Derive what a model must reach.

    Args:
        metrics: Estimates by name.
        gain: Wanted relative improvement, such as 0.15.

    Returns:
        By name: the value raised by the gain, at most 1; an error lowered by it; nothing where undefined.

    >>> targets({"f1": Estimate(value=0.5, low=None, high=None), "mae": Estimate(value=0.2, low=None, high=None)}, 0.15)
    {'f1': 0.575, 'mae': 0.17}
    """
    return {
        name: round(value * (1.0 - gain) if name in _ERRORS else min(1.0, value * (1.0 + gain)), 8)
        for name, value in ((name, metric.value) for name, metric in metrics.items())
        if value is not None
    }


def save_baseline(baseline: FormulaBaseline, directory: Path) -> str:
    """Keep a baseline under the digest of its content; the same one again changes nothing.

    Args:
        baseline: What was measured.
        directory: The folder of all baselines.

    Returns:
        The digest.
    """
    document = baseline.model_dump(mode="json")
    digest = digest_json(document)
    write_whole(directory / f"{digest}.json", seal(document))
    return digest


def load_baseline(directory: Path, digest: str) -> FormulaBaseline:
    """Read a baseline after checking it.

    Args:
        directory: The folder of all baselines.
        digest: Which one.

    Returns:
        The baseline.

    Raises:
        ArtifactError: When it is missing, unreadable or altered.
    """
    path = directory / f"{digest}.json"
    try:
        document = unseal(path.read_bytes())
        baseline = FormulaBaseline.model_validate(document)
    except (OSError, ArtifactError, ValidationError) as error:
        raise_unless_missing(error, path)
        raise ArtifactError(
            f"baseline {digest} cannot be read in {directory} ({error}); materialise formula_baseline again"
        ) from error
    if digest_json(document) != digest:
        raise ArtifactError(f"{path} holds the baseline {digest_json(document)}; materialise formula_baseline again")
    return baseline


class _Observed:
    """What happened in the rows at hand, and who the agents were."""

    def __init__(self, positive: np.ndarray, outcome: np.ndarray, agents: Agents, resampling: Resampling) -> None:
        self._positive, self._outcome, self._agents, self._resampling = positive, outcome, agents, resampling

    def take(self, rows: np.ndarray) -> "_Observed":
        """Select rows; the agents that are left are numbered anew."""
        return _Observed(self._positive[rows], self._outcome[rows], self._agents.take(rows), self._resampling)

    def score(self, score: np.ndarray, called: np.ndarray) -> FormulaMeasured:
        """Measure a calling score and its calls."""
        error = np.abs(score - self._outcome)
        metrics = estimate_all(
            {
                **answer_quality(self._agents, called, self._positive),
                "mae": mean(self._agents, error, bounded=True),
            },
            self._resampling,
        )
        return FormulaMeasured(n_rows=len(score), metrics=metrics, targets=targets(metrics, SCORE_GAIN))

    def probability(self, probability: np.ndarray) -> FormulaMeasured:
        """Measure a probability of a positive outcome."""
        right = (probability > OUTCOME_ABOVE) == self._positive
        metrics = estimate_all(
            {
                "accuracy": mean(self._agents, right, bounded=True),
                "auc": AreaUnderCurve(self._agents, probability, self._positive),
            },
            self._resampling,
        )
        return FormulaMeasured(n_rows=len(probability), metrics=metrics, targets=targets(metrics, OUTCOME_GAIN))


def _maturity(table: pa.Table, *, now: datetime, window: timedelta) -> Maturity:
    return mature(
        table["scored_at"].to_numpy(),
        first_arrivals(table),
        pc.is_valid(table["outcome_score"]).to_numpy(),
        now=now,
        window=window,
    )
