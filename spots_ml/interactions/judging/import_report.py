"""What an import into a store did, in numbers that add up."""

from dataclasses import dataclass


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
    """

    n_read: int
    n_new: int
    n_updated: int
    n_unchanged: int
    n_repeated: int
    n_quarantined: int
    n_new_labels: int
    reasons: dict[str, int]

    def __post_init__(self) -> None:
        parts = self.n_new + self.n_updated + self.n_unchanged + self.n_repeated + self.n_quarantined
        if parts != self.n_read:
            raise AssertionError(f"{self.n_read} records read, but {parts} accounted for: {self}")
