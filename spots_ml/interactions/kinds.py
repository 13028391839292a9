"""The kinds of interactions by where their outcomes come from, and the sources they are read from.

A version's name ends with the kind it learned from.
"""

from collections.abc import Collection
from typing import Final, Literal, get_args

SourceKind = Literal["synthetic", "hybrid", "real"]
"""`synthetic`: generated; `hybrid`: real personalities, the rest generated; `real`: from the app."""

SOURCE_KINDS: Final[tuple[SourceKind, ...]] = get_args(SourceKind)

StoreKind = Literal["embedded", "supabase"]
"""Where interactions and the registry can be kept."""

Source = Literal["synthetic", "export", StoreKind]
"""Where interactions can be read from: our generator, an export file, or the store, under its name."""


def kind_of(kinds: Collection[SourceKind]) -> SourceKind:
    """Name the kind of interactions that come from several sources.

    Args:
        kinds: Every kind among them, each once; at least one.

    Returns:
        The one kind, `hybrid` when kinds are mixed.
    """
    return next(iter(kinds)) if len(kinds) == 1 else "hybrid"
