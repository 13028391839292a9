"""Serves the validation pages (Great Expectations' Data Docs) beside the Dagster UI, for `make dev`.

Started in the background by the process that becomes the UI, and ended when that one is gone.
"""

import functools
import os
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from spots_ml.errors import ConfigError
from spots_ml.interactions.learning.dataset_index import dataset_index
from spots_ml.settings import Settings

_LOOPBACK: Final = ("127.0.0.1", "localhost")
_POLL_S: Final = 0.5


class _Pages(SimpleHTTPRequestHandler):
    """Gives the pages below a folder, and at its root the datasets they are about."""

    def __init__(self, *args: Any, datasets_dir: Path, **options: Any) -> None:
        self._datasets_dir = datasets_dir
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        """Answer with the datasets at the root, else with a file."""
        if urlsplit(self.path).path not in ("/", "/index.html"):
            super().do_GET()
            return
        body = dataset_index(self._datasets_dir, Path(self.directory)).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def list_directory(self, path: Any) -> None:
        """Say where to go instead of listing folders named by digest."""
        self.send_error(HTTPStatus.NOT_FOUND, "no such page", "The datasets with their pages are listed at /.")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal belongs to the UI."""


def serve_data_docs(settings: Settings, *, is_over: Callable[[], bool]) -> str:
    """Serve a project's Data Docs at the address that the asset pages link to, until it is over.

    Args:
        settings: Say where the pages lie and at which address they are wanted.
        is_over: Asked twice a second.

    Returns:
        Why it ended, in a sentence.
    """
    address = urlsplit(settings.data_docs_url)
    if address.hostname not in _LOOPBACK or address.path:
        return f"Data Docs are not served from here: {settings.data_docs_url} is looked after by somebody else"
    directory = settings.places.data_docs_dir
    handler = functools.partial(_Pages, directory=str(directory), datasets_dir=settings.places.datasets_dir)
    try:
        server = ThreadingHTTPServer((address.hostname, address.port or 80), handler)
    except OSError as error:
        return (
            f"Data Docs are not served: {settings.data_docs_url} cannot be used ({error.strerror}); "
            "free the port, or set SPOTS_ML_DATA_DOCS_URL to another one"
        )
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        click.echo(f"Data Docs of {directory} on {settings.data_docs_url}", err=True)
        while not is_over():
            time.sleep(_POLL_S)
        server.shutdown()
    return "Data Docs are no longer served: the Dagster UI has ended"


def main() -> None:
    """Serve until the parent process is gone; whatever goes wrong is a sentence and does not stop the UI."""
    parent = os.getppid()
    try:
        ending = serve_data_docs(Settings.from_env(), is_over=lambda: os.getppid() != parent)
    except ConfigError as error:
        ending = f"Data Docs are not served: {error}"
    click.echo(ending, err=True)


if __name__ == "__main__":
    main()
