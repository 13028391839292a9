"""Version names such as `v1.3-hybrid`: counted up per model, with the kind of the data behind them as suffix.

Which names are taken is the registry's knowledge.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from spots_ml.errors import ConfigError
from spots_ml.interactions.kinds import SOURCE_KINDS, SourceKind

CURRENT_MAJOR: Final = 1
"""The major number of new versions; raised when the app has to change to use a model."""

_PATTERN: Final = re.compile(r"v(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})-(synthetic|hybrid|real)")


@dataclass(frozen=True, order=True)
class VersionName:
    """A version name in its parts; sorts by number, not by text.

    >>> parse_version("v1.10-real") > parse_version("v1.9-real")
    True
    """

    major: int
    minor: int
    kind: SourceKind

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}-{self.kind}"


def parse_version(text: str) -> VersionName:
    """Read a version name.

    Args:
        text: For example `v1.3-hybrid`; nothing around it, no leading zeros.

    Returns:
        Its parts; `str()` of them is `text` again.

    Raises:
        ConfigError: When it is not a version name. A name that passes is safe as a folder name.

    >>> parse_version("v1.3-hybrid")
    VersionName(major=1, minor=3, kind='hybrid')
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"{text!r} is not a version name; expected v<major>.<minor>-<kind> with kind one of "
            f"{', '.join(SOURCE_KINDS)}, such as v1.0-synthetic"
        )
    kind: SourceKind = next(kind for kind in SOURCE_KINDS if kind == match[3])
    return VersionName(major=int(match[1]), minor=int(match[2]), kind=kind)


def next_version(taken: Iterable[str], kind: SourceKind) -> str:
    """Name the next version of a model: one count for all kinds of data.

    Args:
        taken: Every version name that the model ever had, in any order; archived ones included.
        kind: The kind of data behind the new version.

    Returns:
        The first name when nothing is taken, else the highest minor number of the current major plus one.
        Gaps are not filled: a number is never used twice.

    Raises:
        ConfigError: When a taken name is not a version name.

    >>> next_version([], "synthetic"), next_version(["v1.0-synthetic", "v1.10-hybrid"], "real")
    ('v1.0-synthetic', 'v1.11-real')
    """
    minors = [name.minor for name in map(parse_version, taken) if name.major == CURRENT_MAJOR]
    return str(VersionName(CURRENT_MAJOR, max(minors, default=-1) + 1, kind))
