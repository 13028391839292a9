"""The kinds of interactions by where their outcomes come from; a version's name ends with the kind it learned from."""

from typing import Final, Literal, get_args

SourceKind = Literal["synthetic", "hybrid", "real"]
"""`synthetic`: generated; `hybrid`: real personalities, the rest generated; `real`: from the app."""

SOURCE_KINDS: Final[tuple[SourceKind, ...]] = get_args(SourceKind)
