"""The workers of a run: each plays games on a page of its own, and gets over what goes wrong."""

import asyncio
import errno
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from shared.collection.geoguessr_faults import (
    BrowserGoneError,
    GeoguessrError,
    LoggedOutError,
    MissingError,
    PageChangedError,
    PageGoneError,
    RateLimitedError,
    Trouble,
)
from shared.collection.geoguessr_limits import Limits, Settings, StopRun, Tally
from shared.collection.geoguessr_multi import MultiGame, start_multi
from shared.collection.geoguessr_page import GamePage
from shared.collection.geoguessr_session import Session
from shared.collection.geoguessr_single import SingleGame, Table, start_single
from shared.collection.geoguessr_store import Ledger, RoundStore

logger = logging.getLogger(__name__)

MAX_DOUBLINGS = 4  # of the time that is waited at a rate limit: 16 times as long at most
_Result = TypeVar("_Result")


class Worker:
    """One page, and the patience of one player."""

    def __init__(self, number: int, session: Session, limits: Limits, tally: Tally) -> None:
        self.number, self.session, self.limits, self.tally = number, session, limits, tally
        self.page: GamePage | None = None
        self.is_logged_in = False
        self.n_tries = 0
        self._n_limits = 0
        self._n_saved = 0

    async def persist(
        self, action: Callable[[GamePage], Awaitable[_Result]], settings: Settings, folder: Path
    ) -> _Result:
        """Do something that may go wrong again and again, until it is done.

        Raises:
            PageChangedError: what it looks for is not there, however often it looks.
            GeoguessrError: something else went wrong too many times in a row.
            StopRun: a limit was reached.
        """
        while True:
            try:
                if self.page is None:
                    self.page = await self.session.new_page()
                if not self.is_logged_in:
                    await self._log_in(self.page, settings)
                result = await action(self.page)
            except Trouble as trouble:
                await self._get_over(trouble, settings, folder)
            else:
                self.n_tries = self._n_limits = 0
                return result

    async def close(self) -> None:
        """Close the page."""
        if self.page is not None:
            await self.session.close_page(self.page)
            self.page = None

    async def _log_in(self, page: GamePage, settings: Settings) -> None:
        site = self.session.site
        await self.session.log_in(
            page, site.lobby if settings.mode == "singleplayer" else site.battle_lobby
        )
        self.is_logged_in = True

    async def _get_over(self, trouble: Trouble, settings: Settings, folder: Path) -> None:
        if isinstance(trouble, PageGoneError) and not self.session.is_running:
            trouble = BrowserGoneError(str(trouble))
        self.tally.failures[trouble.kind] += 1
        logger.info("worker %d: %s (%s)", self.number, trouble.kind, trouble)
        if len(self.tally.ids) > self._n_saved:
            self.n_tries = self._n_limits = 0
        self._n_saved = len(self.tally.ids)
        self.limits.check()
        if isinstance(trouble, RateLimitedError):
            self._n_limits += 1
            doublings = min(self._n_limits - 1, MAX_DOUBLINGS)
            await self.limits.sleep(settings.rate_limit_s * 2**doublings)
        else:
            self.n_tries += 1
            if self.n_tries >= settings.tries:
                raise await self._given_up(trouble, folder) from trouble
            await self._clear_up(trouble)
            await self.limits.sleep(settings.retry_s * self.n_tries)

    async def _clear_up(self, trouble: Trouble) -> None:
        """Leave a page that can be used, or none."""
        if isinstance(trouble, LoggedOutError):
            self.is_logged_in = False
        is_gone = isinstance(trouble, PageGoneError | BrowserGoneError)
        if is_gone or not self.session.is_running or self.n_tries % 2 == 0:
            await self.close()
        elif self.page is not None:
            self.page.is_stale = True

    async def _given_up(self, trouble: Trouble, folder: Path) -> GeoguessrError:
        path = folder / ".errors" / f"worker_{self.number}.png"
        shot = await self.page.photograph(path) if self.page is not None else None
        url = self.page.page.url if self.page is not None else "no page"
        if isinstance(trouble, MissingError):
            return PageChangedError(trouble.what, url, self.n_tries, shot)
        return GeoguessrError(
            f"{trouble.kind}, {self.n_tries} times in a row without a round in between, on {url}: "
            f"{trouble}. Look at the page in a browser; what was saved stays, and the next run "
            "goes on from there"
        )


class Collector:
    """The workers, what they share, and how a run ends."""

    def __init__(
        self, folder: Path, settings: Settings, session: Session, tally: Tally | None = None
    ) -> None:
        self.folder, self.settings, self.session = folder, settings, session
        self.tally = tally or Tally()
        self.limits = Limits(settings, folder)
        self.store, self.ledger = RoundStore(folder), Ledger(folder)
        self._unfinished = deque(self.ledger.unfinished(settings.mode))

    async def run(self) -> str:
        """Let all workers play until the games or the time are over; why it ended.

        Raises:
            GeoguessrError: a worker could not go on; the others have been stopped.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self.settings.workers):
                    group.create_task(self._work(number))
        except* GeoguessrError as errors:
            raise _first(errors) from None
        return self.limits.stopped or "all games are played"

    async def _work(self, number: int) -> None:
        worker = Worker(number, self.session, self.limits, self.tally)
        try:
            await self.limits.sleep(number * self.settings.stagger_s)
            while self.limits.take_game():
                await self._one_game(worker)
        except StopRun as stop:
            logger.info("worker %d stops: %s", number, stop)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            self.limits.stop("the disk is full")
        finally:
            await worker.close()

    async def _one_game(self, worker: Worker) -> None:
        """Play on a game of a run before, or a new one."""
        mode = self.settings.mode
        start = start_single if mode == "singleplayer" else start_multi
        game = self._unfinished.popleft() if self._unfinished else ""
        if not game:
            game = await worker.persist(start, self.settings, self.folder)
        with self.ledger.claim(mode, game) as is_mine:
            if not is_mine:
                self.tally.n_left += 1
                self.limits.give_game_back()
                await self.limits.sleep(self.settings.pause_s)
                return
            await self._play(worker, game)
            self.tally.n_games += 1

    async def _play(self, worker: Worker, game: str) -> None:
        table = Table(
            self.store,
            self.ledger,
            self.limits,
            self.tally,
            self.settings.patience,
            self.settings.answer_s,
            partial(self.limits.sleep, self.settings.pause_s),
        )
        is_single = self.settings.mode == "singleplayer"
        played = SingleGame(game, table) if is_single else MultiGame(game, table)
        await worker.persist(played.play, self.settings, self.folder)


def _first(errors: BaseExceptionGroup[GeoguessrError]) -> GeoguessrError:
    """The first error of a group."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, GeoguessrError)
    return error
