"""Rounds of GeoGuessr as pairs: photo and true place, or photo and country.

It plays with an account of your own, in Chromium, slowly, and hides nothing: see the terms in
`geoguessr_site.py`, which have to be acknowledged. Coordinates are degrees `(lat, lon)`.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from tqdm import tqdm

from shared.collection.geoguessr_faults import (
    GeoguessrError,
    LoginError,
    PageChangedError,
    TermsError,
)
from shared.collection.geoguessr_limits import (
    Limits,
    Report,
    Settings,
    StopRun,
    Tally,
    expected_rounds,
)
from shared.collection.geoguessr_page import GamePage
from shared.collection.geoguessr_progress import write_run
from shared.collection.geoguessr_session import Session
from shared.collection.geoguessr_single import read_results
from shared.collection.geoguessr_site import TERMS, Site
from shared.collection.geoguessr_store import RoundStore, only_collector, pair_id
from shared.collection.geoguessr_view import Patience
from shared.collection.geoguessr_workers import Collector, Worker

__all__ = [
    "TERMS",
    "GeoguessrError",
    "LoginError",
    "PageChangedError",
    "Patience",
    "Repair",
    "Report",
    "Settings",
    "Site",
    "TermsError",
    "collect_rounds",
    "repair_places",
]

_Result = TypeVar("_Result")


def collect_rounds(
    folder: Path,
    settings: Settings,
    *,
    accept_terms: bool,
    site: Site | None = None,
    cookies: Path | None = None,
) -> Report:
    """Play games and save their rounds, until the games or the minutes are over.

    Goes on where an earlier run stopped, or was killed: its unfinished games are played on first.

    Args:
        folder: where the pairs go, flat.
        settings: how much, and how slowly.
        accept_terms: the terms of the site have been read, and allow it.
        site: the pages; GeoGuessr's own unless it is told otherwise.
        cookies: the file that keeps the account's cookies.

    Raises:
        TermsError: the terms were not acknowledged.
        LoginError: there are no credentials, or they are not taken.
        PageChangedError: something is not found on the page.
        GeoguessrError: something went wrong too many times in a row.
    """
    hold_to_terms(accept_terms)
    with only_collector(folder), Bar(expected_rounds(settings)) as tally:
        RoundStore(folder).recover()

        async def work() -> str:
            async with open_session(settings, site, cookies) as session:
                return await Collector(folder, settings, session, tally).run()

        stopped = "an error"
        try:
            stopped = finished(work)
        finally:
            write_run(folder, tally.report(stopped))
        return tally.report(stopped)


@dataclass
class Repair:
    """What `repair_places` did.

    Attributes:
        corrected: ids of pairs whose coordinates were wrong.
        right: ids of pairs whose coordinates were right.
        absent: ids of rounds that there is no pair of.
        stopped: why it ended before its end, or "".
    """

    corrected: list[str] = field(default_factory=list)
    right: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    stopped: str = ""


def repair_places(
    folder: Path,
    games: Sequence[str],
    settings: Settings,
    *,
    accept_terms: bool,
    site: Site | None = None,
    cookies: Path | None = None,
) -> Repair:
    """Read the true places of finished singleplayer games again, and correct the records.

    What was there before is kept in the record's `coordinates_before`.

    Args:
        folder: where the pairs lie, flat.
        games: ids.
        settings: how slowly; `max_minutes` bounds it.
        accept_terms: the terms of the site have been read, and allow it.
        site: the pages; GeoGuessr's own unless it is told otherwise.
        cookies: the file that keeps the account's cookies.

    Raises:
        TermsError, LoginError, PageChangedError, GeoguessrError: as of `collect_rounds`.
    """
    hold_to_terms(accept_terms)
    done = Repair()
    with only_collector(folder):
        store = RoundStore(folder)
        store.recover()

        async def work() -> None:
            async with open_session(settings, site, cookies) as session:
                await _repair_all(store, games, settings, session, done)

        finished(work)
    return done


async def _repair_all(
    store: RoundStore, games: Sequence[str], settings: Settings, session: Session, done: Repair
) -> None:
    limits = Limits(settings, store.folder)
    worker = Worker(0, session, limits, Tally())
    try:
        for game in tqdm(games, desc="repair", unit="game"):

            async def read(page: GamePage, game: str = game) -> Sequence[tuple[float, float]]:
                return await read_results(page, game)

            points = await worker.persist(read, settings, store.folder)
            for number, point in enumerate(points, start=1):
                _correct(store, pair_id("singleplayer", game, number), point, done)
            await limits.sleep(settings.pause_s)
    except StopRun as stop:
        done.stopped = str(stop)
    finally:
        await worker.close()


def _correct(store: RoundStore, name: str, point: tuple[float, float], done: Repair) -> None:
    if not store.has(name):
        done.absent.append(name)
    elif store.correct(name, point):
        done.corrected.append(name)
    else:
        done.right.append(name)


def hold_to_terms(accept_terms: bool) -> None:
    """Go on only where the terms were acknowledged."""
    if not accept_terms:
        raise TermsError(TERMS)


def open_session(settings: Settings, site: Site | None, cookies: Path | None) -> Session:
    """A browser and an account; GeoGuessr's own pages unless told otherwise."""
    return Session(
        site or Site(),
        executable=settings.executable,
        headless=settings.headless,
        timeout_s=settings.timeout_s,
        cookies=cookies,
    )


class Bar(Tally):
    """A tally that shows a bar of rounds."""

    def __init__(self, total: int | None, what: str = "collect") -> None:
        super().__init__()
        self._bar = tqdm(total=total, desc=what, unit="round")

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def saved(self, name: str) -> None:
        """Count a pair, and show it."""
        super().saved(name)
        self._bar.set_postfix(dict(self.failures), refresh=False)
        self._bar.update()


def finished(work: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
    """The result of some work, done on an event loop of its own: notebooks have one running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    return _Apart(work).result()


class _Apart(Generic[_Result]):
    """Work in a thread; an interrupt of the notebook cancels it."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, _Result]]) -> None:
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(work())
        self._thread = threading.Thread(target=self._run, name="geoguessr")
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.wait([self._task]))
        self._loop.close()

    def result(self) -> _Result:
        """What the work returned."""
        try:
            self._thread.join()
        except KeyboardInterrupt:
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join()
            raise
        return self._task.result()
