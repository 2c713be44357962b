"""Chromium as it is installed here, for pages that people look at: what it shows, says and asks for."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

COUNT_PIXELS = """async (shots) => {
  const pixels = async (shot) => {
    const picture = await createImageBitmap(await (await fetch("data:image/png;base64," + shot)).blob());
    const canvas = new OffscreenCanvas(picture.width, picture.height), pen = canvas.getContext("2d");
    pen.drawImage(picture, 0, 0);
    return new Uint32Array(pen.getImageData(0, 0, picture.width, picture.height).data.buffer);
  };
  const [one, other] = [await pixels(shots[0]), await pixels(shots[1])];
  const counts = new Map();
  for (const pixel of one) counts.set(pixel, (counts.get(pixel) || 0) + 1);
  let differ = Math.abs(one.length - other.length);
  for (let at = 0; at < Math.min(one.length, other.length); at += 1) differ += one[at] !== other[at];
  return { most: Math.max(...counts.values()) / one.length, colours: counts.size, differ: differ / one.length };
}"""


def program() -> str | None:
    """Return the browser that is installed here."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


@dataclass
class Opened:
    """One page in a window of its own. `errors` is what it complained about, `asked` what it wanted from elsewhere."""

    page: Page
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Return the names in the rows that are drawn."""
        return self.page.locator("tr.item .name").all_inner_texts()

    @property
    def count(self) -> str:
        """Return what the page says about how many there are."""
        return self.page.inner_text("#count")


@dataclass(frozen=True)
class Pixels:
    """What a picture is made of: the share of its most frequent colour, how many colours, the share that differs."""

    most: float
    colours: int
    differ: float


class Chromium:
    """The browser, started once."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder
        self._opened = 0

    @property
    def version(self) -> str:
        """Return its version."""
        return self._browser.version

    @contextmanager
    def show(self, html: str, *, width: int = 1440, height: int = 1200, dark: bool = False) -> Iterator[Opened]:
        """Open a page from a file, as somebody who was sent it does."""
        self._opened += 1
        path = self._folder / f"page-{self._opened}.html"
        path.write_text(html, encoding="utf-8")
        scheme = "dark" if dark else "light"
        context = self._browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: opened.errors.append(message.text))
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.page.on("request", lambda request: opened.asked.append(request.url))
        opened.page.goto(path.as_uri())
        opened.asked.remove(path.as_uri())
        try:
            yield opened
        finally:
            context.close()

    def compare(self, one: bytes, other: bytes) -> Pixels:
        """Count the pixels of a picture, and how many of them another has differently."""
        page = self._browser.new_page()
        try:
            return Pixels(**page.evaluate(COUNT_PIXELS, [base64.b64encode(shot).decode() for shot in (one, other)]))
        finally:
            page.close()


@contextmanager
def chromium(executable: str, folder: Path) -> Iterator[Chromium]:
    """Start the browser without a window."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable)
        try:
            yield Chromium(browser, folder)
        finally:
            browser.close()
