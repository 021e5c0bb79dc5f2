"""The model plays: it looks at the view of a round, and clicks where it guesses.

Singleplayer rounds alone, by default those of the stand-in on this machine. It never plays with or
against people: no duels, battles, parties, rated games or challenges. Coordinates are degrees
`(lat, lon)`; photos stay in memory.
"""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from shared.collection.geoguessr import Bar, finished, hold_to_terms, open_session
from shared.collection.geoguessr_faults import (
    GeoguessrError,
    MissingError,
    NoPlaceError,
    NotSinglePlayerError,
)
from shared.collection.geoguessr_limits import Limits, Settings, StopRun, Tally
from shared.collection.geoguessr_map import guess_at
from shared.collection.geoguessr_page import GamePage
from shared.collection.geoguessr_session import Session, find_browser
from shared.collection.geoguessr_single import read_results, start_single
from shared.collection.geoguessr_site import (
    ROUNDS_A_GAME,
    Site,
    game_of,
    is_single_player,
    is_stand_in,
)
from shared.collection.geoguessr_view import Patience, take_alone
from shared.collection.geoguessr_workers import Worker
from shared.collection.stand_in.games import StandIn
from shared.collection.stand_in.serving import stand_in_served
from shared.collection.stand_in.world import World
from shared.predict.answers import Answer
from shared.predict.predictor import Predictor

OF_PEOPLE = ("starting", "next_starts", "spectate", "answer")  # on pages of games with others
STAND_IN_S = 20.0  # waited for anything on its pages: a busy machine is slow
POLICY = """\
A training aid. The program plays singleplayer rounds alone: it refuses everything else, rated or
multiplayer games above all, where it would cheat people.
On GeoGuessr itself even that may break the terms: a program that plays is a bot. By default it
plays the stand-in on this machine, which asks nobody."""

Point = tuple[float, float]


@dataclass(frozen=True)
class PlayedRound:
    """A round: what was guessed, and what it brought.

    Attributes:
        game, number: which round.
        answer: of the model, with the point of least expected distance.
        clicked: the place that was clicked, degrees: that of the nearest pixel to the point.
        truth: the true place, degrees; None where the page did not tell it.
        points: as the page showed them, 0 to 5000.
        photo: JPEG of the view, in memory alone.
    """

    game: str
    number: int
    answer: Answer
    clicked: Point
    truth: Point | None
    points: int
    photo: bytes = field(repr=False)


@dataclass(frozen=True)
class PlayReport:
    """What was played.

    Attributes:
        rounds: in order of time.
        totals: by game what its results page showed; None where that showed nothing.
        failures: what went wrong and was got over, by kind; "round lost" counts rounds that were
            guessed and whose result was not seen.
        stopped: why it ended.
        wall_s: how long it took, seconds.
    """

    rounds: tuple[PlayedRound, ...]
    totals: Mapping[str, int | None]
    failures: Counter[str]
    stopped: str
    wall_s: float


def play_games(
    predictor: Predictor,
    settings: Settings,
    folder: Path,
    *,
    site: Site,
    accept_terms: bool = False,
) -> PlayReport:
    """Play games of five rounds, and stop by itself after `settings.max_games`.

    Args:
        predictor: the model.
        settings: how many games, and how slowly; `mode` has to be "singleplayer".
        folder: where a picture of the page is left if the run ends with an error.
        site: the pages: those of a stand-in, or GeoGuessr's, which asks for `accept_terms`.
        accept_terms: the terms of the site have been read, and allow a program to play.

    Raises:
        NotSinglePlayerError: for other settings, or when the page is not that of such a round.
        TermsError: the site is no stand-in, and its terms were not acknowledged.
        GeoguessrError: something is not found on the page, or went wrong too many times in a row.
    """
    if settings.mode != "singleplayer" or settings.workers != 1:
        msg = (
            "Expected mode 'singleplayer' and one worker, got "
            f"{settings.mode!r} and {settings.workers}. {POLICY}"
        )
        raise NotSinglePlayerError(msg)
    if not is_stand_in(site):
        hold_to_terms(accept_terms)
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="lost-and-found-play-") as private,
        Bar(settings.max_games * ROUNDS_A_GAME, "play") as tally,
    ):
        # a stand-in is not shown the cookies of an account
        cookies = Path(private) / "cookies.json" if is_stand_in(site) else None

        async def work() -> tuple[list[PlayedRound], dict[str, int | None], str]:
            async with open_session(settings, site, cookies) as session:
                return await _play_all(predictor, settings, folder, session, tally)

        rounds, totals, stopped = finished(work)
    wall_s = time.monotonic() - start
    return PlayReport(tuple(rounds), totals, Counter(tally.failures), stopped, wall_s)


def play_on_stand_in(
    predictor: Predictor, world: World, n_games: int, folder: Path, executable: str = ""
) -> PlayReport:
    """Serve a stand-in on 127.0.0.1, play some games on it, and end it.

    Args:
        predictor: the model.
        world: what the stand-in shows.
        n_games: games of five rounds.
        folder: where a picture of the page is left if the run ends with an error.
        executable: the browser's program; "" finds one.
    """
    patience = Patience(quiet_s=0.4, poll_s=0.1)  # its view is there in a moment
    settings = Settings(
        max_games=n_games,
        pause_s=0.0,
        retry_s=0.2,
        timeout_s=STAND_IN_S,
        patience=patience,
        executable=executable,
    )
    with stand_in_served(StandIn(world, needs_login=False)) as site:
        return play_games(predictor, settings, folder, site=site)


def missing_browser(executable: str = "") -> str:
    """Why there is no browser to play in, or "".

    Args:
        executable: the browser's program; "" looks for one.
    """
    try:
        find_browser(executable)
    except GeoguessrError as error:
        return str(error)
    return ""


async def _play_all(
    predictor: Predictor, settings: Settings, folder: Path, session: Session, tally: Tally
) -> tuple[list[PlayedRound], dict[str, int | None], str]:
    limits = Limits(settings, folder)
    worker = Worker(0, session, limits, tally)
    rounds: list[PlayedRound] = []
    totals: dict[str, int | None] = {}
    try:
        while limits.take_game():
            game = await worker.persist(start_single, settings, folder)
            played = _Game(game, predictor, settings, limits, tally)
            try:
                totals[game] = await worker.persist(played.play, settings, folder)
            finally:
                rounds += played.rounds
    except StopRun as stop:
        return rounds, totals, str(stop)
    finally:
        await worker.close()
    return rounds, totals, "all games are played"


class _Game:
    """One game; `play` may be called again after a trouble."""

    def __init__(
        self, game: str, predictor: Predictor, settings: Settings, limits: Limits, tally: Tally
    ) -> None:
        self.game, self.predictor, self.settings = game, predictor, settings
        self.limits, self.tally = limits, tally
        self.rounds: list[PlayedRound] = []
        self.number = 0
        self._waiting: PlayedRound | None = None  # guessed, and its result not seen yet

    async def play(self, game_page: GamePage) -> int | None:
        """Play the game to its end, from wherever it is; its points as its results show them."""
        await game_page.go_to(game_page.site.game, self.game)
        while True:
            found = await game_page.wait_for("view_results", "next_round", "marker", "canvas")
            if found == "canvas":
                self.limits.check()
                await self._guess(game_page)
            elif await self._shows_results(game_page, found) or await self._end_round(game_page):
                break
        return await self._end_game(game_page)

    async def _guess(self, game_page: GamePage) -> None:
        await game_page.wait_until_gone("loading")
        await self._hold_to_policy(game_page)
        self._drop_waiting()
        self.number = await game_page.round_shown() or self.number + 1
        await game_page.park_mouse()
        photo = await take_alone(game_page, self.settings.patience)
        answer = (await asyncio.to_thread(self.predictor.predict, photo, pin=True))[0]
        await self._hold_to_policy(game_page)
        if answer.pin is None:
            msg = f"Expected a point of the model, got none: {answer}"
            raise ValueError(msg)
        clicked = await guess_at(game_page, (answer.pin.lat, answer.pin.lon))
        self._waiting = PlayedRound(self.game, self.number, answer, clicked, None, 0, photo)
        await game_page.wait_for("view_results", "next_round")

    async def _hold_to_policy(self, game_page: GamePage) -> None:
        """Go on only where the address is that of a singleplayer game, and the page shows one."""
        url = game_page.page.url
        is_it = is_single_player(url, game_page.site) and game_of(url) == self.game
        if not is_it or await game_page.shows(*OF_PEOPLE):
            msg = (
                f"Expected the page of a singleplayer round, got {url}: it is not played. {POLICY}"
            )
            raise NotSinglePlayerError(msg)

    async def _shows_results(self, game_page: GamePage, found: str) -> bool:
        """Whether the page is that of a finished game, with all its places."""
        return found == "marker" and await game_page.named("marker").count() > 1

    async def _end_round(self, game_page: GamePage) -> bool:
        """Read the points and the place, and go on; whether it was the last round."""
        button = await game_page.wait_for("view_results", "next_round")
        if self._waiting is not None:
            points = (await game_page.points_shown())[0]
            done = replace(self._waiting, points=points, truth=await self._truth(game_page))
            self._waiting = None
            self.rounds.append(done)
            self.tally.saved(f"{self.game}_{done.number}")
            await self.limits.sleep(self.settings.pause_s)
        await game_page.click(button)
        return button == "view_results"

    async def _truth(self, game_page: GamePage) -> Point | None:
        """The place that the marker tells; None where it does not, for the results page tells."""
        try:
            await game_page.wait_for("marker")
            return await game_page.place_of(game_page.named("marker").first)
        except (NoPlaceError, MissingError) as trouble:
            self.tally.failures[trouble.kind] += 1
            return None

    async def _end_game(self, game_page: GamePage) -> int | None:
        self._drop_waiting()
        await game_page.until_count("marker", ROUNDS_A_GAME)
        has_points = await game_page.shows("points")
        total = max(await game_page.points_shown()) if has_points else None
        if any(done.truth is None for done in self.rounds):
            places = await read_results(game_page, self.game)
            self.rounds = [
                replace(done, truth=done.truth or places[done.number - 1]) for done in self.rounds
            ]
        return total

    def _drop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting = None
            self.tally.failures["round lost"] += 1
