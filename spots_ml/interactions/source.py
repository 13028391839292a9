"""A stream of interactions, whatever it comes from: an export, a generator or a store.

Readers of one kind of source live in their own module (`export`, `generators`); stores live in `stores`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from spots_ml.interactions.kinds import SourceKind
from spots_ml.texts import MAX_DESCRIPTION, shown


@dataclass(frozen=True)
class InteractionStream:
    """Interactions in source order, read once, batch by batch.

    Attributes:
        kind: Where the outcomes come from; the suffix of the version names trained on them.
        batches: Record batches of schema `schema.INTERACTIONS`; `position` counts up from 0 without gaps.
        description: One line about the source, for people, escaped and shortened; not part of any digest.
        watermark: How far label arrival had come in a store when it was read; `None` for other sources.
    """

    kind: SourceKind
    batches: Iterator[pa.RecordBatch]
    description: str
    watermark: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "description", shown(self.description, limit=MAX_DESCRIPTION))
