"""What the stand-in remembers: players, games and scores, and everything that goes wrong there.

Times are seconds, places degrees `(lat, lon)`.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from shared.collection.stand_in.world import World
from shared.geo import geo_score, haversine_km

EMAIL, PASSWORD = "player@example.org", "not a secret 42"
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
    """A singleplayer game: its places, where it is, and what was guessed.

    Attributes:
        guesses: of the rounds so far, degrees.
        points: of the rounds so far, 0 to 5000 each.
    """

    id: str
    places: list[int]
    index: int = 0
    phase: str = "guess"
    n_guesses: int = 0
    moves_on: bool = False  # loaded again after a guess, it shows the next round
    tells_number: bool = True
    mark: int = 0
    guesses: list[tuple[float, float]] = field(default_factory=list)
    points: list[int] = field(default_factory=list)


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
        needs_login: whether players have to log in; else everybody is known.
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
    needs_login: bool = True

    def __post_init__(self) -> None:
        unknown = set(self.faults) - set(FAULTS)
        if unknown:
            msg = f"Expected faults of {FAULTS}, got {sorted(unknown)}"
            raise ValueError(msg)
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

    def score(self, game: Game, guess: tuple[float, float]) -> None:
        """Take the guess of a round, degrees, and end the round with its points.

        The site's formula is not known; 5000 exp(-d / 1492.7 km) is what players measured on the
        map of the world.
        """
        truth = self.point(game.places[game.index])
        game.guesses.append(guess)
        game.points.append(round(float(geo_score(haversine_km(guess, truth)))))
        game.phase, game.n_guesses = "result", 1

    def view(self, place: int, number: int | None) -> dict[str, Any]:
        """What the page is told of a view."""
        fault = next((name for name in VIEW_FAULTS if self.happens(name)), "")
        return {
            "picture": self.world.picture_of(place),
            "code": place if self.world.is_marked else None,
            "fault": fault,
            "number": number,
            "load_ms": 1000 * self.load_s,
            "tile_ms": 1000 * self.tile_s * (8 if self.happens("late tiles") else 1),
            "banner": 1 + self._random.randrange(2) if self.happens("cookie banner") else 0,
        }
