"""The pages an operator sees, driven in headless Chromium over what `make dev` starts.

`SCREENSHOTS_DIR=docs/images .venv/bin/pytest spots_ml_tests/end_to_end/test_web_page.py` makes the pictures of the
README again.
"""

import os
import re
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
WIDTH, HEIGHT = 1500, 950
RUN_TIMEOUT_MS = 180_000
MODELS = ("calling_score", "outcome")
STEPS = ("trained_model", "onnx_model", "latency_benchmark", "registered_version")
ASSETS = ("raw_training_data", "validated_dataset", *(f"{model}/{step}" for model in MODELS for step in STEPS))
GRAPH = {"x": 545, "y": 115, "width": 912, "height": 560}
"""Where the lineage is on its page, in pixels."""
HIDDEN = "[Show Markdown]"
"""What the page shows in place of markdown that is too long for it."""

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium; a missing browser fails in CI and skips on a laptop."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed; .ci/run installs it")
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def open_page(browser: Any, make_dev: Any) -> Iterator[Callable[[str], Any]]:
    """Open a page of the UI in a new tab; at the end, no tab may have had an error or asked anybody outside."""
    troubles: list[str] = []

    def is_ours(url: str) -> bool:
        return url.startswith((make_dev.url, make_dev.url.replace("http", "ws"), "data:", "blob:"))

    shared = browser.new_context()

    def open_(path: str, *, height: int = HEIGHT, scale: float | None = None) -> Any:
        page = (browser.new_context(device_scale_factor=scale) if scale else shared).new_page()
        page.set_viewport_size({"width": WIDTH, "height": height})
        page.set_default_timeout(60_000)
        page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: None if is_ours(request.url) else troubles.append(request.url))
        page.goto(f"{make_dev.url}{path}")
        return page

    yield open_
    shared.close()
    assert troubles == []


@pytest.fixture(scope="module")
def materialised(open_page: Callable[..., Any]) -> Any:
    """The page of a run that an operator started on the job's page, after it succeeded."""
    page = open_page("/locations/spots_ml/jobs/training")
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_text("View", exact=True).click()
    page.wait_for_url("**/runs/*")
    ended(page, "Success")
    return page


def ended(page: Any, status: str) -> None:
    page.get_by_text(re.compile("^(Success|Failure|Canceled)$")).first.wait_for(timeout=RUN_TIMEOUT_MS)
    page.get_by_text(status, exact=True).first.wait_for()


def screenshot(page: Any, name: str, **options: Any) -> None:
    """Keep a picture where the documentation is made from it; nowhere otherwise."""
    folder = os.environ.get("SCREENSHOTS_DIR")
    if folder:
        page.mouse.move(0, 0)
        page.wait_for_timeout(1_500)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), **options)


def launchpad(page: Any, config: str) -> Any:
    """Open the launchpad of the page's assets, write a configuration into it, and give its launch button."""
    page.get_by_role("button", name="Materialize all").locator("xpath=following::button[1]").click()
    page.get_by_text("Open launchpad").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("No errors").wait_for()
    dialog.locator(".CodeMirror-lines").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(config)
    return dialog.get_by_role("button", name="Materialize")


def launch(page: Any, config: str) -> None:
    launchpad(page, config).click()
    page.wait_for_url("**/runs/*")


def test_the_chain_is_materialised_from_the_web_page_and_the_registered_version_is_shown_on_it(
    materialised: Any, open_page: Callable[..., Any], make_dev: Any
) -> None:
    versions = {row["model_type"]: row for row in make_dev.versions()}
    assert set(versions) == set(MODELS)
    for model_type, row in versions.items():
        page = open_page(f"/assets/{model_type}/registered_version")
        page.get_by_text(row["version"], exact=True).first.wait_for()
        page.get_by_text(row["sha256"], exact=True).wait_for()
        page.close()


def test_the_lineage_shows_the_whole_chain(materialised: Any, open_page: Callable[..., Any]) -> None:
    groups = ",".join(f"global@global:{group}" for group in ("interactions", *MODELS))
    page = open_page(f"/asset-groups?expanded={groups}", height=800, scale=WIDTH / GRAPH["width"])
    for asset in ASSETS:
        page.locator("foreignObject").get_by_text(asset.rpartition("/")[2], exact=True).first.wait_for()
    screenshot(page, "lineage", clip=GRAPH)
    page.close()


BEHIND_A_LINK = {
    "raw_training_data": ["columns"],
    "validated_dataset": ["columns"],
    "trained_model": ["all_metrics"],
}
"""What is too long to be looked at in place."""


@pytest.mark.parametrize("asset", [*ASSETS[:6], "outcome/trained_model"])
def test_every_asset_page_has_something_to_look_at_without_a_click(
    materialised: Any, open_page: Callable[..., Any], asset: str
) -> None:
    pictures = {
        "validated_dataset": {"outcomes of the accepted rows"},
        "trained_model": {"loss curves", "calibration", "predicted against observed"},
        "latency_benchmark": {"latency distribution"},
    }.get(asset.rpartition("/")[2], set())
    page = open_page(f"/assets/{asset}", height=1_600)
    page.get_by_text("digest", exact=True).first.wait_for()
    page.get_by_text("Description", exact=True).first.wait_for()
    for alt in pictures:
        page.get_by_role("img", name=alt, exact=True).wait_for()
    shown = page.locator("img[src^='data:']").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert all(width > 0 for width in shown)
    assert page.get_by_text(HIDDEN).count() == len(BEHIND_A_LINK.get(asset.rpartition("/")[2], ()))
    if asset == "calling_score/trained_model":
        screenshot(page, "trained-model")
    page.close()


def test_a_gate_is_shown_with_its_numbers(materialised: Any, open_page: Callable[..., Any]) -> None:
    page = open_page("/assets/calling_score/trained_model?view=checks")
    page.get_by_text("measured/mse_network").first.wait_for()
    page.get_by_text(re.compile("calling_score test mse .* against constant")).first.wait_for()
    page.close()


def test_the_dataset_page_leads_to_its_data_docs(
    materialised: Any, open_page: Callable[..., Any], browser: Any
) -> None:
    page = open_page("/assets/validated_dataset")
    url = page.locator("a[href$='/index.html']").first.get_attribute("href")
    docs = browser.new_page()
    local = url.rpartition("/")[0].rpartition("/")[0]
    docs.route(lambda asked: not asked.startswith(local), lambda route: route.abort())
    docs.goto(url, wait_until="domcontentloaded")
    docs.locator("a[href^='validations/']").click()
    docs.get_by_text("Expectation Validation Result").first.wait_for()
    docs.goto(f"{local}/{'0' * 64}/index.html", wait_until="domcontentloaded")
    docs.get_by_text("404").first.wait_for()
    docs.close()
    page.close()


def test_a_sensor_says_how_far_it_is(open_page: Callable[..., Any]) -> None:
    page = open_page("/locations/spots_ml/sensors/retrain_outcome")
    page.get_by_role("button", name="0 runs requested", exact=True).first.click(timeout=RUN_TIMEOUT_MS)
    page.get_by_text(re.compile(r"of 1,000 new labels")).first.wait_for()
    page.close()


def test_a_launch_with_another_seed_gives_another_version(open_page: Callable[..., Any], make_dev: Any) -> None:
    before = {row["version"] for row in make_dev.versions() if row["model_type"] == "calling_score"}
    page = open_page("/locations/spots_ml/jobs/calling_score_training")
    launch(page, "ops: {calling_score__trained_model: {config: {seed: 7}}}")
    ended(page, "Success")
    page.close()
    (version,) = {row["version"] for row in make_dev.versions() if row["model_type"] == "calling_score"} - before
    page = open_page("/assets/calling_score/registered_version")
    page.get_by_text(version, exact=True).first.wait_for()
    page.close()


def test_a_wrong_value_is_refused_with_a_sentence_on_the_page_of_the_run(open_page: Callable[..., Any]) -> None:
    page = open_page("/locations/spots_ml/jobs/calling_score_training")
    launch(page, "ops: {calling_score__trained_model: {config: {learning_rate: -1}}}")
    ended(page, "Failure")
    page.get_by_text("learning_rate is -1.0: Input should be greater than 0").first.wait_for()
    page.close()


def test_a_wrong_type_is_refused_with_a_sentence_before_anything_runs(open_page: Callable[..., Any]) -> None:
    page = open_page("/locations/spots_ml/jobs/calling_score_training")
    button = launchpad(page, "ops: {calling_score__trained_model: {config: {learning_rate: fast}}}")
    page.get_by_text(re.compile('learning_rate.*"fast".*not valid.*Float')).first.wait_for()
    assert button.is_disabled()
    page.close()
