"""Folders named by the digest of what they hold: filled in a work folder, then published whole.

What survives a killed process is a work folder that no reader looks at. Publishing again repairs a folder
whose files were damaged or removed since.
"""

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from spots_ml.files import TEMPORARY_PREFIX, publish_directory, whole_file


@contextlib.contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """Offer an empty folder on the same file system as `parent`'s entries.

    Args:
        parent: The folder in which something will be published; created.

    Yields:
        The folder; it is removed with what is left in it when the block ends.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(work: Path, folder: Path) -> None:
    """Publish the files of a work folder under a final name.

    Args:
        work: The files, and nothing else; they are moved away.
        folder: The final name. If it exists, its files are replaced one by one, each of them whole.
    """

    def fill(target: Path) -> None:
        for path in list(work.iterdir()):
            path.replace(target / path.name)

    publish_directory(folder, fill)
    for path in list(work.iterdir()):
        with whole_file(folder / path.name) as temporary:
            path.replace(temporary)
