"""The stand-in's addresses, and what it answers.

It is written from what is known of the site's pages, not from the program that reads them.
"""

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from shared.collection.stand_in.games import EMAIL, PASSWORD, ROUNDS, Battle, Game, StandIn
from shared.collection.stand_in.tiles import tile

HERE = Path(__file__).parent
TILE = re.compile(r"!1m5!1m4!1i(\d+)!2i(\d+)!3i(\d+)!4i256")
DOT = bytes.fromhex(
    "47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b"
)


def make_app(site: StandIn) -> web.Application:
    """The site's addresses."""
    pages = _Pages(site)
    app = web.Application()
    app.add_routes(
        [
            web.get("/page.js", pages.script),
            web.get("/map.js", pages.map_script),
            web.get("/maps/vt", pages.tile),
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


class _Pages:
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

    async def map_script(self, _: web.Request) -> web.Response:
        return web.Response(body=(HERE / "map.js").read_bytes(), content_type="text/javascript")

    async def tile(self, request: web.Request) -> web.Response:
        found = TILE.fullmatch(request.query.get("pb", ""))
        if found is None:
            raise web.HTTPNotFound
        zoom, x, y = (int(number) for number in found.groups())
        try:
            drawn = await asyncio.to_thread(tile, zoom, x, y)
        except ValueError as error:
            raise web.HTTPNotFound from error
        cached = {"Cache-Control": "max-age=3600"}
        return web.Response(body=drawn, content_type="image/svg+xml", headers=cached)

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
        is_known = request.cookies.get("token") in self.site.tokens or not self.site.needs_login
        return EMAIL if is_known else ""

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
            site.tokens.discard(request.cookies.get("token", ""))
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
        told["points"] = game.points
        told["is_last"] = game.index == ROUNDS - 1
        told["hidden"] = game.phase == "result" and site.happens("no marker")
        return web.json_response(told)

    async def guess(self, request: web.Request) -> web.Response:
        game = self._game(request)
        if self.site.happens("guess fails"):
            raise web.HTTPInternalServerError
        told = json.loads(await request.text())
        if game.phase == "guess":
            self.site.score(game, (float(told["lat"]), float(told["lon"])))
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
        if not self.site.world.countries:
            raise web.HTTPNotFound
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
            "picture": self.site.world.picture_of(country),
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
