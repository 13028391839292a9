"""What many answers add up to: rows, calls, refusals and fallbacks. Counted batch by batch, in constant memory."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from spots_ml.interactions.judging.findings import KeyTally
from spots_ml.interactions.judging.rules import codes
from spots_ml.models.declared import model_in, model_spec
from spots_ml.models.spec import Role
from spots_ml.requests.findings import told_refusals
from spots_ml.scoring.answering.answers import Answers
from spots_ml.scoring.assignment import FORMULA_BASED, HYBRID, Group
from spots_ml.scoring.decision_log.log import LogReport
from spots_ml.scoring.fallback import REASON_TEXTS
from spots_ml.scoring.inputs import count_unknown
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel

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

    def add(self, answers: Answers) -> None:
        """Count the answers to one batch.

        Args:
            answers: To any number of requests.
        """
        scores = answers.scores
        self.n_read += len(answers.masks)
        self.n_refused += int(np.count_nonzero(answers.masks))
        for mask in answers.masks[answers.masks != 0].tolist():
            self.refused.update(codes(mask))
        for position, details in told_refusals(answers.requests, answers.masks, limit=_DETAILED):
            self.refused_keys.add(details)
            if details and len(self.refused_examples) < _EXAMPLES:
                self.refused_examples.append(f"request {position:,}: {'; '.join(details)}")
        self.n_unknown_features += int(count_unknown(answers.scored).sum())
        self.fallbacks.update(scores.fallback_counts())
        self.fallen_back += int(np.count_nonzero(scores.fell_back))
        self.blocked += int(np.count_nonzero(scores.blocked))
        self.explored += int(np.count_nonzero(scores.explored))
        for group, rows in ((HYBRID, scores.hybrid), (FORMULA_BASED, ~scores.hybrid)):
            self.groups[group].n += int(np.count_nonzero(rows))
            self.groups[group].n_called += int(np.count_nonzero(rows & scores.called))
        for name in _MEANS:
            values = scores.formula.score if name == "formula_score" else getattr(scores, name)
            self._sums[name] += float(values.sum())
        answered = ~np.isnan(scores.neural_score)
        total, n = self._neural
        self._neural = total + float(scores.neural_score[answered].sum()), n + int(np.count_nonzero(answered))

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


@dataclass
class LogTally:
    """What logging many answers adds up to.

    Attributes:
        n_new: Decisions the log did not know.
        n_known: Decisions that were logged before.
        n_unidentified: Scored rows that cannot be logged: their agent or opportunity is unknown.
    """

    n_new: int = 0
    n_known: int = 0
    n_unidentified: int = 0

    def add(self, report: LogReport, n_unidentified: int) -> None:
        """Count what was logged about one batch.

        Args:
            report: The log's own.
            n_unidentified: Rows of the batch that could not be logged.
        """
        self.n_new += report.n_new
        self.n_known += report.n_known
        self.n_unidentified += n_unidentified


def models_told(scorer: Scorer) -> dict[str, str]:
    """Say which version answers for each model, or why none does.

    Args:
        scorer: The scorer.

    Returns:
        One text per model of the champion, such as `v1.0-synthetic (weight 0.1)` or `v1.0-synthetic: damaged: …`.
    """
    told = {}
    for model_type, model in scorer.models.items():
        if isinstance(model, MissingModel):
            parts = [model.version, model.reason, model.detail]
            told[model_type] = ": ".join(part for part in parts if part)
        else:
            told[model_type] = model.version
    if not scorer.outcome.filter_on:
        told[model_in(Role.OUTCOME_FILTER).name] += " (filter off: P(positive) blocks nothing)"
    neural = scorer.calling_score
    if not isinstance(neural, MissingModel):
        how = " by confidence, at most" if neural.confidence else ""
        told[model_in(Role.NEURAL_SCORE).name] += f" (weight{how} {neural.weight:g})"
    return told


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
        model = scorer.models[model_type]
        asked = {arm.versions[model_type] for arm in scorer.assignment.arms}
        # Of several versions, the rows do not say here which one did not answer.
        why = model.detail if isinstance(model, MissingModel) and len(asked) == 1 else why_not[reason]
        name = f"{model_type} {model.version}" if model.version and len(asked) == 1 else model_type
        sentences.append(
            f"{name}: {reason}: {why} - {model_spec(model_type).stand_in} answered "
            f"{n_rows:,} of {tally.n_scored:,} rows"
        )
    return sentences
