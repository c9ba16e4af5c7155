"""Each room as a person meets it, in Chromium; no request may leave the machine, and no fault be logged."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Download, Page, expect

from tests.conftest import Blobs
from tests.studio.browser import CHROMIUM, chromium, enter, page_of, studio
from zerosum.core.errors import Refusal
from zerosum.core.pictures import to_pil
from zerosum.core.run import Run
from zerosum.studio.watched import name_of

pytestmark = pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("ZEROSUM_NEEDS_BROWSER"), reason="no Chromium; CI installs one, and fails here"
)
PATIENCE = 40_000  # ms: the cores may be busy
PIXELS = """image => {
    const size = {width: image.naturalWidth, height: image.naturalHeight};
    const canvas = Object.assign(document.createElement('canvas'), size);
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    return Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    yield from opened(browser, url)


def opened(browser: Browser, url: str, meant: str = "-", **options: Any) -> Iterator[Page]:
    """A page at the studio's door. At its end: nothing has left the machine, and the browser had nothing to complain of
    but what was `meant`."""
    context = page_of(browser, url, **options)
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page, faults = context.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    enter(page, url)
    yield page
    context.close()
    assert context.strays == []  # type: ignore[attr-defined]
    assert [fault for fault in faults if meant not in fault] == []


def pixels(page: Page, selector: str) -> list[int]:
    """The RGBA bytes of a picture as the browser has decoded it."""
    image = page.locator(selector).first
    image.evaluate("image => image.decode()")
    return image.evaluate(PIXELS)


def home(url: str) -> str:
    return url.split("?")[0]


def test_the_door_puts_the_token_away(page: Page, url: str) -> None:
    assert page.url == home(url)
    assert page.evaluate("document.cookie") == ""  # scripts cannot read it
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()


def test_a_link_from_elsewhere_leads_in(browser: Browser, url: str) -> None:
    context = page_of(browser, url)
    page = context.new_page()
    page.set_content(f'<a href="{url}">the studio</a>')
    page.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    context.close()


def test_a_stranger_is_told_where_the_token_is(browser: Browser, url: str) -> None:
    context = page_of(browser, url)
    stranger = context.new_page()
    stranger.goto(home(url))
    assert "zerosum studio" in stranger.inner_text("body")
    context.close()


def test_the_list_shows_each_run_and_the_broken_one_as_such(page: Page) -> None:
    cards = page.locator("article")
    expect(cards).to_have_count(4)
    expect(cards.nth(0)).to_contain_text("no pictures yet")
    expect(cards.nth(1)).to_contain_text("stopped")
    expect(cards.nth(2)).to_contain_text("finished")
    expect(cards.nth(3)).to_contain_text("cannot be read")
    expect(cards.nth(3).get_by_role("link")).to_have_count(0)
    shown = pixels(page, "article:nth-child(3) img")
    assert len(set(shown)) > 50
    assert fits(page)


def fits(page: Page) -> bool:
    """Whether nothing sticks out to the side, on a desk and on a telephone."""
    for width in (400, 1280):
        page.set_viewport_size({"width": width, "height": 860})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            return False
    return True


def test_the_training_room(page: Page, runs: Path) -> None:
    run = runs / "00000-dcgan-blobs"
    page.locator("article", has_text="finished").get_by_role("link", name="Training", exact=True).click()
    expect(page.locator("figure")).to_have_count(6)  # three scores, the losses, two other notes
    expect(page.locator("figure path.curve")).to_have_count(8)
    assert all(len(d) > 20 for d in page.eval_on_selector_all("path.curve", "all => all.map(p => p.getAttribute('d'))"))
    expect(page.get_by_text("Made pictures differ from each other by 2 %")).to_be_visible()
    expect(page.get_by_text("zerosum train photos --gamma 10")).to_be_visible()
    slider = page.get_by_label("Time in training")
    seen = []
    for place in (4, 1):
        slider.fill(str(place))
        images = (0, 640, 1280, 1920, 2560)[place]
        image = f"img[src$='/grids/{images}']"
        expect(page.locator(image)).to_be_visible()
        seen.append(pixels(page, image))
        with Image.open(run / f"fakes-{images:09d}.png") as kept:
            assert seen[-1] == list(kept.convert("RGBA").tobytes())
    assert seen[0] != seen[1]
    page.get_by_role("button", name="Real pictures").click()
    expect(page.locator("img[src$='/reals']")).to_be_visible()
    chart = page.get_by_role("slider", name="KID, ImageNet network, by images")
    chart.press("Home")
    assert chart.get_attribute("aria-valuetext") == "1,280 images: this run 0.2"
    assert fits(page)


def test_the_gallery(page: Page) -> None:
    page.locator("article", has_text="finished").get_by_role("link", name="Gallery").click()
    expect(page.locator("#big")).to_be_visible()
    seed = page.get_by_label("Seed", exact=True)
    first, number = pixels(page, "#big"), seed.input_value()
    page.locator("body").press("Space")
    expect(seed).not_to_have_value(number)
    assert pixels(page, "#big") != first
    page.keyboard.press("ArrowLeft")
    expect(seed).to_have_value(number)
    assert pixels(page, "#big") == first
    seed.fill("5")
    seed.press("Enter")
    expect(page.get_by_alt_text("A drawn picture, seed 5")).to_be_visible()
    page.get_by_label("Truncation").fill("0.5")
    page.get_by_label("glasses").select_option("yes")
    _endless(page)
    page.get_by_role("button", name="Favourite").click()
    with page.expect_download() as found:
        page.get_by_role("button", name="Save PNG").click()
    _check(found.value)
    page.reload()
    expect(page.get_by_role("list", name="Favourites").get_by_role("button")).to_have_count(1)
    expect(seed).not_to_have_value("5")
    page.get_by_role("button", name="Show the picture of seed 5", exact=True).click()
    expect(page.get_by_alt_text("A drawn picture, seed 5")).to_be_visible()
    expect(page.get_by_label("glasses")).to_have_value("yes")
    assert fits(page)


def _endless(page: Page) -> None:
    """More come, each drawn, and with scrolling more of them; no two alike."""
    tiles = page.get_by_role("list", name="More pictures").locator("img[src]")
    expect(tiles.nth(23)).to_be_visible()
    page.mouse.wheel(0, 20_000)
    expect(tiles.nth(30)).to_be_visible()
    assert len({tuple(tiles.nth(i).evaluate(PIXELS)) for i in range(4)}) == 4


def _check(download: Download) -> None:
    """The file that was saved says how to draw it again."""
    assert download.suggested_filename == "cgan-picture-seed5.png"
    with Image.open(io.BytesIO(Path(download.path()).read_bytes())) as picture:
        assert picture.size == (32, 32)
        assert picture.info["seed"] == "5"
        assert picture.info["truncation"] == "0.5"
        assert picture.info["labels"] == "glasses=yes"
        assert len(picture.info["model"]) == 64


def test_what_cannot_be_shown_says_why(browser: Browser, url: str, runs: Path) -> None:
    for page in opened(browser, url, meant="404 (Not Found)"):
        page.goto(f"{home(url)}#/gallery/{name_of(runs / '00001-dcgan-blobs')}")
        expect(page.get_by_role("alert")).to_contain_text("saved nothing that draws")
        page.goto(f"{home(url)}#/run/0123456789ab")
        expect(page.get_by_role("alert")).to_contain_text("no such run here")
        page.goto(f"{home(url)}#/run/{name_of(runs / '00003-dcgan-blobs')}")
        expect(page.get_by_role("alert")).to_contain_text("cannot be read")
        page.goto(f"{home(url)}#/run/{name_of(runs / '00001-dcgan-blobs')}")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("alert")).to_contain_text("my photos")  # its pictures are gone
        expect(page.get_by_role("button", name="Go on")).to_be_enabled()
        page.goto(f"{home(url)}#/elsewhere")
        expect(page.get_by_role("alert")).to_contain_text("no such room")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder without runs yet, and pictures beside it. What still trains at the end, because a test failed, is ended:
    it would outlive the studio."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "photos").mkdir()
    for i, picture in enumerate(Blobs(48).pixels):
        to_pil(picture).save(tmp_path / "photos" / f"{i}.png")
    yield tmp_path
    for path in (tmp_path / "runs").iterdir():
        with contextlib.suppress(Refusal):
            Run(path).interrupt()


def test_a_run_is_started_stopped_and_goes_on(browser: Browser, place: Path) -> None:
    with studio(place / "runs") as url:
        for page in opened(browser, url):
            expect(page.get_by_text("No runs in “runs” yet")).to_be_visible()
            page.locator("body").press("n")
            page.get_by_label("Learn from").fill("nosuchset")
            page.get_by_role("button", name="Start", exact=True).click()
            expect(page.get_by_text("This did not start")).to_be_visible()
            expect(page.get_by_text("is neither a folder")).to_be_visible()
            page.get_by_role("button", name="Put away").click()
            page.get_by_role("button", name="Start a run").click()
            page.get_by_label("Learn from").fill(str(place / "photos"))
            page.get_by_label("Pixels a side").select_option("32")
            page.get_by_label("Game").select_option("gan")
            page.get_by_text("Further options").first.click()
            page.get_by_label("Further options").fill("--images 900000 --score 0 --width 8 --save 5000")
            page.get_by_role("button", name="Start", exact=True).click()
            card = page.locator("article")
            expect(card).to_contain_text("training")
            shown = pixels(page, "article img")
            assert len(set(shown)) > 20
            card.get_by_role("button", name="Stop").click()
            expect(card).to_contain_text("stopped")
            [run] = [Run(path) for path in (place / "runs").iterdir()]
            assert not run.is_held
            assert any((run.path / "state").iterdir())  # it was saved
            before = run.images
            card.get_by_role("button", name="Go on").click()
            expect(card).to_contain_text("training")
            card.get_by_role("button", name="Stop").click()
            expect(card).to_contain_text("stopped")
            assert run.images >= before
