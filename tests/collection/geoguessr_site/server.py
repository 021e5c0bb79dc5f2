"""The stand-in for the site: accounts, games, and everything that goes wrong there.

It is written from what is known of the page, not from the scraper. Times are seconds.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import web

from tests.collection.geoguessr_site.world import N_PICTURES, World

HERE = Path(__file__).parent
EMAIL, PASSWORD = "player@example.org", "not a secret 42"
DOT = bytes.fromhex(
    "47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b"
)
ROUNDS = 5

# Where each fault may happen: once at each of these moments.
VIEW_FAULTS = ("blank view", "restless view", "loads for ever", "map is dead")
FAULTS = (
    *VIEW_FAULTS,
    "late tiles",
    "rate limit",
    "same game",
    "logged out",
    "server error",
    "dropped connection",
    "cookie banner",
    "guess fails",
    "no marker",
    "opens nothing",
    "opens (0, 0)",
    "page crash",
    "browser crash",
)


@dataclass
class Game:
    """A singleplayer game: its places, and where it is."""

    id: str
    places: list[int]
    index: int = 0
    phase: str = "guess"
    n_guesses: int = 0
    moves_on: bool = False  # loaded again after a guess, it shows the next round
    tells_number: bool = True
    mark: int = 0


@dataclass
class Battle:
    """A multiplayer game, by the clock."""

    id: str
    started: float
    countries: list[int]


@dataclass
class StandIn:
    """The site's state.

    Attributes:
        faults: how often each happens, 0 to 1, at each moment that it may.
        crash: is told to end a page or the browser.
        load_s, tile_s: of the view; there are eight tiles.
    """

    world: World
    faults: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    crash: Callable[[str], None] = lambda _: None
    load_s: float = 0.05
    tile_s: float = 0.01
    round_s: float = 2.5
    between_s: float = 1.0
    n_battle_rounds: int = 4
    limited: int = 0  # so many more games are refused

    def __post_init__(self) -> None:
        unknown = set(self.faults) - set(FAULTS)
        assert not unknown, f"no such faults: {unknown}"
        self.games: dict[str, Game] = {}
        self.battles: dict[str, Battle] = {}
        self.tokens: set[str] = set()
        self.made: Counter[str] = Counter()
        self.n_logins = 0
        self.n_requests = 0
        self.is_banned = False
        self.agents: set[str] = set()
        self._random = Random(self.seed)
        self._next_place = 0

    def happens(self, fault: str) -> bool:
        """Whether a fault happens now; it is counted."""
        if self._random.random() >= self.faults.get(fault, 0.0):
            return False
        self.made[fault] += 1
        return True

    def new_id(self) -> str:
        """Sixteen letters and digits."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return "".join(self._random.choice(letters) for _ in range(16))

    def new_game(self) -> Game:
        """A game at the next five places."""
        first = self._next_place
        self._next_place += ROUNDS
        places = [n % len(self.world.places) for n in range(first, first + ROUNDS)]
        n = len(self.games)
        game = Game(self.new_id(), places, moves_on=n % 2 == 1)
        game.tells_number, game.mark = n % 3 != 2, n % 2
        self.games[game.id] = game
        return game

    def point(self, place: int) -> tuple[float, float]:
        """Where a place is."""
        found = self.world.places[place]
        return found.lat, found.lon

    def view(self, place: int, number: int | None) -> dict[str, Any]:
        """What the page is told of a view."""
        fault = next((name for name in VIEW_FAULTS if self.happens(name)), "")
        return {
            "picture": place % N_PICTURES,
            "code": place,
            "fault": fault,
            "number": number,
            "load_ms": 1000 * self.load_s,
            "tile_ms": 1000 * self.tile_s * (8 if self.happens("late tiles") else 1),
            "banner": 1 + self._random.randrange(2) if self.happens("cookie banner") else 0,
        }


def make_app(site: StandIn) -> web.Application:
    """The site's addresses."""
    pages = Pages(site)
    app = web.Application()
    app.add_routes(
        [
            web.get("/page.js", pages.script),
            web.get("/dot.gif", pages.dot),
            web.get("/picture/{number}.jpg", pages.picture),
            web.get("/google/maps", pages.google),
            web.get("/api/me", pages.me),
            web.post("/api/signin", pages.sign_in),
            web.post("/api/cookies", pages.accept),
            web.post("/api/ban", pages.ban),
            web.post("/api/games", pages.start),
            web.get("/api/games/{id}", pages.game),
            web.post("/api/games/{id}/guess", pages.guess),
            web.post("/api/games/{id}/next", pages.next_round),
            web.get("/api/games/{id}/places/{index}", pages.place),
            web.post("/api/battles", pages.join),
            web.get("/api/battles/{id}", pages.battle),
            web.get("/{path:.*}", pages.page),
        ]
    )
    return app


class Pages:
    """The answers."""

    def __init__(self, site: StandIn) -> None:
        self.site = site
        self.html = (HERE / "page.html").read_text(encoding="utf-8")

    async def page(self, request: web.Request) -> web.StreamResponse:
        site = self.site
        site.n_requests += 1
        site.agents.add(request.headers["User-Agent"])
        if request.path.endswith(".ico"):
            return web.Response(status=404)
        if site.happens("server error"):
            return web.Response(status=503, text="try again later")
        if site.happens("dropped connection") and request.transport is not None:
            request.transport.close()
        return web.Response(text=self.html, content_type="text/html")

    async def script(self, _: web.Request) -> web.Response:
        return web.Response(body=(HERE / "page.js").read_bytes(), content_type="text/javascript")

    async def dot(self, _: web.Request) -> web.Response:
        return web.Response(body=DOT, content_type="image/gif")

    async def picture(self, request: web.Request) -> web.Response:
        data = self.site.world.picture(int(request.match_info["number"]))
        cached = {"Cache-Control": "max-age=3600"}
        return web.Response(body=data, content_type="image/jpeg", headers=cached)

    async def google(self, _: web.Request) -> web.Response:
        return web.Response(text="<p>a map</p>", content_type="text/html")

    async def me(self, request: web.Request) -> web.Response:
        site = self.site
        has_accepted = request.cookies.get("cookies") == "yes"
        banner = 0 if has_accepted else 1 + site.n_requests % 2
        return web.json_response({"name": self._name(request), "banner": banner})

    async def accept(self, _: web.Request) -> web.Response:
        answer = web.json_response({})
        answer.set_cookie("cookies", "yes")
        return answer

    async def ban(self, _: web.Request) -> web.Response:
        self.site.is_banned = True
        return web.json_response({})

    async def sign_in(self, request: web.Request) -> web.Response:
        told = json.loads(await request.text())
        if (told["email"], told["password"]) != (EMAIL, PASSWORD):
            return web.json_response({"ok": False})
        token = self.site.new_id()
        self.site.tokens.add(token)
        self.site.n_logins += 1
        answer = web.json_response({"ok": True})
        answer.set_cookie("token", token, max_age=86400, httponly=True)
        return answer

    def _name(self, request: web.Request) -> str:
        return EMAIL if request.cookies.get("token") in self.site.tokens else ""

    def _hold_to_login(self, request: web.Request) -> None:
        if not self._name(request):
            raise web.HTTPUnauthorized

    async def start(self, request: web.Request) -> web.Response:
        self._hold_to_login(request)
        site = self.site
        if site.limited > 0:
            site.limited -= 1
            return web.json_response({"rate_limit": True})
        if site.happens("rate limit"):
            return web.json_response({"rate_limit": True})
        if site.games and site.happens("same game"):
            return web.json_response({"id": next(reversed(site.games))})
        return web.json_response({"id": site.new_game().id})

    def _game(self, request: web.Request) -> Game:
        self._hold_to_login(request)
        game = self.site.games.get(request.match_info["id"])
        if game is None:
            raise web.HTTPNotFound
        return game

    async def game(self, request: web.Request) -> web.Response:
        site, game = self.site, self._game(request)
        if site.happens("logged out"):
            site.tokens.discard(request.cookies["token"])
        for what in ("page crash", "browser crash"):
            if site.happens(what):
                site.crash(what)
        is_reloaded = request.headers.get("Referer", "").endswith(game.id) and not game.n_guesses
        if game.phase == "result" and game.moves_on and is_reloaded:
            self._move_on(game)
        game.n_guesses = 0
        number = game.index + 1 if game.tells_number else None
        told: dict[str, Any] = {"phase": game.phase, "index": game.index}
        if game.phase == "guess":
            told["view"] = {**site.view(game.places[game.index], number), "mark": game.mark}
        told["is_last"] = game.index == ROUNDS - 1
        told["hidden"] = game.phase == "result" and site.happens("no marker")
        return web.json_response(told)

    async def guess(self, request: web.Request) -> web.Response:
        game = self._game(request)
        if self.site.happens("guess fails"):
            raise web.HTTPInternalServerError
        if game.phase == "guess":
            game.phase, game.n_guesses = "result", 1
        return web.json_response({})

    async def next_round(self, request: web.Request) -> web.Response:
        game = self._game(request)
        if game.phase == "result":
            self._move_on(game)
        return web.json_response({})

    @staticmethod
    def _move_on(game: Game) -> None:
        game.index += 1
        game.phase = "guess" if game.index < ROUNDS else "over"

    async def place(self, request: web.Request) -> web.Response:
        game, index = self._game(request), int(request.match_info["index"])
        if index > game.index or (index == game.index and game.phase == "guess"):
            raise web.HTTPForbidden
        if self.site.happens("opens nothing"):
            return web.json_response({"url": None})
        lat, lon = self.site.point(game.places[index])
        if self.site.happens("opens (0, 0)"):
            lat, lon = 0, 0
        origin = f"{request.scheme}://{request.host}"
        return web.json_response({"url": f"{origin}/google/maps?q&layer=c&cbll={lat},{lon}&z=3"})

    async def join(self, request: web.Request) -> web.Response:
        self._hold_to_login(request)
        if self.site.happens("rate limit"):
            return web.json_response({"rate_limit": True})
        first = len(self.site.battles) * self.site.n_battle_rounds
        countries = [
            n % len(self.site.world.countries)
            for n in range(first, first + self.site.n_battle_rounds)
        ]
        battle = Battle(self.site.new_id(), time.monotonic(), countries)
        self.site.battles[battle.id] = battle
        return web.json_response({"id": battle.id})

    async def battle(self, request: web.Request) -> web.Response:
        self._hold_to_login(request)
        site, battle = self.site, self.site.battles.get(request.match_info["id"])
        if battle is None:
            raise web.HTTPNotFound
        for what in ("page crash", "browser crash"):
            if site.happens(what):
                site.crash(what)
        gone = time.monotonic() - battle.started - site.between_s
        number, within = divmod(gone, site.round_s + site.between_s)
        told: dict[str, Any] = {"phase": "starting", "number": 1, "left": max(0.0, -gone)}
        if gone >= 0 and number >= site.n_battle_rounds:
            told |= {"phase": "over", "number": 0}
        elif gone >= 0:
            told |= self._battle_round(battle, int(number), within)
        return web.json_response(told)

    def _battle_round(self, battle: Battle, number: int, within: float) -> dict[str, Any]:
        country = battle.countries[number]
        told: dict[str, Any] = {"number": number + 1, "phase": "round"}
        told["left"] = self.site.round_s - within
        filler = ("", "in ", "indeed ", "actually ")[number % 4]
        name = self.site.world.countries[country]
        told["view"] = {
            "picture": country % N_PICTURES,
            "code": country,
            "fault": "",
            "number": number + 1 if len(self.site.battles) % 2 else None,
            "load_ms": 1000 * self.site.load_s,
            "tile_ms": 1000 * self.site.tile_s,
        }
        if within >= self.site.round_s:
            told["phase"] = "answer"
            told["sentence"] = f"The right answer was {filler}<b>{name}</b>. 3 players knew it."
            told["left"] = self.site.round_s + self.site.between_s - within
        return told
