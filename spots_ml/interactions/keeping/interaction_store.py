"""What is needed of a store of interactions. Implementations live in `spots_ml.stores`."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from spots_ml.errors import InputError
from spots_ml.interactions.judging.intake import ImportReport
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.source import InteractionStream


class EmptyStoreError(InputError):
    """There is nothing to read.

    Args:
        place: Which store, for the message.
    """

    def __init__(self, place: str) -> None:
        super().__init__(
            f"{place} holds no interactions; fill it with `spots-ml import FILE`, or choose another SPOTS_ML_SOURCE"
        )


class InteractionImport(Protocol):
    """Takes interactions in. Every import is one transaction."""

    def import_interactions(
        self, stream: InteractionStream, *, now: datetime, config: ValidationConfig | None = None
    ) -> ImportReport:
        """Take interactions in; what is known already changes nothing, an outcome that arrived later is added.

        All or nothing: a stream that breaks in the middle, or a killed process, leaves the store as it was.

        Args:
            stream: Interactions; read in batches.
            now: The present (UTC): nothing may have happened later.
            config: The rules each record is held against; None: the defaults.

        Returns:
            What happened, in numbers that add up.

        Raises:
            InputError: When the stream turns out to be broken while it is read, or the present has no time zone.
            ValidationFailedError: When more of its records are broken than the rules allow.
        """
        ...


class ArrivedLabels(Protocol):
    """Knows how far the arrival of labels has come, by numbers that it gives and not by anybody's clock."""

    def own_watermark(self, watermark: str | None) -> str | None:
        """Keep a watermark where it says something: None for None, and for one of another kind of store."""
        ...

    def count_labels_after(self, watermark: str | None) -> int:
        """Count the labels that arrived after a watermark, exactly; None: all labels.

        Raises:
            InputError: When it is no watermark of such a store.
        """
        ...

    def count_corrections_after(self, watermark: str | None) -> int:
        """Count the interactions labelled at a watermark of which another type or score was told since; None: 0.

        Exact, and each once, however often it was corrected: so many labels of those who learned up to there are not
        what is known now.

        Raises:
            InputError: When it is no watermark of such a store.
        """
        ...


class InteractionReader(Protocol):
    """Gives interactions back as they were known at a point of arrival."""

    def label_watermark(self) -> str:
        """Name the present point of arrival: an opaque text; labels and interactions from now on lie after it."""
        ...

    def read_interactions(
        self,
        up_to: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        agents: Collection[str] | None = None,
    ) -> InteractionStream:
        """Read interactions as they were known at a point of arrival, at a cost that grows with what is asked for.

        Args:
            up_to: A watermark; None: the present one. Outcomes and interactions that arrived later are not shown.
            since: Start of a period, with a time zone, inclusive. Interactions without a moment are in no period.
            until: Its end, exclusive.
            agents: Only interactions of these.

        Returns:
            The interactions within these bounds in the order of their arrival, with the watermark; possibly none. Its
            kind is that of all imported data, `hybrid` when kinds are mixed.

        Raises:
            EmptyStoreError: When the store holds none at all.
            InputError: When `up_to` is no watermark, a moment has no zone, or the period ends before it starts; while
                reading: when rows are missing.
        """
        ...

    def read_quarantine(self, up_to: str | None = None) -> Iterator[pa.RecordBatch]:
        """Read the broken records that imports have set aside up to a point of arrival, some at a time.

        Args:
            up_to: A watermark; None: the present one. Those of later imports are not shown.

        Yields:
            Rows of `judging.set_aside`, each broken record once, in the order in which they were taken in; `position`
            counts from 0 in each batch. Nothing for none.

        Raises:
            InputError: When `up_to` is no watermark; at the end: when rows are missing.
        """
        ...


class InteractionStore(InteractionImport, ArrivedLabels, InteractionReader, Protocol):
    """Keeps interactions and counts labels by their arrival."""
