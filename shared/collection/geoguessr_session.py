"""The browser and the account: started, logged in, and started again when they are gone.

Credentials come from the environment or `.env` (`LOST_AND_FOUND_GEOGUESSR_EMAIL`, `..._PASSWORD`).
They are typed into the site's own form and appear nowhere else. The cookies are kept in a file
that only its owner may read, outside the data.
"""

import asyncio
import contextlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from shared.collection.geoguessr_faults import (
    BrowserGoneError,
    GeoguessrError,
    LoginError,
    MissingError,
    Trouble,
)
from shared.collection.geoguessr_page import GamePage
from shared.collection.geoguessr_site import HEIGHT, WIDTH, Site
from shared.data_loader.config import PREFIX, option
from shared.paths import root, shown

logger = logging.getLogger(__name__)

EMAIL, PASSWORD = "GEOGUESSR_EMAIL", "GEOGUESSR_PASSWORD"
N_LOGINS = 3  # a site that fails may need more than one
NOT_IN = (
    "The site did not log in: try the account in a browser (a wrong password, or a question that "
    f"only a person can answer), and check {PREFIX}{EMAIL} and {PREFIX}{PASSWORD}"
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def find_browser(executable: str = "") -> str:
    """The browser's program.

    Args:
        executable: its path or name; else the Chromium or Chrome that the PATH has.

    Raises:
        GeoguessrError: there is none.
    """
    for name in (executable,) if executable else BROWSERS:
        if found := shutil.which(name):
            return found
    wanted = executable or " or ".join(BROWSERS)
    msg = (
        f"Expected a browser ({wanted}), found none: install it (Debian: apt-get install chromium)"
    )
    raise GeoguessrError(msg)


def cookies_path() -> Path:
    """Where the cookies of the account are kept: beside no data, so that nobody passes them on."""
    return root() / ".cache" / "geoguessr" / "cookies.json"


class Session:
    """One browser and one account, for all workers."""

    def __init__(
        self,
        site: Site,
        *,
        executable: str = "",
        headless: bool = True,
        timeout_s: float = 30.0,
        cookies: Path | None = None,
    ) -> None:
        """Nothing is started yet: use it with `async with`."""
        self.site, self.timeout_s, self.headless = site, timeout_s, headless
        self.executable = find_browser(executable)
        self.cookies = cookies or cookies_path()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._starting = asyncio.Lock()
        self._logging_in = asyncio.Lock()
        self._state: dict[str, Any] | None = None
        self.n_logins = 0

    async def __aenter__(self) -> "Session":
        await self._running_browser()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    @property
    def is_running(self) -> bool:
        """Whether the browser is there."""
        return self._browser is not None and self._browser.is_connected()

    async def new_page(self) -> GamePage:
        """A page with cookies of its own, as the account's are now.

        Raises:
            BrowserGoneError: the browser ended meanwhile.
        """
        try:
            browser = await self._running_browser()
            context = await browser.new_context(
                viewport={"width": WIDTH, "height": HEIGHT},
                device_scale_factor=1,
                storage_state=self._read_cookies(),  # type: ignore[arg-type]
            )
            game_page = GamePage(await context.new_page(), self.site, self.timeout_s)
            await game_page.set_up()
        except PlaywrightError as error:
            raise BrowserGoneError(error.message.split("\n")[0]) from error
        return game_page

    async def close_page(self, game_page: GamePage) -> None:
        """Close a page, or what is left of it."""
        with contextlib.suppress(PlaywrightError, TimeoutError):  # it may be gone already
            async with asyncio.timeout(self.timeout_s):
                await game_page.context.close()

    async def log_in(self, game_page: GamePage, path: str) -> None:
        """Open a page of the site, and log in where it asks for that.

        One worker logs in at a time; the cookies of the last who did are tried first.

        Raises:
            LoginError: there are no credentials, or they are not taken.
        """
        async with self._logging_in:
            await self._take_over_cookies(game_page)
            await game_page.open(path)
            if await self._is_logged_in(game_page):
                return None
            for _ in range(N_LOGINS):
                await self._fill_in(game_page)
                await game_page.open(path)
                if await self._is_logged_in(game_page):
                    return await self._keep_cookies(game_page)
            raise LoginError(NOT_IN)

    async def _is_logged_in(self, game_page: GamePage) -> bool:
        """Whether the lobby's "Play" is there without "Log in"."""
        return await game_page.wait_for("log_in", "play") != "log_in"

    async def _fill_in(self, game_page: GamePage) -> None:
        email, password = option(EMAIL), option(PASSWORD)
        if not email or not password:
            msg = (
                f"Expected {PREFIX}{EMAIL} and {PREFIX}{PASSWORD} in the environment or in .env: "
                "the account that plays is yours"
            )
            raise LoginError(msg)
        self.n_logins += 1
        await game_page.click("log_in")
        await game_page.wait_for("email")
        await self._type(game_page, "email", email)
        await self._type(game_page, "password", password)
        async with game_page.troubles(game_page.described(["submit"])):
            await game_page.named("password").first.press("Enter")
        await self._wait_until_in(game_page)

    async def _type(self, game_page: GamePage, field: str, secret: str) -> None:
        """Fill in a field; Playwright's own errors would show what was typed."""
        try:
            await game_page.named(field).first.fill(secret)
        except PlaywrightError:
            is_gone = game_page.is_crashed or game_page.page.is_closed()
        else:
            return
        if is_gone or not self.is_running:
            raise BrowserGoneError
        raise MissingError(game_page.described([field]))

    async def _wait_until_in(self, game_page: GamePage) -> None:
        try:
            async with game_page.troubles("the form to log in to go away"):
                await game_page.named("email").first.wait_for(state="hidden")
        except MissingError as error:
            raise LoginError(NOT_IN) from error

    async def _take_over_cookies(self, game_page: GamePage) -> None:
        kept = self._read_cookies()
        if kept is not None:
            async with game_page.troubles():
                await game_page.context.add_cookies(kept["cookies"])

    async def _keep_cookies(self, game_page: GamePage) -> None:
        async with game_page.troubles():
            state = await game_page.context.storage_state()
        self._state = dict(state)
        write_private(self.cookies, json.dumps(state))

    def _read_cookies(self) -> dict[str, Any] | None:
        if self._state is None and self.cookies.exists():
            self.cookies.chmod(0o600)
            try:
                self._state = json.loads(self.cookies.read_text(encoding="utf-8"))
            except ValueError:
                logger.warning("%s is broken: logging in anew", shown(self.cookies))
        return self._state

    async def _running_browser(self) -> Browser:
        """The browser, started anew where it is gone."""
        async with self._starting:
            if self._browser is None or not self._browser.is_connected():
                await self._stop()
                self._playwright = await async_playwright().start()
                self._browser = await self._playwright.chromium.launch(
                    executable_path=self.executable,
                    headless=self.headless,
                    chromium_sandbox=os.geteuid() != 0,  # Chromium has no sandbox for root
                )
            return self._browser

    async def _stop(self) -> None:
        browser, self._browser = self._browser, None
        playwright, self._playwright = self._playwright, None
        with contextlib.suppress(PlaywrightError, Trouble, OSError):  # they may be gone already
            if browser is not None:
                await browser.close()
        with contextlib.suppress(PlaywrightError, OSError):
            if playwright is not None:
                await playwright.stop()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
