import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def open_folder():
    """A folder that other users may enter: Postgres is one of them when root runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="spots_ml_test_"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
