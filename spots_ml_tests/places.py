"""Where tests find what all of them share."""

from pathlib import Path

MIGRATED = "migrated"
"""The database of `server` that others are made after."""

REFERENCE_DIR = Path(__file__).resolve().parents[2] / "shared" / "reference"
"""The real exports, where they are laid out beside the project."""
