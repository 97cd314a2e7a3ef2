import shutil

import pytest

from tfpare.html.page import render_page


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium; without one, tests that need it are skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    if path is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page in the browser, with everything that should not have happened."""

    def __init__(self, page, path):
        self.page, self.requests, self.complaints = page, [], []
        page.on("request", lambda r: self.requests.append(r.url))
        page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: self.complaints.append(str(e)))
        page.on("dialog", lambda d: self.complaints.append(f"dialog {d.message}"))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", timeout=20_000)

    def __getattr__(self, name):
        return getattr(self.page, name)


@pytest.fixture
def open_page(chromium, tmp_path):
    """Renders reports and opens the page offline."""
    contexts = []

    def open_(*reports, **options):
        path = tmp_path / "page.html"
        path.write_text(render_page(*reports), encoding="utf-8", errors="replace")
        context = chromium.new_context(offline=True, **options)
        contexts.append(context)
        return Opened(context.new_page(), path)

    yield open_
    for context in contexts:
        context.close()
