"""What is needed of a store of interactions. Implementations live in `spots_ml.stores`."""

from datetime import datetime
from typing import Protocol

from spots_ml.errors import InputError
from spots_ml.interactions.judging.intake import ImportReport
from spots_ml.interactions.judging.validation_config import ValidationConfig
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


class InteractionStore(Protocol):
    """Keeps interactions and counts labels by their arrival. Every change is one transaction."""

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
        """
        ...

    def label_watermark(self) -> str:
        """Name the present point of arrival: an opaque text; labels and interactions from now on lie after it."""
        ...

    def own_watermark(self, watermark: str | None) -> str | None:
        """Keep a watermark where it says something: None for None, and for one of another kind of store."""
        ...

    def count_labels_after(self, watermark: str | None) -> int:
        """Count the labels that arrived after a watermark, exactly; None: all labels.

        Raises:
            InputError: When it is no watermark of such a store.
        """
        ...

    def read_interactions(self, up_to: str | None = None) -> InteractionStream:
        """Read the interactions as they were known at a point of arrival.

        Args:
            up_to: A watermark; None: the present one. Outcomes that arrived later are not shown.

        Returns:
            All interactions in the order of their arrival, with the watermark. Its kind is that of the imported data,
            `hybrid` when kinds are mixed.

        Raises:
            EmptyStoreError: When the store holds none.
            InputError: When `up_to` is no watermark; while reading: when rows are missing.
        """
        ...
