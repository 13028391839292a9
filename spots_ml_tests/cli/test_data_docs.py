"""Data Docs beside the UI: served where the asset pages link to, gone with the UI, and never in its way."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from spots_ml.cli.data_docs import serve_data_docs
from spots_ml.settings import Settings

MODULE = [sys.executable, "-m", "spots_ml.cli.data_docs"]
TIMEOUT_S = 30


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def environ(tmp_path, port):
    page = tmp_path / "data" / "data_docs" / "abc" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("the page")
    (page.parent / "static").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPOTS_ML_")}
    return kept | {
        "SPOTS_ML_DATA_DIR": str(tmp_path / "data"),
        "SPOTS_ML_DATA_DOCS_URL": f"http://127.0.0.1:{port}",
    }


def answer(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/abc/index.html", timeout=5) as response:
            return response.read().decode()
    except (urllib.error.URLError, ConnectionError):
        return None


def wait_for(port, expected):
    deadline = time.monotonic() + TIMEOUT_S
    while (found := answer(port)) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_pages_are_served_until_the_process_that_became_the_ui_is_gone_however_it_went(environ, port):
    ui = subprocess.Popen(["bash", "-c", f"{' '.join(MODULE)} & exec sleep 600"], env=environ, start_new_session=True)
    try:
        wait_for(port, "the page")
        os.killpg(ui.pid, signal.SIGINT)
        ui.wait(TIMEOUT_S)
        wait_for(port, None)
    finally:
        ui.kill()
        ui.wait()


def test_a_taken_port_is_a_sentence_and_no_failure(environ, port):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        done = subprocess.run(MODULE, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0
    assert f"http://127.0.0.1:{port} cannot be used (Address already in use)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_a_sentence_and_no_failure(environ):
    done = subprocess.run(
        MODULE, env=environ | {"SPOTS_ML_SORCE": "x"}, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert (done.returncode, "unknown: SPOTS_ML_SORCE" in done.stderr) == (0, True)


@pytest.mark.parametrize("url", ["https://docs.example.org", "http://127.0.0.1:1/elsewhere"])
def test_an_address_that_somebody_else_looks_after_is_left_to_them(url):
    assert "looked after by somebody else" in serve_data_docs(Settings(data_docs_url=url), is_over=lambda: True)


def test_the_root_lists_the_datasets_and_a_folder_is_never_listed(environ, port):
    server = subprocess.Popen(MODULE, env=environ)
    try:
        wait_for(port, "the page")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
            root = response.read().decode()
        assert '<a href="/abc/index.html">abc</a>' in root
        assert "its report is missing or damaged" in root
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/abc/static/", timeout=5)
    finally:
        server.kill()
        server.wait()
