"""Texts from outside that are shown or kept beside data: each on one line, bounded, and printable everywhere.

What a person types is refused when it is not such a text; what a file says about itself is escaped and shortened.
"""

from typing import Final

from spots_ml.errors import ConfigError

MAX_LINE: Final = 1_000
"""Characters of a text that goes into a history."""
MAX_DESCRIPTION: Final = 500
"""Characters of what a source says about itself."""


def shown(text: str, *, limit: int | None = None) -> str:
    r"""Write a text so that it stays on its line: what cannot be printed is escaped.

    Args:
        text: Any text; halves of surrogate pairs, line ends, control and formatting characters are escaped.
        limit: Characters at most, told what was left out; None: all.

    Returns:
        A text that every UTF-8 file and terminal takes.

    >>> shown("a\nb"), shown("caf\u00e9"), shown("\ud83d"), shown("x" * 9, limit=4)
    ('a\\nb', 'café', '\\ud83d', 'xxxx... (9 characters)')
    """
    kept = text if limit is None else text[:limit]
    line = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in kept)
    return line if len(kept) == len(text) else f"{line}... ({len(text):,} characters)"


def require_line(text: str, what: str) -> str:
    """Insist on a text that can stand in a history: nobody writes two entries with one.

    Args:
        text: What somebody typed.
        what: What to call it in the message.

    Returns:
        The text.

    Raises:
        ConfigError: When it is not UTF-8, holds line ends or other characters that cannot be printed, or is too long.
    """
    if len(text) > MAX_LINE:
        raise ConfigError(f"the {what} has {len(text):,} characters; expected at most {MAX_LINE:,}: say it shorter")
    if not text.isprintable():
        raise ConfigError(
            f"the {what} is {shown(text, limit=60)!r}, with characters that cannot be printed; "
            "expected one line of UTF-8 text: leave out line ends and control characters"
        )
    return text
