"""A huge JSON document of which a part is in memory: what was read is dropped, what comes is fetched.

Where things end is found by quotes, escapes and depth over whole pieces. Brackets are counted, not paired: what stands
between them is judged by whoever parses it. Which members and elements a document has is said in `json_array`.
"""

import json
import re
from collections.abc import Iterator
from typing import Final

import numpy as np

from spots_ml.errors import InputError

MAX_VALUE_BYTES: Final = 1 << 25
_BLANKS: Final = b" \t\r\n"
_STRUCTURE: Final = np.zeros(256, np.bool_)
_STRUCTURE[list(b'{}[]",')] = True
_STEP: Final = np.zeros(256, np.int64)
_STEP[list(b"{[")] = 1
_STEP[list(b"}]")] = -1


class Window:
    """The part of the document in memory: `text[at:]` is what has not been read yet."""

    def __init__(self, chunks: Iterator[bytes], name: str) -> None:
        self._chunks = chunks
        self._name = name
        self._dropped = 0
        self._ended = False
        self.text = b""
        self.at = 0
        self.last_end = 0

    def error(self, found: str, expected: str) -> InputError:
        """Word a broken document: where, what was found, what was expected."""
        return InputError(
            f"{self._name}: not a whole JSON export: at byte {self._dropped + self.at} {found}; "
            f"expected {expected}. Export again, or repair the file; nothing was used"
        )

    def found(self) -> str:
        """Describe what stands at the current place."""
        start = self.text[self.at : self.at + 20]
        return repr(start.decode("utf-8", "backslashreplace")) if start else "the end of the file"

    def fill(self, n_bytes: int) -> bool:
        """Have at least `n_bytes` unread in memory, or everything that is left.

        False when there were no more.
        """
        if len(self.text) - self.at >= n_bytes or self._ended:
            return not self._ended
        parts = [self.text[self.at :]]
        self._dropped += self.at
        self.last_end -= self.at
        size = len(parts[0])
        self.at = 0
        while size < n_bytes:
            chunk = next(self._chunks, b"")
            if not chunk:
                self._ended = True
                break
            parts.append(chunk)
            size += len(chunk)
        self.text = b"".join(parts)
        return not self._ended

    def advance(self, n_bytes: int) -> None:
        """Step over bytes that were read."""
        self.at += n_bytes

    def peek(self) -> bytes:
        """Skip blanks and look at the next byte; empty at the end of the document."""
        while True:
            rest = self.text[self.at : self.at + 256]
            skipped = len(rest) - len(rest.lstrip(_BLANKS))
            self.at += skipped
            if skipped < len(rest):
                return self.text[self.at : self.at + 1]
            if not rest and not self.fill(1):
                return self.text[self.at : self.at + 1]

    def expect_comma(self) -> None:
        """Step over the comma between two elements."""
        if self.peek() != b",":
            raise self.error(f"after an element follows {self.found()}", "a comma")
        self.advance(1)

    def read_key(self) -> str:
        """Read a member's name and the colon after it."""
        if self.peek() != b'"':
            raise self.error(f"stands {self.found()}", "the name of a member in double quotes")
        key = self._parse(self._until_structure_end())
        if not isinstance(key, str) or self.peek() != b":":
            raise self.error(f"after the name of a member follows {self.found()}", "a colon")
        self.advance(1)
        return key

    def read_value(self) -> object:
        """Read one whole value."""
        self.peek()
        return self._parse(self._until_structure_end())

    def _parse(self, text: bytes) -> object:
        try:
            return json.loads(text.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise self.error(f"stands a value that cannot be read ({error})", "UTF-8 JSON") from error

    def _until_structure_end(self) -> bytes:
        size = 4096
        while True:
            more = self.fill(size)
            end = value_end(self.text[self.at : self.at + size])
            if end is not None:
                text = self.text[self.at : self.at + end]
                self.advance(end)
                return text
            if not more and size >= len(self.text) - self.at:
                raise self.error("a value begins that never ends", "its end before the end of the file")
            if size > MAX_VALUE_BYTES:
                raise self.error("a value begins that exceeds 32 MiB", "less")
            size *= 2

    def take_elements(self, n_bytes: int) -> tuple[list[bytes], bool]:
        """Cut whole elements by structure.

        Args:
            n_bytes: Look at these many bytes first; more is read when they hold no whole element.

        Returns:
            The elements' texts, and whether the array ended behind them.
        """
        size = n_bytes
        while True:
            ends, closing = element_ends(self.text[self.at : self.at + size])
            if ends or closing is not None:
                break
            more = self.fill(2 * size)
            if not more and size >= len(self.text) - self.at:
                raise self.error("a record begins that never ends", "the end of the array `]`")
            if size > MAX_VALUE_BYTES:
                raise self.error("a record begins that exceeds 32 MiB", "a closed record of ordinary size")
            size *= 2
        if closing is not None and self.text[self.at + closing : self.at + closing + 1] != b"]":
            self.advance(closing)
            raise self.error(f"stands {self.found()}", "the end of the array `]`: brackets do not match")
        stops = [*ends, closing] if closing is not None else ends
        texts = []
        begin = 0
        for stop in stops:
            texts.append(self.text[self.at + begin : self.at + stop].strip(_BLANKS))
            begin = stop + 1
        if b"" in texts:
            raise self.error("two commas follow each other", "a record between them")
        self.last_end = self.at + len(self.text[self.at : self.at + stops[0]].rstrip(_BLANKS))
        self.advance(stops[-1] + 1)
        return texts, closing is not None


def element_ends(text: bytes) -> tuple[list[int], int | None]:
    """Find where elements of the array end.

    The commas between them, and the bracket that closes the array.
    """
    positions, kinds = _outside_strings(text)
    depth = np.cumsum(_STEP[kinds])
    closings = np.flatnonzero(depth < 0)
    closing = None
    if len(closings):
        closing = int(positions[closings[0]])
        positions, kinds, depth = positions[: closings[0]], kinds[: closings[0]], depth[: closings[0]]
    return positions[(depth == 0) & (kinds == ord(","))].tolist(), closing


def value_end(text: bytes) -> int | None:
    """Find the end of a value.

    Args:
        text: A part of the document that begins with a value.

    Returns:
        The position behind it; `None` when its end is not in `text`.

    >>> value_end(b'{"a": "}"}, 1'), value_end(b'[1, '), value_end(b"12}")
    (10, None, 2)
    """
    if text[:1] == b'"':
        closing = re.match(rb'"(?:[^"\\]|\\.)*"', text, re.DOTALL)
        return closing.end() if closing else None
    positions, kinds = _outside_strings(text)
    depth = np.cumsum(_STEP[kinds])
    if text[:1] in (b"{", b"["):
        ends = np.flatnonzero(depth == 0)
        return int(positions[ends[0]]) + 1 if len(ends) else None
    ends = np.flatnonzero((depth < 0) | ((depth == 0) & (kinds == ord(","))))
    return int(positions[ends[0]]) if len(ends) else None


def _outside_strings(text: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Find the structural bytes outside strings.

    Positions, bytes, and whether the text ends inside a string.
    """
    codes = np.frombuffer(text, np.uint8)
    positions = np.flatnonzero(_STRUCTURE[codes])
    kinds = codes[positions]
    quotes = kinds == ord('"')
    if b"\\" in text:
        quotes &= ~_escaped(codes, positions, quotes)
        keep = (kinds != ord('"')) | quotes
        positions, kinds, quotes = positions[keep], kinds[keep], quotes[keep]
    inside = np.cumsum(quotes) % 2 == 1
    outside = ~inside & ~quotes
    return positions[outside], kinds[outside]


def _escaped(codes: np.ndarray, positions: np.ndarray, quotes: np.ndarray) -> np.ndarray:
    """Mark the quotes that an odd number of backslashes precedes."""
    other = np.flatnonzero(codes != ord("\\"))
    place = np.searchsorted(other, positions)
    before = np.where(place > 0, other[np.maximum(place - 1, 0)], -1)
    marked: np.ndarray = quotes & ((positions - before - 1) % 2 == 1)
    return marked
