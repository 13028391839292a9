"""Rules for the values of one field of a decision. Databases have the same as constraints of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc


class Rule(Protocol):
    """Says which values a field may have; unknown values are no business of it."""

    @property
    def expected(self) -> str:
        """What is told to whoever broke the rule."""
        ...

    def allows(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Judge values.

        Args:
            column: `(n_rows,)` of the field's type.

        Returns:
            `(n_rows,)` bool; null where the value is.
        """
        ...


@dataclass(frozen=True)
class Between:
    """Numbers of an interval, both ends included.

    Attributes:
        low: The least.
        high: The greatest.
    """

    low: float
    high: float

    @property
    def expected(self) -> str:
        """What is told."""
        return f"expected a number in [{self.low:g}, {self.high:g}]"

    def allows(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Judge numbers; NaN is none."""
        return pc.and_(pc.greater_equal(column, self.low), pc.less_equal(column, self.high))


@dataclass(frozen=True)
class OneOf:
    """One of a few texts.

    Attributes:
        texts: The texts.
    """

    texts: Sequence[str]

    @property
    def expected(self) -> str:
        """What is told."""
        return f"expected {' or '.join(self.texts)}"

    def allows(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Judge texts."""
        return pc.if_else(pc.is_valid(column), pc.is_in(column, pa.array(self.texts)), None)


@dataclass(frozen=True)
class NotEmpty:
    """Any text but the empty one.

    Attributes:
        expected: What is told.
    """

    expected: str

    def allows(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Judge texts."""
        return pc.not_equal(column, "")


@dataclass(frozen=True)
class HexDigits:
    """A digest in lower-case hexadecimal digits.

    Attributes:
        n_digits: How many.
    """

    n_digits: int

    @property
    def expected(self) -> str:
        """What is told."""
        return f"expected {self.n_digits} lower-case hexadecimal digits"

    def allows(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Judge texts."""
        return pc.match_substring_regex(column, f"^[0-9a-f]{{{self.n_digits}}}$")
