"""Which code makes what the chain makes: one digest for all of its steps.

What a step uses is not told apart: one digest too many means work that is done again, one too few an old answer.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from spots_ml.digests import digest_json
from spots_ml.release.documents import environment_versions

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_MAKES_NOTHING: Final = frozenset(
    {
        *("definitions.py", "cli", "defs", "settings.py", "opening.py", "places.py", "local_supabase"),
        *("stores", "monitoring", "explaining", "requests"),
    }
)
"""What decides nothing about snapshots of given interactions and what is made of them."""


@cache
def code_digest() -> str:
    """Identify the code of the chain, and the versions of the libraries that shape what it makes.

    Returns:
        SHA-256; asked once per process, which has loaded its code by then.
    """
    return digest_json({"modules": digest_of_package(_PACKAGE), "libraries": environment_versions()})


def digest_of_package(package: Path) -> str:
    """Digest names and contents of the modules that make something.

    Args:
        package: The folder of `spots_ml`.

    Returns:
        SHA-256.
    """
    found = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.parts[0] not in _MAKES_NOTHING:
            found.update(f"{name.as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return found.hexdigest()
