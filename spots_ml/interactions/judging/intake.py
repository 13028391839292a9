"""What every store does with a stream before it keeps it: each record is judged, and everything is counted."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from spots_ml.interactions.judging.broken_share import N_EXAMPLES, refuse_broken
from spots_ml.interactions.judging.findings import KeyTally
from spots_ml.interactions.judging.judgement import quarantined
from spots_ml.interactions.judging.merging import Codes
from spots_ml.interactions.judging.rules import ValidationConfig, find_problems
from spots_ml.interactions.judging.weighing import weigh

_DETAILED: Final = 1_000
"""Broken records of a batch whose keys are sought, one by one; a batch may be broken as a whole."""


@dataclass(frozen=True)
class ImportReport:
    """Counts of one import; `n_read` is always the sum of the next five.

    Attributes:
        n_read: Records in the stream.
        n_new: Interactions the store did not know.
        n_updated: Known interactions of which the stream knew more, or something else; a late outcome among them.
        n_unchanged: Known interactions of which the stream said nothing new.
        n_repeated: Records that repeat an interaction of the same stream.
        n_quarantined: Broken records, kept aside with their reasons.
        n_new_labels: Interactions that are labelled now and were not before.
        reasons: Broken records by reason code; a record may have several.
        keys: Records by `reason code: key path`, the most frequent ones; of many broken records the first of each batch
            are looked at.
        examples: What the first broken records say, one text each.
    """

    n_read: int
    n_new: int
    n_updated: int
    n_unchanged: int
    n_repeated: int
    n_quarantined: int
    n_new_labels: int
    reasons: dict[str, int]
    keys: dict[str, int] = field(default_factory=dict)
    examples: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parts = self.n_new + self.n_updated + self.n_unchanged + self.n_repeated + self.n_quarantined
        if parts != self.n_read:
            raise AssertionError(f"{self.n_read} records read, but {parts} accounted for: {self}")


@dataclass
class Intake:
    """Judges the records of one stream, and counts them.

    Attributes:
        config: The rules each record is held against.
        now: The present, with a time zone.
        n_read: Records judged so far.
        n_broken: Of these, records that break a rule.
        reasons: Broken records by reason code; a record may have several.
    """

    config: ValidationConfig
    now: datetime
    n_read: int = 0
    n_broken: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    _keys: KeyTally = field(default_factory=KeyTally)
    _examples: list[tuple[int, list[str]]] = field(default_factory=list)

    def judged(self, batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, list[dict[str, Any]]]]:
        """Part the acceptable records from the broken ones.

        Args:
            batches: Rows of schema `INTERACTIONS`, in source order.

        Yields:
            For each batch the acceptable rows, and the others as rows of schema `QUARANTINE`; either may be none.

        Raises:
            ValidationFailedError: At the end, when more records are broken than may be: whoever takes them in all or
                nothing takes in nothing then.
        """
        agents, whose, is_broken = Codes(), [np.empty(0, np.int64)], [np.empty(0, bool)]
        for batch in batches:
            masks = find_problems(batch, config=self.config, now=self.now)
            n_broken = int(np.count_nonzero(masks))
            broken = quarantined(batch, masks, n_detailed=_DETAILED).to_pylist() if n_broken else []
            self._note(broken)
            self.n_read += batch.num_rows
            self.n_broken += n_broken
            self.reasons.update(code for row in broken for code in row["reasons"])
            whose.append(agents.of(batch["agent_id"]))
            is_broken.append(masks != 0)
            yield batch.filter(pa.array(masks == 0)), broken
        rows = np.concatenate(is_broken)
        refuse_broken(
            weigh(np.concatenate(whose), list(agents.known), broken=rows, accepted=~rows, labelled=np.zeros_like(rows)),
            n_read=self.n_read,
            n_broken=self.n_broken,
            reasons=dict(sorted(self.reasons.items())),
            examples=self._examples,
            max_broken_share=self.config.max_broken_share,
            otherwise=", or import it with --accept-broken: a run then holds the store to the same share",
        )

    def _note(self, broken: list[dict[str, Any]]) -> None:
        """Count the keys that were found wrong, and keep the first records to show; no store keeps either."""
        for row in broken:
            details = row.pop("details")
            self._keys.add(details)
            if len(self._examples) < N_EXAMPLES:
                self._examples.append((row["position"], details or row["reasons"]))

    def report(self, *, n_distinct: int, n_new: int, n_updated: int, n_new_labels: int) -> ImportReport:
        """Add what the store did with the acceptable records.

        Args:
            n_distinct: Different interactions among them.
            n_new: Interactions the store did not know.
            n_updated: Known interactions that were changed.
            n_new_labels: Interactions that are labelled now and were not before.

        Returns:
            What happened, in numbers that add up.
        """
        return ImportReport(
            n_read=self.n_read,
            n_new=n_new,
            n_updated=n_updated,
            n_unchanged=n_distinct - n_new - n_updated,
            n_repeated=self.n_read - self.n_broken - n_distinct,
            n_quarantined=self.n_broken,
            n_new_labels=n_new_labels,
            reasons=dict(sorted(self.reasons.items())),
            keys=self._keys.counts(),
            examples=tuple(f"record {position:,}: {'; '.join(said)}" for position, said in self._examples),
        )
