"""Counts the modules through which something goes: those of which a function runs meanwhile."""

import contextlib
import inspect
import sys
import threading
from pathlib import Path

import spots_ml

PACKAGE = Path(spots_ml.__file__).parent


@contextlib.contextmanager
def modules_on_the_way():
    """Collect the modules of the package of which a function runs in this process; what an import runs is left out."""
    root, found = f"{PACKAGE}/", set()

    def look(frame, event, _argument):
        code = frame.f_code
        if event == "call" and code.co_flags & inspect.CO_OPTIMIZED and code.co_filename.startswith(root):
            found.add(code.co_filename.removeprefix(root).removesuffix(".py").replace("/", "."))

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
