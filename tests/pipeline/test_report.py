"""The report, opened in a browser at the sizes that people have."""

import os
import shutil

import pytest

pytestmark = pytest.mark.xdist_group("pipeline")  # what shares a clone runs on one worker

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]


@pytest.mark.skipif(BROWSER is None and not os.environ.get("CI"), reason="no Chromium on the PATH")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_opens_whole_and_asks_nothing_of_a_network(smoke, width, scheme):
    from playwright.sync_api import sync_playwright

    page_file = smoke.folder / "reports/smoke/index.html"
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith("data:") else None)
        page.goto(page_file.as_uri())
        for summary in page.locator("summary").all():
            summary.click()
        broken = page.evaluate("[...document.images].filter(i => !i.complete || i.naturalWidth == 0).length")
        pictures = page.evaluate("document.images.length")
        drawings = page.evaluate("[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().height)")
        ink, ground = page.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        text = page.inner_text("body")
        browser.close()
    assert complaints == [page_file.as_uri()]
    assert broken == 0
    assert pictures >= 1 + 16 + 1
    assert len(drawings) >= 15
    assert min(drawings) > 100
    assert overflow <= 0
    assert (sum(map(int, ink[4:-1].split(","))) > 384) == (scheme == "dark")
    assert (sum(map(int, ground[4:-1].split(","))) > 384) == (scheme == "light")
    for expected in ("we got", "scale smoke", "K7", "McNemar", "Run time", "called vehicle", "seconds"):
        assert expected in text
