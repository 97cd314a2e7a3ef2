"""Takes the picture of the ops before and after from a page that `tfpare optimize --report` wrote.

    python benchmarks/op_picture.py page.html docs/img/ssd_ops.png

Needs Chromium and playwright.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1100, 600


def main() -> None:
    """One picture: the bars and the pies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 4 * HEIGHT}, color_scheme="light")
        page.goto(arguments.page.resolve().as_uri())
        page.locator("#ops canvas, #ops svg").first.wait_for()
        box = page.locator("#ops").bounding_box()
        assert box is not None
        page.locator("#ops").scroll_into_view_if_needed()
        page.wait_for_timeout(1000)  # charts are drawn when they come into view
        box = page.locator("#ops").bounding_box()
        assert box is not None
        clip = {"x": box["x"], "y": box["y"], "width": box["width"], "height": HEIGHT}
        page.screenshot(path=arguments.picture, clip=clip)
        browser.close()


if __name__ == "__main__":
    main()
