"""Files that only their owner may read."""

from pathlib import Path

from spots_ml.files import whole_file


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else may read at any moment; it is there whole or not at all.

    Args:
        path: Its name; its folder is created. An existing file is replaced.
        text: Its whole content.
    """
    with whole_file(path) as temporary:
        temporary.touch(0o600, exist_ok=False)
        temporary.write_text(text, encoding="utf-8")
