"""Empty homes of Dagster: its databases are made once, which takes seconds, and copied, which takes none."""

import functools
import shutil
import tempfile
from pathlib import Path

import dagster as dg

QUIET = "telemetry: {enabled: false}\n"


@functools.cache
def _empty():
    folder = tempfile.TemporaryDirectory(prefix="dagster-home-")
    (Path(folder.name) / "dagster.yaml").write_text(QUIET)
    with dg.DagsterInstance.from_config(folder.name) as instance:
        instance.get_runs()
        instance.all_asset_keys()
        instance.all_instigator_state()
    return folder


def make_home(folder):
    """Make an empty home, unless there is one."""
    if not folder.exists():
        shutil.copytree(_empty().name, folder)
    return folder
