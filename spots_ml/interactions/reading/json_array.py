"""Cuts the elements of one array out of a huge JSON document, piece by piece, without parsing the whole.

The document is an object; the elements of one of its members are handed out in slices, all other members
whole. A slice that the caller's strict decoder accepts is taken as it stands (its success proves that the cut
was right); any other slice is cut by structure (quotes, escapes, depth), so that one broken element does not
cost its neighbours. What an element means is not known here: see `records` and `broken_records`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from spots_ml.interactions.reading.json_window import Window

T = TypeVar("T")

SLICE_BYTES: Final = 1 << 20
_FIRST_LOOK_BYTES: Final = 1 << 14
_SEPARATOR: Final = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*\{")


@dataclass(frozen=True)
class Member:
    """A member of the document other than the array: its name and its value, parsed."""

    name: str
    value: object


@dataclass(frozen=True)
class Decoded(Generic[T]):
    """What the caller's decoder made of a slice of elements."""

    value: T


@dataclass(frozen=True)
class Elements:
    """Single elements as text, in order, where the decoder refused the slice."""

    texts: list[bytes]


def read_document(
    chunks: Iterator[bytes], array_name: str, decode: Callable[[bytes], T | None], *, name: str
) -> Iterator[Member | Decoded[T] | Elements]:
    """Read a JSON object whose member `array_name` is a huge array.

    Args:
        chunks: The document's bytes in order, any sizes.
        array_name: Name of the member whose elements are wanted.
        decode: Takes the text of a JSON array of some elements; `None` when it does not accept them as they
            are.
        name: What to call the document in messages.

    Yields:
        Members and the array's elements, in document order.

    Raises:
        InputError: When the document is not a whole JSON object with that array, or an element exceeds 32
            MiB.
    """
    window = Window(chunks, name)
    if window.peek() != b"{":
        raise window.error(f"starts with {window.found()}", "a JSON object at the top level")
    window.advance(1)
    seen: set[str] = set()
    more = window.peek() != b"}"
    while more:
        key = window.read_key()
        if key in seen:
            raise window.error(f"the member {key!r} appears twice", "each member once")
        seen.add(key)
        if key == array_name:
            if window.peek() != b"[":
                raise window.error(f"{array_name!r} starts with {window.found()}", "a JSON array there")
            window.advance(1)
            yield from _read_elements(window, decode)
        else:
            yield Member(key, window.read_value())
        after = window.peek()
        if after not in (b",", b"}"):
            raise window.error(f"after the member {key!r} follows {window.found()}", "a comma or the closing brace")
        more = after == b","
        if more:
            window.advance(1)
    window.advance(1)
    if window.peek():
        raise window.error(f"after the end of the document follows {window.found()}", "nothing more")
    if array_name not in seen:
        raise window.error(f"there is no {array_name!r}, only {sorted(seen)}", f"a member {array_name!r}")


def _read_elements(window: Window, decode: Callable[[bytes], T | None]) -> Iterator[Decoded[T] | Elements]:
    separator: bytes | None = None
    if window.peek() == b"]":
        window.advance(1)
        return
    while True:
        window.fill(SLICE_BYTES)
        cut = -1 if separator is None else window.text.rfind(separator, window.at)
        if cut >= 0:
            value = decode(b"".join((b"[", memoryview(window.text)[window.at : cut + 1], b"]")))
            if value is not None:
                window.advance(cut + 1 - window.at)
                window.expect_comma()
                yield Decoded(value)
                continue
            texts, closed = window.take_elements(cut + 1 - window.at)
        else:
            texts, closed = window.take_elements(_FIRST_LOOK_BYTES if separator is None else SLICE_BYTES)
        found = _SEPARATOR.search(window.text, max(window.last_end - 1, 0)) if separator is None else None
        if found and found.start() == window.last_end - 1:
            separator = found.group()
        yield Elements(texts)
        if closed:
            return
