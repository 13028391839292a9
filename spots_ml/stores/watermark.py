"""Label watermarks: how many labels and how many interactions had arrived in a store at a point."""

import re
from typing import Final, NamedTuple

from spots_ml.errors import InputError
from spots_ml.interactions.kinds import StoreKind

_PREFIXES: Final[dict[StoreKind, str]] = {"embedded": "", "supabase": "supabase:"}
_NUMBERS: Final = re.compile(r"([0-9]{1,18})/([0-9]{1,18})")


class Watermark(NamedTuple):
    """A point of arrival.

    Attributes:
        labels: The last number of `label_sequence` that had been given.
        rows: The last `row_sequence`.
        store: The kind of the store that gave them: the numbers of one say nothing in the other.
    """

    labels: int
    rows: int
    store: StoreKind = "embedded"

    def __str__(self) -> str:
        """Write it as the opaque text the store hands out."""
        return f"{_PREFIXES[self.store]}{self.labels}/{self.rows}"


def own(text: str | None, store: StoreKind) -> str | None:
    """Keep a watermark where it says something.

    A registry may hold one of the other kind of store: of data that were read before the store was changed.

    Args:
        text: A watermark; None: there is none.
        store: The kind of the store that is to be asked.

    Returns:
        The watermark; None when it is one of another kind of store.

    >>> own("742/1000", "embedded"), own("742/1000", "supabase")
    ('742/1000', None)
    """
    if text is None:
        return None
    others = (prefix for name, prefix in _PREFIXES.items() if name != store)
    foreign = any(text.startswith(prefix) and _NUMBERS.fullmatch(text.removeprefix(prefix)) for prefix in others)
    return None if foreign else text


def parse(text: str, store: StoreKind = "embedded") -> Watermark:
    """Read a watermark.

    Args:
        text: What `label_watermark` answered.
        store: The kind of the store that is asked.

    Returns:
        The watermark.

    Raises:
        InputError: When it is none of such a store.

    >>> parse("742/1000")
    Watermark(labels=742, rows=1000, store='embedded')
    >>> str(parse("supabase:742/1000", "supabase"))
    'supabase:742/1000'
    """
    prefix = _PREFIXES[store]
    match = _NUMBERS.fullmatch(text.removeprefix(prefix)) if text.startswith(prefix) else None
    if match is None:
        raise InputError(
            f"{text!r} is not a watermark of a store of kind {store!r}; expected what its `label_watermark` answered, "
            f"such as {Watermark(742, 1000, store)}"
        )
    return Watermark(int(match[1]), int(match[2]), store)


def check_reached(known: Watermark, reached: Watermark, store: str) -> None:
    """Check that a store has been where a watermark says.

    Args:
        known: The watermark that was asked for.
        reached: The present one.
        store: The store, for the message.

    Raises:
        InputError: When the watermark lies ahead.
    """
    if known.labels > reached.labels or known.rows > reached.rows:
        raise InputError(
            f"the watermark {known} lies ahead of {reached}, which {store} has reached; expected one of this very store"
        )
