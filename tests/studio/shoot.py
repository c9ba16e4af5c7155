"""The pictures of docs/studio.md: `python -m tests.studio.shoot RUNS TRAINING GALLERY`, the last two runs' folders."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.studio.browser import chromium, page_of, studio

OUT = Path(__file__).parents[2] / "docs" / "img"
WIDTHS = {"wide": 1280, "narrow": 400}


def shoot(runs: Path, training: str, gallery: str, out: Path = OUT) -> None:
    """Each room at two widths; the gallery in dark too."""
    with studio(runs) as url, chromium() as browser:
        for width, pixels in WIDTHS.items():
            for scheme in ("light", "dark") if width == "wide" else ("light",):
                context = page_of(browser, url, pixels, 860, color_scheme=scheme)
                page = context.new_page()
                page.goto(url)
                page.wait_for_selector("article img")
                names = {a.inner_text(): a for a in page.query_selector_all("article .folder")}
                ids = {
                    name.split(" · ")[0]: a.evaluate("a => a.closest('article').querySelector('a').hash.split('/')[2]")
                    for name, a in names.items()
                    if a.evaluate("a => !!a.closest('article').querySelector('a')")
                }
                dark = "-dark" if scheme == "dark" else ""
                _keep(page, out / f"studio-runs-{width}{dark}.png")
                page.goto(f"{url.split('?')[0]}#/run/{ids[training]}")
                page.wait_for_selector("figure path.curve")
                _keep(page, out / f"studio-training-{width}{dark}.png")
                page.goto(f"{url.split('?')[0]}#/gallery/{ids[gallery]}")
                page.wait_for_selector("#big")
                page.locator("ul button:not(:disabled) img[src]").nth(20).wait_for()
                _keep(page, out / f"studio-gallery-{width}{dark}.png")
                context.close()


def _keep(page: Page, path: Path) -> None:
    """Saves what is seen, in 256 colours, which is a third of the bytes."""
    page.wait_for_timeout(400)
    page.screenshot(path=path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    shoot(Path(sys.argv[1]), sys.argv[2], sys.argv[3], *map(Path, sys.argv[4:5]))
