"""A real browser for tests of pages: what it was shown, and that it asked for nothing outside."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
needs_browser = pytest.mark.skipif(
    not any(shutil.which(name) for name in BROWSERS),
    reason="needs Chromium: apt-get install chromium",
)
PATIENCE_MS = 60_000  # a busy machine is slow; nothing waits when it is not


@contextmanager
def open_page(url: str, width: int = 1250, height: int = 1000) -> Iterator[tuple[Page, list[str]]]:
    """A page of a fresh browser, and the URLs that it has asked for outside of this machine."""
    path = next(found for name in BROWSERS if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(PATIENCE_MS)
            outside: list[str] = []
            inside = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "file:")
            page.on(
                "request", lambda r: None if r.url.startswith(inside) else outside.append(r.url)
            )
            page.goto(url)
            yield page, outside
        finally:
            browser.close()
