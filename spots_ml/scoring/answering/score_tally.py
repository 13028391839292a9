"""What many answers add up to: rows, calls, refusals and fallbacks. Counted batch by batch, in constant memory."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.interactions.judging.findings import KeyTally
from spots_ml.models.declared import model_in, model_spec
from spots_ml.models.spec import Role
from spots_ml.requests.findings import told_refusals
from spots_ml.scoring.answering.answers import Answers
from spots_ml.scoring.assignment import FORMULA_BASED, HYBRID, Group
from spots_ml.scoring.decision_log.claims import CLAIM_TEXTS, CLAIMS, SERVED
from spots_ml.scoring.decision_log.log import LogReport
from spots_ml.scoring.fallback import REASON_TEXTS
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel, ServedModel

_DETAILED: Final = 1_000
_EXAMPLES: Final = 5
_MEANS: Final = ("formula_score", "outcome_probability", "score", "weight")


@dataclass
class GroupTally:
    """What the answers to one group of agents add up to.

    Attributes:
        n: Rows that were scored.
        n_called: Rows that are called.
    """

    n: int = 0
    n_called: int = 0

    @property
    def called_rate(self) -> float | None:
        """Share of the scored rows that are called, in [0, 1]; None without any."""
        return self.n_called / self.n if self.n else None


@dataclass
class ScoreTally:
    """Counts over all answers so far.

    Attributes:
        n_read: Requests.
        n_refused: Requests that were not scored.
        n_unknown_features: Repaired raw features, over all scored rows.
        refused: Rows by reason code; a row with two reasons counts twice.
        refused_keys: Rows by `reason code: key path`; of many refused ones the first of each batch are looked at.
        refused_examples: What the first refused rows say.
        fallbacks: Rows by `model: reason`, such as `outcome: slow`.
        fallen_back: Rows for which any model did not answer.
        blocked: Rows that the outcome filter blocked.
        explored: Rows that were left to a coin.
        groups: Counts per group of agents.
    """

    n_read: int = 0
    n_refused: int = 0
    n_unknown_features: int = 0
    fallen_back: int = 0
    blocked: int = 0
    explored: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    refused_keys: KeyTally = field(default_factory=KeyTally)
    refused_examples: list[str] = field(default_factory=list)
    fallbacks: Counter[str] = field(default_factory=Counter)
    groups: dict[Group, GroupTally] = field(default_factory=lambda: {HYBRID: GroupTally(), FORMULA_BASED: GroupTally()})
    _sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_MEANS, 0.0))
    _neural: tuple[float, int] = (0.0, 0)

    def noting_refusals(self, answered: Iterable[Answers]) -> Iterator[Answers]:
        """Note on the way what refused requests said.

        Args:
            answered: Answers.

        Yields:
            The same.
        """
        for answers in answered:
            for position, details in told_refusals(answers.requests, answers.masks, limit=_DETAILED):
                self.refused_keys.add(details)
                if details and len(self.refused_examples) < _EXAMPLES:
                    self.refused_examples.append(f"request {position:,}: {'; '.join(details)}")
            yield answers

    def add(self, batch: pa.RecordBatch) -> None:
        """Count answers.

        Args:
            batch: Rows with the columns of `score_table.SCORES`.
        """
        refused = batch["refused"].drop_null()
        self.n_read += batch.num_rows
        self.n_refused += len(refused)
        self.refused.update(refused.flatten().to_pylist())
        self.n_unknown_features += pc.sum(batch["n_unknown"]).as_py() or 0
        fallbacks = batch["fallback"].drop_null()
        self.fallen_back += len(fallbacks)
        for entry in fallbacks.value_counts().to_pylist():
            for cause in entry["values"].split(", "):
                self.fallbacks[cause] += entry["counts"]
        self.blocked += batch["blocked"].true_count
        self.explored += batch["explored"].true_count
        for group, tally in self.groups.items():
            called = batch["called"].filter(pc.equal(batch["group"], group))
            tally.n += len(called)
            tally.n_called += called.true_count
        for name in _MEANS:
            self._sums[name] += pc.sum(batch[name]).as_py() or 0.0
        answered = batch["neural_score"].drop_null()
        total, n = self._neural
        self._neural = total + (pc.sum(answered).as_py() or 0.0), n + len(answered)

    @property
    def n_scored(self) -> int:
        """Requests that were scored."""
        return self.n_read - self.n_refused

    @property
    def n_called(self) -> int:
        """Requests that end in a call."""
        return sum(group.n_called for group in self.groups.values())

    def means(self) -> dict[str, float]:
        """Average over the scored rows.

        Returns:
            Mean of formula score, outcome probability, score and weight, and of the neural score over the rows where
            the model answered; what is undefined is left out.
        """
        found = {name: total / self.n_scored for name, total in self._sums.items()} if self.n_scored else {}
        if self._neural[1]:
            found["neural_score"] = self._neural[0] / self._neural[1]
        return found


@dataclass(frozen=True)
class LogTally:
    """What logging many answers led to.

    Attributes:
        report: What the log took in.
        n_from_log: Answers that are those of then: the log knows the decision, and now it would be another one.
        n_unidentified: Scored rows that cannot be logged: their agent or opportunity is unknown.
    """

    report: LogReport
    n_from_log: int
    n_unidentified: int

    @property
    def n_served(self) -> int:
        """New decisions that count."""
        return self.report.claims.get(SERVED, 0)

    @property
    def replayed(self) -> dict[str, int]:
        """New decisions that count in nothing, by their claim."""
        return {claim: n for claim, n in self.report.claims.items() if claim != SERVED}

    def told(self) -> list[str]:
        """Say what was logged.

        Returns:
            One sentence about each kind that occurred.
        """
        report = self.report
        sentences = [f"{report.n_new:,} new, {report.n_known:,} known before; of the new ones {self.n_served:,} served"]
        sentences += [
            f"{n:,} replayed, which counts in no performance: {CLAIM_TEXTS[claim]}"
            for claim in CLAIMS
            if (n := self.replayed.get(claim))
        ]
        if self.n_from_log:
            sentences.append(
                f"{self.n_from_log:,} of the known ones would be decided otherwise now: a logged decision stays as it "
                "was made, and their answers are those of then (from_log)"
            )
        if self.n_unidentified:
            sentences.append(f"{self.n_unidentified:,} rows without an agent or an opportunity are not logged")
        return sentences


def models_told(scorer: Scorer) -> dict[str, str]:
    """Say which version answers for each model, or why none does.

    Args:
        scorer: The scorer.

    Returns:
        One text per model, such as `v1.0-synthetic (weight 0.1)` or `v1.0-synthetic: damaged: …`, with the version that
        is rolled out.
    """
    told = {model_type: _model_told(model) for model_type, model in scorer.models.items()}
    if not scorer.outcome.filter_on:
        told[model_in(Role.OUTCOME_FILTER).name] += " (filter off: P(positive) blocks nothing)"
    neural = scorer.calling_score
    if not isinstance(neural, MissingModel):
        how = " by confidence, at most" if neural.confidence else ""
        told[model_in(Role.NEURAL_SCORE).name] += f" (weight{how} {neural.weight:g})"
    assignment = scorer.assignment
    for position in range(len(assignment.arms)):
        if len(treating := assignment.treated_in(position)) == 1:
            (one,) = treating
            weight = f", weight {one.weight:g}" if one.model_type == model_in(Role.NEURAL_SCORE).name else ""
            told[one.model_type] += (
                f"; {_model_told(scorer.models_of(position)[one.model_type])} for {one.share:.0%} of the hybrid group "
                f"({one.experiment}, stage {one.stage}{weight})"
            )
    return told


def _model_told(model: ServedModel | MissingModel) -> str:
    if isinstance(model, MissingModel):
        return ": ".join(part for part in (model.version, model.reason, model.detail) if part)
    return model.version


def fallbacks_told(tally: ScoreTally, scorer: Scorer) -> list[str]:
    """Say which fallbacks there were, how often, why, and who answered instead.

    Args:
        tally: Counts.
        scorer: The scorer that gave the answers.

    Returns:
        One sentence per model and reason, the most frequent first; empty when every model answered every row.
    """
    why_not = {str(reason): text for reason, text in REASON_TEXTS.items()}
    sentences = []
    for cause, n_rows in sorted(tally.fallbacks.items(), key=lambda item: (-item[1], item[0])):
        model_type, _, reason = cause.partition(": ")
        asked = [scorer.models_of(position)[model_type] for position in range(len(scorer.assignment.arms))]
        missing = {one.version: one for one in asked if isinstance(one, MissingModel) and one.reason == reason}
        # Of several versions that could be meant, the rows do not say here which one did not answer.
        (meant,) = missing.values() if len(missing) == 1 else (None,)
        versions = set(missing) or {one.version for one in asked}
        why = meant.detail if meant else why_not[reason]
        name = f"{model_type} {version}" if len(versions) == 1 and (version := min(versions, key=str)) else model_type
        sentences.append(
            f"{name}: {reason}: {why} - {model_spec(model_type).stand_in} answered "
            f"{n_rows:,} of {tally.n_scored:,} rows"
        )
    return sentences
