"""One page of the browser: what is looked for is found, or the trouble is named.

Coordinates are degrees `(lat, lon)`, times seconds, sizes pixels.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import BrowserContext, Locator, Page, Request
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from shared.collection.geoguessr_faults import (
    LoggedOutError,
    MissingError,
    NetworkError,
    NoPlaceError,
    PageGoneError,
    RateLimitedError,
)
from shared.collection.geoguessr_site import (
    PARKED_MOUSE,
    Site,
    game_of,
    point_of,
)

logger = logging.getLogger(__name__)

TEXTS_AROUND = """(inner) => {
    const around = [inner, inner.parentElement, inner.parentElement?.parentElement];
    return around.filter(Boolean).map((at) => at.innerText);
}"""
POLL_S = 0.1
TEXTS = {"loading", "rate_limit", "starting", "next_starts", "over", "answer", "points"}
GONE = ("crashed", "has been closed", "Connection closed", "Target closed", "was detached")


class GamePage:
    """The one page of a worker, used again for every game."""

    def __init__(self, page: Page, site: Site, timeout_s: float) -> None:
        """Wait `timeout_s` for what is looked for."""
        self.page, self.site, self.timeout_s = page, site, timeout_s
        self.is_crashed = False
        self.is_stale = False  # something went wrong on it: it has to be loaded again
        page.set_default_timeout(timeout_s * 1000)
        page.on("crash", self._note_crash)

    @property
    def context(self) -> BrowserContext:
        """The page's cookies and windows."""
        return self.page.context

    async def set_up(self) -> None:
        """Close what else opens, and cookie banners, whenever they come."""
        self.context.on("page", _close_soon)
        banner = self.page.locator(self.site.banners).filter(visible=True)
        await self.page.add_locator_handler(banner.first, self._accept)

    async def open(self, path: str, game: str = "") -> None:
        """Load a page of the site.

        Raises:
            NetworkError: it could not be loaded.
        """
        async with self.troubles():
            answer = await self.page.goto(self.site.url(path, game), wait_until="domcontentloaded")
            if answer is not None and answer.status == 429:
                raise RateLimitedError
            if answer is not None and answer.status >= 500:
                msg = f"status {answer.status}"
                raise NetworkError(msg)
        self.is_stale = False

    async def go_to(self, path: str, game: str) -> None:
        """Load a game's page, unless it is there and sound."""
        if self.is_stale or game_of(self.page.url) != game:
            await self.open(path, game)

    async def wait_until_gone(self, field: str) -> None:
        """Wait until something is no longer shown."""
        async with self.troubles(f"the end of {self.described([field])}"):
            await self.named(field).first.wait_for(state="hidden")

    async def until_count(self, field: str, number: int) -> None:
        """Wait until something is there so many times.

        Raises:
            MissingError: it is not; the error says how often it is.
        """
        found = self.named(field)
        what = f"{number} times {self.described([field])}"
        async with self.troubles(what):
            await found.nth(number - 1).wait_for()

    async def shows(self, *fields: str) -> bool:
        """Whether one of some fields of `Site` is on the page now."""
        either = self.named(fields[0])
        for field in fields[1:]:
            either = either.or_(self.named(field))
        async with self.troubles():
            return await either.count() > 0

    async def wait_for_change(self, field: str, *others: str, timeout_s: float) -> None:
        """Wait until something is no longer shown, or something else is shown too."""
        async with self.troubles(f"the end of {self.described([field])}"):
            async with asyncio.timeout(timeout_s):
                while await self.shows(field) and not await self.shows(*others):
                    await asyncio.sleep(POLL_S)

    async def texts_of(self, field: str) -> list[str]:
        """The text of what a field of `Site` means, and of what is around it, from inside out."""
        async with self.troubles(self.described([field])):
            texts: list[str] = await self.named(field).first.evaluate(TEXTS_AROUND)
        return texts

    def button(self, *texts: str) -> Locator:
        """A visible button or link with one of these texts."""
        words = "|".join(re.escape(text) for text in texts)
        exact = re.compile(rf"^\s*(?:{words})\s*$")
        return self.page.locator("button, a, [role=button]", has_text=exact).filter(visible=True)

    def text(self, words: str | re.Pattern[str]) -> Locator:
        """The visible text that holds these words."""
        return self.page.get_by_text(words).filter(visible=True)

    def named(self, field: str) -> Locator:
        """What a field of `Site` means: a selector, a button or a text."""
        value = getattr(self.site, field)
        if field in {"canvas", "marker", "email", "password", "banners"}:
            return self.page.locator(value).filter(visible=True)
        if field in TEXTS:
            return self.text(value)
        return self.button(*((value,) if isinstance(value, str) else value))

    def described(self, fields: Sequence[str]) -> str:
        """Fields of `Site` and their values, for an error."""
        said = []
        for field in fields:
            value = getattr(self.site, field)
            said.append(f"{field} ({getattr(value, 'pattern', value)!r})")
        return " or ".join(said)

    async def wait_for(self, *fields: str, timeout_s: float | None = None) -> str:
        """Wait until one of some fields of `Site` is on the page.

        Returns:
            Which; the first of them where there are several.

        Raises:
            RateLimitedError, LoggedOutError: the page shows that instead.
            MissingError: none came in time.
        """
        asked = [*fields, *(("rate_limit",) if "rate_limit" not in fields else ())]
        asked += ["log_in"] if "log_in" not in fields else []
        either = self.named(asked[0])
        for field in asked[1:]:
            either = either.or_(self.named(field))
        wait_ms = 1000 * (self.timeout_s if timeout_s is None else timeout_s)
        async with self.troubles(self.described(fields)):
            await either.first.wait_for(timeout=wait_ms)
            for field in asked:
                if await self.named(field).count():
                    return self._unless_trouble(field, fields)
        raise MissingError(self.described(fields))

    def _unless_trouble(self, field: str, fields: Sequence[str]) -> str:
        if field == "rate_limit" and field not in fields:
            raise RateLimitedError
        if field == "log_in" and field not in fields:
            raise LoggedOutError
        return field

    async def click(self, field: str) -> None:
        """Click what a field of `Site` means, as soon as it is there."""
        await self.wait_for(field)
        async with self.troubles(self.described([field])):
            await self.named(field).first.click()

    async def park_mouse(self) -> None:
        """Move the mouse where the page shows nothing for it."""
        async with self.troubles():
            await self.page.mouse.move(*PARKED_MOUSE)

    async def place_of(self, marker: Locator) -> tuple[float, float]:
        """Click a marker of a true place, and read the address that it opens.

        Raises:
            NoPlaceError: it opens none, or another one.
        """
        opened: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def note(request: Request) -> None:
            if not opened.done() and request.url.startswith(self.site.street_view):
                opened.set_result(request.url)

        self.context.on("request", note)
        try:
            async with self.troubles(self.described(["marker"])):
                await marker.click()
            url = await asyncio.wait_for(opened, self.timeout_s)
        except TimeoutError as error:
            msg = "the marker opened nothing"
            raise NoPlaceError(msg) from error
        finally:
            self.context.remove_listener("request", note)
        point = point_of(url, self.site)
        if point is None:
            msg = f"the marker opened {url}"
            raise NoPlaceError(msg)
        return point

    async def round_shown(self) -> int | None:
        """The number of the round that the page shows, where it shows one."""
        async with self.troubles():
            found = self.page.get_by_text(self.site.round_shown)
            texts = await found.all_inner_texts()
        numbers = {int(m[1]) for text in texts if (m := self.site.round_shown.search(text))}
        return numbers.pop() if len(numbers) == 1 else None

    async def points_shown(self) -> list[int]:
        """The numbers of points that the page shows, in its order.

        Raises:
            MissingError: it shows none.
        """
        await self.wait_for("points")
        async with self.troubles(self.described(["points"])):
            texts = await self.named("points").all_inner_texts()
        found = [m[1] for text in texts if (m := self.site.points.search(text))]
        return [int(re.sub(r"\D", "", number)) for number in found]

    async def photograph(self, path: Path) -> Path | None:
        """A screenshot of the page as it is, for an error; nothing where the page is gone."""
        fields = [self.page.locator(self.site.email), self.page.locator(self.site.password)]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            await self.page.screenshot(path=path, mask=fields)
        except (PlaywrightError, OSError) as error:
            logger.warning("no screenshot of the page: %s", type(error).__name__)
            return None
        return path

    @asynccontextmanager
    async def troubles(self, what: str = "an answer of the page") -> AsyncIterator[None]:
        """Name what goes wrong inside as a `Trouble`.

        Args:
            what: is missing, where the time is over.
        """
        try:
            yield
        except (PlaywrightTimeout, TimeoutError) as error:
            if self.is_crashed:
                raise PageGoneError from error
            raise MissingError(what) from error
        except PlaywrightError as error:
            if self.is_crashed or self.page.is_closed() or any(w in error.message for w in GONE):
                raise PageGoneError(error.message.split("\n")[0]) from error
            raise NetworkError(error.message.split("\n")[0]) from error

    async def _accept(self) -> None:
        """Accept a cookie banner that covers the page."""
        await self.button(*self.site.accept).first.click()

    def _note_crash(self, _page: Page) -> None:
        self.is_crashed = True


_closing: set[asyncio.Task[None]] = set()


def _close_soon(page: Page) -> None:
    """Close a window that the page opened: its address is known by then."""
    task = asyncio.get_running_loop().create_task(_close(page))
    _closing.add(task)
    task.add_done_callback(_closing.discard)


async def _close(page: Page) -> None:
    try:
        await page.close()
    except PlaywrightError as error:
        logger.debug("a window was closed by itself: %s", type(error).__name__)
