"""Where things end in JSON text, found by quotes, escapes and depth over whole pieces; nothing is parsed.

Brackets are counted, not paired: what stands between them is judged by whoever parses it.
"""

import re
from typing import Final

import numpy as np

_STRUCTURE: Final = np.zeros(256, np.bool_)
_STRUCTURE[list(b'{}[]",')] = True
_STEP: Final = np.zeros(256, np.int64)
_STEP[list(b"{[")] = 1
_STEP[list(b"}]")] = -1


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
