"""Refuses definitions that nothing loads: the code location is put together in `build`, not found in folders."""

import re
import sys
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Final

from spots_ml.errors import ConfigError

_DEFS: Final = Path(__file__).parents[1]
_DEFINES: Final = re.compile(r"^\s*(@(dg|dagster)\.|from dagster(\.[\w.]+)? import )", re.MULTILINE)
"""What a module that defines something has; those of ours that are imported late define nothing."""


def require_everything_loaded(folder: Path = _DEFS, loaded: Container[str] | None = None) -> None:
    """Insist that whatever defines something in `defs` is part of the code location.

    `dg scaffold defs` puts its files there; without this they would be left out without a word.

    Args:
        folder: The folder `defs`.
        loaded: Names of the modules that are loaded; None: those of this process.

    Raises:
        ConfigError: When there are modules that define something and are not loaded, or component files.
    """
    strangers = sorted(str(path.relative_to(folder)) for path in _strangers(folder, loaded or sys.modules))
    if strangers:
        raise ConfigError(
            f"not part of the code location, although in spots_ml/defs: {', '.join(strangers)}; import what it defines "
            "in spots_ml/defs/build.py and add it to the list there, or take the file away"
        )


def _strangers(folder: Path, loaded: Container[str]) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.suffix in (".yaml", ".yml"):
            yield path
        elif path.suffix == ".py":
            name = ".".join(("spots_ml.defs", *path.relative_to(folder).with_suffix("").parts))
            if name not in loaded and path.name != "__init__.py" and _DEFINES.search(path.read_text(encoding="utf-8")):
                yield path
