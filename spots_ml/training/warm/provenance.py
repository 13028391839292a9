"""What a warm start says of itself in the trained model's document, so that it can be told, checked and repeated."""

import base64
import zlib
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from spots_ml.errors import ArtifactError
from spots_ml.interactions.learning.splits import PURGED, TEST, VALIDATION

_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class WarmStart(BaseModel):
    """From which trained model another one started, and what of its rows were kept from judging it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trained_digest: _Digest = Field(description="SHA-256 of the trained model that it started from.")
    weights_digest: _Digest = Field(description="SHA-256 of that model's weights file.")
    n_new_rows: int = Field(ge=0, description="Training rows that the other had not seen.")
    n_replayed_rows: int = Field(ge=0, description="Training rows that it had, drawn to be learned from again.")
    n_row_passes: int = Field(ge=0, description="Rows learned from, times the passes over them: the work of it.")
    full_row_passes: int | None = Field(
        default=None, ge=0, description="The same of a training from the beginning; null: none was done to compare."
    )
    learned_rows: str = Field(
        description="Rows of agents that the other, or what it started from, had learned from: one bit a row, packed, "
        "zlib, base64. None of them chooses the epoch, calibrates or judges."
    )

    @classmethod
    def of(
        cls,
        *,
        trained_digest: str,
        weights_digest: str,
        learned: np.ndarray,
        n_new_rows: int,
        n_replayed_rows: int,
        n_row_passes: int,
        full_row_passes: int | None = None,
    ) -> Self:
        """Describe a warm start.

        Args:
            trained_digest: Of the model that it started from.
            weights_digest: Of its weights.
            learned: `(n_rows,)` bool, rows of agents that were learned from before.
            n_new_rows: Training rows not seen before.
            n_replayed_rows: Training rows learned from again.
            n_row_passes: Rows learned from, times the passes over them.
            full_row_passes: The same of a training from the beginning; None: none was done.

        Returns:
            The description.
        """
        packed = base64.b64encode(zlib.compress(np.packbits(learned).tobytes(), 9)).decode("ascii")
        return cls(
            trained_digest=trained_digest,
            weights_digest=weights_digest,
            n_new_rows=n_new_rows,
            n_replayed_rows=n_replayed_rows,
            n_row_passes=n_row_passes,
            full_row_passes=full_row_passes,
            learned_rows=packed,
        )

    def purged(self, split: np.ndarray) -> np.ndarray:
        """Take out of a split what was learned from before.

        Args:
            split: `(n_rows,)` int8 parts, as the rules of the split give them.

        Returns:
            `(n_rows,)` int8; see `without_learned`.

        Raises:
            ArtifactError: When it is about another number of rows.
        """
        bits = np.frombuffer(zlib.decompress(base64.b64decode(self.learned_rows)), np.uint8)
        if len(bits) != (len(split) + 7) // 8:
            raise ArtifactError(
                f"the warm start tells of {8 * len(bits):,} rows, there are {len(split):,}: these are not its rows; "
                "train again"
            )
        return without_learned(split, np.unpackbits(bits, count=len(split)).astype(bool))


def without_learned(split: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """Keep rows of agents that were learned from before out of the parts that choose, calibrate and judge.

    Args:
        split: `(n_rows,)` int8 parts.
        learned: `(n_rows,)` bool.

    Returns:
        `(n_rows,)` int8; such rows of validation and test are purged, those of training stay.

    >>> without_learned(np.array([0, 1, 2, 2], np.int8), np.array([True, True, True, False])).tolist()
    [0, -1, -1, 2]
    """
    kept: np.ndarray = np.where(learned & np.isin(split, (VALIDATION, TEST)), PURGED, split).astype(np.int8)
    return kept
