"""The pictures of docs/studio.md: `python -m tests.studio.shoot RUNS TRAINING GALLERY`, the last two runs' folders.

Each room at two widths, one of them on dark ground, and the form that starts a run.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from tests.studio.browser import chromium, enter, page_of, studio
from zerosum.studio.watched import name_of

OUT = Path(__file__).parents[2] / "docs" / "img"
WIDTHS = {"wide": 1280, "narrow": 400}


def shoot(runs: Path, training: str, gallery: str, out: Path = OUT) -> None:
    """Writes studio-*.png."""
    runs = runs.absolute()
    rooms = {
        "runs": ("#/", "article img"),
        "training": (f"#/run/{name_of(runs / training)}", "figure path.curve"),
        "gallery": (f"#/gallery/{name_of(runs / gallery)}", "ul li:nth-child(20) img[src]"),
    }
    with studio(runs) as url, chromium() as browser:
        for name, (place, sign) in rooms.items():
            for width, pixels in WIDTHS.items():
                dark = name == "gallery" and width == "wide"
                page = _page(browser, url, place, pixels, "dark" if dark else "light")
                page.locator(sign).first.wait_for()
                _keep(page, out / f"studio-{name}-{width}.png")
                page.context.close()
        page = _page(browser, url, "#/", WIDTHS["wide"], "light")
        page.get_by_role("button", name="Start a run").click()
        page.get_by_label("Learn from").fill("~/pictures/shells")
        _keep(page.locator("dialog"), out / "studio-start.png")


def _page(browser: Browser, url: str, place: str, width: int, scheme: str) -> Page:
    page = page_of(browser, url, width, 860, color_scheme=scheme).new_page()
    enter(page, url)
    page.goto(url.split("?")[0] + place)
    return page


def _keep(shown: Page | Locator, path: Path) -> None:
    """Saves what is seen, in 256 colours, which is a third of the bytes."""
    page = shown if isinstance(shown, Page) else shown.page
    page.wait_for_timeout(500)  # until what fades has faded
    shown.screenshot(path=path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, kmeans=8, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    shoot(Path(sys.argv[1]), sys.argv[2], sys.argv[3], *map(Path, sys.argv[4:5]))
