"""The page an operator sees, driven in headless Chromium."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RUN_TIMEOUT_MS = 180_000

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture
def page() -> Iterator[Any]:
    """A page in Debian's Chromium; a missing browser fails in CI and skips on a laptop."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed; .ci/run installs it")
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1500, "height": 950})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def _screenshot(page: Any, name: str) -> None:
    """Keep a picture where the documentation is made from it; nowhere otherwise."""
    folder = os.environ.get("SPOTS_ML_TEST_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def test_the_chain_is_materialised_from_the_web_page_and_the_registered_version_is_shown_on_it(
    page: Any, start_dagster_dev: Callable[..., Any]
) -> None:
    server = start_dagster_dev()
    page.goto(f"{server.url}/locations/spots_ml/jobs/training")
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_text("Success", exact=True).first.wait_for(timeout=RUN_TIMEOUT_MS)
    _screenshot(page, "run")

    versions = {row["model_type"]: row for row in server.versions()}
    assert set(versions) == {"calling_score", "outcome"}
    for model_type, row in versions.items():
        page.goto(f"{server.url}/assets/{model_type}/registered_version")
        page.get_by_text(row["version"]).first.wait_for()
        _screenshot(page, f"{model_type}-registered-version")
    page.goto(f"{server.url}/assets/calling_score/trained_model")
    page.get_by_role("img", name="loss curves").first.wait_for()
    _screenshot(page, "trained-model")
    page.goto(f"{server.url}/asset-groups")
    page.wait_for_timeout(4000)
    _screenshot(page, "lineage")
