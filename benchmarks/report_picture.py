"""Takes the documentation's pictures of the report page, from a run that `tfpare optimize --report R --json` printed.

    python benchmarks/report_picture.py run.json docs/img

Needs Chromium and playwright. Make the run on a quiet machine: the picture shows its numbers.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tfpare.html.page import render_page
from tfpare.html.run_file import read_run

WIDTH, TOP, GRAPH = 1180, 1330, 820


def main() -> None:
    """Two pictures: the top of the page, and the graph around a node that changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--search", default="block_3_expand_BN", help="the node to show")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        file = Path(scratch) / "page.html"
        file.write_text(render_page(read_run(arguments.run)), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": TOP}, color_scheme="light")
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-ready]")
        page.screenshot(path=arguments.folder / "report.png")
        page.set_viewport_size({"width": WIDTH, "height": GRAPH})
        page.fill("#search", arguments.search)
        page.press("#search", "Enter")
        page.evaluate("document.activeElement.blur(); document.querySelector('#graph').scrollIntoView()")
        page.wait_for_timeout(200)
        page.screenshot(path=arguments.folder / "report-graph.png")
        browser.close()


if __name__ == "__main__":
    main()
