"""Fixtures that every part's tests share."""

from pathlib import Path

import pytest

REFERENCE_DIR = Path(__file__).resolve().parents[2] / "shared" / "reference"


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """The folder with the real exports; tests that need it are skipped where it is not laid out."""
    if not REFERENCE_DIR.is_dir():
        pytest.skip(f"the real exports are not here: {REFERENCE_DIR}")
    return REFERENCE_DIR
