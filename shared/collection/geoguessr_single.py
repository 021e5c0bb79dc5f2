"""A singleplayer game: photo, guess, true place, for each of the rounds.

Whatever happens, a game can be played on from its address. Coordinates are degrees `(lat, lon)`.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from playwright.async_api import Locator

from shared.collection.geoguessr_faults import NoPlaceError, UnsettledError
from shared.collection.geoguessr_limits import Limits, Tally
from shared.collection.geoguessr_map import guess_anywhere
from shared.collection.geoguessr_page import GamePage
from shared.collection.geoguessr_site import ROUNDS_A_GAME, game_of
from shared.collection.geoguessr_store import Ledger, RoundStore, pair_id
from shared.collection.geoguessr_view import Patience, is_same, take_alone

logger = logging.getLogger(__name__)

N_CLICKS = 3  # on a marker that does not tell its place
N_BLANKS = 3  # a view that is blank so often is the place's own; stage 2 drops it
SAME_VIEW = 0.05  # share of the spots that may differ between two photos of one round


@dataclass
class Table:
    """What games are played with.

    Attributes:
        pause: waits between two rounds.
    """

    store: RoundStore
    ledger: Ledger
    limits: Limits
    tally: Tally
    patience: Patience
    answer_s: float
    pause: Callable[[], Awaitable[None]]


async def start_single(game_page: GamePage) -> str:
    """Start a World game; its id."""
    await game_page.open(game_page.site.lobby)
    await game_page.click("play")
    await game_page.wait_for("loading", "canvas")
    return game_of(game_page.page.url)


class SingleGame:
    """One game, of one worker."""

    def __init__(self, game: str, table: Table) -> None:
        self.game, self.table, self.store = game, table, table.store
        self.n_blanks = 0

    async def play(self, game_page: GamePage) -> None:
        """Play the game to its end, from wherever it is.

        Raises:
            Trouble: something went wrong; call it again.
            StopRun: a limit was reached; the game can be played on by a later run.
        """
        await game_page.go_to(game_page.site.game, self.game)
        while True:
            found = await game_page.wait_for("view_results", "next_round", "marker", "canvas")
            if found == "canvas":
                self.table.limits.check()
                await self._guess(game_page)
            elif (
                found == "marker" and await game_page.named("marker").count() > 1
            ) or await self._end_round(game_page):
                break
        await self._end_game(game_page)

    async def _guess(self, game_page: GamePage) -> None:
        await game_page.wait_until_gone("loading")
        shown = await game_page.round_shown()
        if shown is None or not self._is_known(shown):
            await self._take_photo(game_page, shown)
        await guess_anywhere(game_page)
        await game_page.wait_for("view_results", "next_round")

    async def _take_photo(self, game_page: GamePage, shown: int | None) -> None:
        await game_page.park_mouse()
        try:
            photo = await take_alone(game_page, self.table.patience, self.n_blanks >= N_BLANKS)
        except UnsettledError:
            self.n_blanks += 1
            raise
        if await game_page.round_shown() != shown:
            msg = "another round came while the photo was taken"
            raise UnsettledError(msg)
        self.n_blanks = 0
        self.store.keep_photo(self._id(shown or self._counted(photo)), photo)

    def _counted(self, photo: bytes) -> int:
        """The number of a round where the page shows none.

        The page may show a round again whose photo is there, or the one after it.
        """
        known = [n for n in range(1, ROUNDS_A_GAME + 1) if self._is_known(n)]
        last = max(known, default=0)
        if last and self.store.waits(self._id(last)):
            waiting = self.store.waiting_photo(self._id(last))
            return last if is_same(waiting, photo, SAME_VIEW) else last + 1
        return last + 1

    async def _end_round(self, game_page: GamePage) -> bool:
        """Read the true place of the round that was guessed, and go on; whether it was the last."""
        button = await game_page.wait_for("view_results", "next_round")
        number = self._just_guessed()
        if number is not None:
            await self._read_place(game_page, number)
            await self.table.pause()
        await game_page.click(button)
        return button == "view_results"

    def _just_guessed(self) -> int | None:
        """The round whose result is shown, where its place is not known yet.

        A photo that waits from before a round that is saved was left for the results page.
        """
        waiting = self._waiting()
        saved = [n for n in range(1, ROUNDS_A_GAME + 1) if self.store.has(self._id(n))]
        return waiting[-1] if waiting and waiting[-1] > max(saved, default=0) else None

    async def _read_place(self, game_page: GamePage, number: int) -> None:
        for _ in range(N_CLICKS):
            try:
                await game_page.wait_for("marker")
                point = await game_page.place_of(game_page.named("marker").first)
            except NoPlaceError as trouble:
                self.table.tally.failures[trouble.kind] += 1
            else:
                self._save(number, point)
                return

    async def _end_game(self, game_page: GamePage) -> None:
        """Fill in from the results page what was not told before."""
        if waiting := self._waiting():
            points = await read_results(game_page, self.game)
            for number in waiting:
                self._save(number, points[number - 1])
        self.table.ledger.finish("singleplayer", self.game)

    def _save(self, number: int, point: tuple[float, float]) -> None:
        record = {
            "coordinates": list(point),
            "source": "geoguessr singleplayer World",
            "game": self.game,
            "round": number,
            "collected": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if self.store.save(self._id(number), record):
            self.table.tally.saved(self._id(number))

    def _waiting(self) -> list[int]:
        return [n for n in range(1, ROUNDS_A_GAME + 1) if self.store.waits(self._id(n))]

    def _is_known(self, number: int) -> bool:
        return self.store.has(self._id(number)) or self.store.waits(self._id(number))

    def _id(self, number: int) -> str:
        return pair_id("singleplayer", self.game, number)


async def read_results(game_page: GamePage, game: str) -> Sequence[tuple[float, float]]:
    """The true places of a finished game, in the order of its rounds, degrees.

    Raises:
        NoPlaceError: the page does not tell all of them.
    """
    await game_page.open(game_page.site.results, game)
    await game_page.wait_for("marker")
    await game_page.until_count("marker", ROUNDS_A_GAME)
    markers = await game_page.named("marker").all()
    return [await _clicked(game_page, marker) for marker in markers]


async def _clicked(game_page: GamePage, marker: Locator) -> tuple[float, float]:
    """The place of a marker, which is clicked again where it opens another page.

    Raises:
        NoPlaceError: it does so each time.
    """
    for _ in range(N_CLICKS - 1):
        try:
            return await game_page.place_of(marker)
        except NoPlaceError as trouble:
            logger.info("a marker is clicked again: %s", trouble)
    return await game_page.place_of(marker)
