"""Dagster's home: the folder with the configuration of its instance, and by default the history of its runs."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import dagster as dg

from spots_ml.defs.history.run_history import DagsterRunHistory
from spots_ml.files import write_whole
from spots_ml.monitoring.run_history import NoRunHistory, RunHistory
from spots_ml.settings import PROJECT_ROOT
from spots_ml.troubles import trouble_at

HOME_VARIABLE: Final = "DAGSTER_HOME"
_CONFIGURATION: Final = "dagster.yaml"
_OURS: Final = PROJECT_ROOT / "dagster_home"


def dagster_home() -> Path:
    """Find Dagster's home.

    Returns:
        What `DAGSTER_HOME` says, from the project on when it is relative, or `dagster_home/` in the project.
    """
    return PROJECT_ROOT / Path(os.environ.get(HOME_VARIABLE) or _OURS).expanduser()


def open_instance() -> dg.DagsterInstance:
    """Open the instance of Dagster's home, which is made when there is none.

    Returns:
        The instance; to be closed. A home without a configuration gets the project's: one without it would report usage
        statistics and train the same model twice at once.
    """
    home = dagster_home()
    if not (home / _CONFIGURATION).exists():
        write_whole(home / _CONFIGURATION, (_OURS / _CONFIGURATION).read_bytes())
    return dg.DagsterInstance.from_config(str(home))


@contextlib.contextmanager
def open_run_history() -> Iterator[RunHistory]:
    """Open the run history for a question; unlike `open_instance` it makes no home.

    Yields:
        The runs of Dagster's home; none when that is no home yet.
    """
    if not (dagster_home() / _CONFIGURATION).exists():
        yield NoRunHistory()
        return
    with trouble_at(dagster_home()), open_instance() as instance:
        yield DagsterRunHistory(instance)
