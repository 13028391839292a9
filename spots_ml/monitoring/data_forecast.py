"""How much data there is, how much is missing, and when it will be there at the present rate of arrival.

Whether a dataset may be trained on is decided in `interactions.learning.fitness`; the thresholds are the same.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from spots_ml.errors import ArtifactError, ContractError
from spots_ml.interactions.learning.fitness import SufficiencyConfig
from spots_ml.interactions.learning.report import DatasetReport
from spots_ml.interactions.learning.validation import read_report
from spots_ml.monitoring.arrival_rate import ArrivalRate, Arrivals, measure_rate

_LONGEST: Final = timedelta(days=36_500)


@dataclass(frozen=True)
class Requirement:
    """One requirement, held against the data.

    Attributes:
        name: What is required.
        present: What is there, in `unit`.
        required: What must be there, in `unit`.
        unit: `labels`, or `share` in [0, 1].
        missing_labels: Labels to come until it is met, at the present number of interactions; 0 when it is met.
        to_train: Whether training is refused without it; otherwise it is a recommendation.
        reached_at: When it will be met at the present rate (UTC); None when it is met, when nothing arrives any
            more, or when that lies more than a century ahead.
    """

    name: str
    present: float
    required: float
    unit: str
    missing_labels: int
    to_train: bool
    reached_at: datetime | None

    @property
    def met(self) -> bool:
        """Whether nothing is missing."""
        return self.missing_labels == 0

    @property
    def present_text(self) -> str:
        """What is there, for a person."""
        return self._text(self.present)

    @property
    def required_text(self) -> str:
        """What must be there, for a person."""
        return self._text(self.required)

    def _text(self, amount: float) -> str:
        return f"{amount:.1%}" if self.unit == "share" else f"{amount:,.0f}"


@dataclass(frozen=True)
class Sufficiency:
    """How much data there is.

    Attributes:
        n_interactions: Accepted interactions, labelled or not.
        n_labelled: Those with an outcome.
        now: When this was said (UTC).
        rate: How labels arrive, and as of when that is known.
        requirements: What training needs, then what is recommended.
    """

    n_interactions: int
    n_labelled: int
    now: datetime
    rate: ArrivalRate
    requirements: tuple[Requirement, ...]

    @property
    def missing(self) -> tuple[Requirement, ...]:
        """The requirements that are not met."""
        return tuple(found for found in self.requirements if not found.met)

    @property
    def trainable(self) -> bool:
        """Whether training would be allowed by the numbers."""
        return all(found.met for found in self.requirements if found.to_train)

    def message(self) -> str:
        """Say what is missing and when it is expected.

        Returns:
            One line for a person.
        """
        if not self.missing:
            return f"{self.n_labelled:,} labelled of {self.n_interactions:,} interactions: as much as recommended"
        return f"{'; '.join(map(_in_words, self.missing))} ({self.rate.told(self.now)})"


def measure_sufficiency(
    n_interactions: int,
    n_labelled: int,
    *,
    coverage: float | None = None,
    arrived: Arrivals | None = None,
    now: datetime,
    config: SufficiencyConfig | None = None,
) -> Sufficiency:
    """Hold counts against the requirements.

    Args:
        n_interactions: Accepted interactions, labelled or not.
        n_labelled: Those with an outcome, of no agent more than may count.
        coverage: Share of interactions with an outcome, no agent above its cap; None: that of the counts.
        arrived: When each label arrived, and whose it is; None: nothing is known.
        now: The present, with a time zone: from here the rest is expected to arrive.
        config: How much is enough; the defaults when absent.

    Returns:
        What is present, required and missing, and when it is expected.
    """
    config = config or SufficiencyConfig()
    rate = ArrivalRate() if arrived is None else measure_rate(arrived, now=now)
    if coverage is None:
        coverage = n_labelled / n_interactions if n_interactions else 0.0
    # In whole labels, whatever the last digit of the product; without interactions one labelled one is missing.
    for_coverage = math.ceil(round((config.min_label_coverage - coverage) * max(1, n_interactions), 6))

    def requirement(name: str, present: float, required: float, unit: str, missing: int, to_train: bool) -> Requirement:
        missing = max(0, missing)
        return Requirement(name, present, required, unit, missing, to_train, _expected(missing, rate.promised, now))

    return Sufficiency(
        n_interactions=n_interactions,
        n_labelled=n_labelled,
        now=now,
        rate=rate,
        requirements=(
            requirement(
                "labelled interactions, to train",
                n_labelled,
                config.min_labelled,
                "labels",
                config.min_labelled - n_labelled,
                True,
            ),
            requirement(
                "interactions with an outcome, to train",
                coverage,
                config.min_label_coverage,
                "share",
                for_coverage,
                True,
            ),
            requirement(
                "labelled interactions, recommended",
                n_labelled,
                config.recommended_labelled,
                "labels",
                config.recommended_labelled - n_labelled,
                False,
            ),
        ),
    )


def report_of_snapshot(datasets_dir: Path, snapshot_digest: str, config_digest: str) -> DatasetReport | None:
    """Find what validation found in a snapshot, also when it was too little to be materialised.

    Args:
        datasets_dir: The folder of all datasets.
        snapshot_digest: Which snapshot.
        config_digest: The thresholds of validation.

    Returns:
        The report; None when the snapshot was not validated with these thresholds, or its report is damaged or made for
        another contract.
    """
    for folder in sorted(datasets_dir.glob("*/")):
        try:
            report = read_report(datasets_dir, folder.name)
        except (ArtifactError, ContractError):
            continue
        if (report.snapshot_digest, report.config_digest) == (snapshot_digest, config_digest):
            return report
    return None


def _expected(missing: int, labels_per_day: float | None, now: datetime) -> datetime | None:
    if not missing or not labels_per_day:
        return None
    wait_days = missing / labels_per_day
    return now + timedelta(days=wait_days) if wait_days <= _LONGEST.days else None


def _in_words(found: Requirement) -> str:
    when = f", expected on {found.reached_at:%Y-%m-%d}" if found.reached_at else ""
    return f"{found.present_text} of {found.required_text} {found.name}: {found.missing_labels:,} more labels{when}"
