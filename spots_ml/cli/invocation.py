"""How this program is started from where somebody stands, so that a command it proposes can be pasted as it is."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

PROGRAM: Final = "spots-ml"


def invoked_as() -> str:
    """Write the command that starts this very program.

    Returns:
        Its name where the shell finds it, else the way to it from the working folder, else its whole path; quoted where
        a shell needs that.
    """
    own = Path(sys.executable).parent / PROGRAM
    found = shutil.which(PROGRAM)
    if found and own.exists() and Path(found).samefile(own):
        return PROGRAM
    here = Path.cwd()
    return shlex.quote(str(own.relative_to(here) if own.is_relative_to(here) else own))
