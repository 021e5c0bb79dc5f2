"""GeoGuessr's pages as the scraper knows them: every selector, text and address, in one place.

Seen in 2024; the site changes. When something is not found, the error names the field of `Site`
that looked for it: look at the page in a browser, and correct the field here.
"""

import re
from dataclasses import dataclass, field

WIDTH, HEIGHT = 1280, 720  # of the window and of the photos, pixels
ROUNDS_A_GAME = 5  # of a World game
PARKED_MOUSE = (0, 360)  # at the left edge, where the page shows no arrows and no labels
MAP_MIN_HEIGHT_PX = 50  # the map for the guess is the ancestor of its marks that is taller
MAP_MARGIN_PX = 40  # clicks nearer to its edges hit its buttons
GAME_ID = "[A-Za-z0-9]{8,40}"  # seen: sixteen letters and digits
GAME_MARK = "GAME"  # stands for the id of a game
LEFT_OUT = ("actually", "indeed", "in")  # words that may stand before the country

TERMS_URL = "https://www.geoguessr.com/terms"
TERMS = f"""\
GeoGuessr's terms of service ({TERMS_URL}) and Google's terms for Street View decide whether
this is allowed at all, and for you. Read them first. As far as is known they forbid automated play
and collecting content without permission, and accounts were closed for it.
This program plays with your own account, slowly, and does nothing to hide that it is a program.
The photos are Google's: keep them for yourself, and delete them when you have done with them.
Say accept_terms=True when you have read the terms and may do this."""


@dataclass(frozen=True)
class Site:
    """Where the pages are, and what is looked for on them.

    Attributes:
        base: of all addresses.
        street_view: how the address begins that a marker of a true place opens.
        lobby, game, results: addresses of singleplayer, below `base`.
        battle_lobby, battle: addresses of multiplayer, below `base`.
        canvas: the view.
        marker: of a true place.
        map_marks: what is found on the map for the guess.
        map_tile: finds zoom, column and row in the address of a tile of that map.
        banners: cookie banners.
        hidden: the style sheet of the screenshot, in singleplayer only.
        email, password: fields of the form to log in.
        (texts): `play`, `guess`, `next_round`, `view_results`, `log_in`, `submit`, `accept`,
            `spectate` are buttons or links; `loading`, `rate_limit`, `starting`, `next_starts`,
            `over` are shown.
        round_shown: finds the number of the round; where the page shows none, it is counted.
        answer: finds the sentence that tells the country.
        points: finds what a round, or a game, brought.
    """

    base: str = "https://www.geoguessr.com"
    street_view: str = "https://www.google.com/maps?q&layer=c&cbll="
    lobby: str = "/maps/world"
    game: str = "/game/{game}"
    results: str = "/results/{game}"
    battle_lobby: str = "/multiplayer/battle-royale-countries"
    battle: str = "/battle-royale/{game}"

    canvas: str = ".mapsConsumerUiSceneCoreScene__canvas"
    marker: str = '[data-qa="correct-location-marker"]'
    map_marks: tuple[str, ...] = (
        'button[title="Keyboard shortcuts"] img',
        "text=/Map data ©/",
    )
    map_tile: re.Pattern[str] = field(default=re.compile(r"!1i(\d+)!2i(\d+)!3i(\d+)"))
    banners: str = "#onetrust-consent-sdk, #snigel-cmp-framework"
    hidden: str = (
        "body * { visibility: hidden !important }"
        " .mapsConsumerUiSceneCoreScene__canvas { visibility: visible !important }"
    )
    email: str = 'input[name="email"]'
    password: str = 'input[name="password"]'

    play: str = "Play"
    guess: str = "Guess"
    next_round: str = "Next"
    view_results: str = "View results"
    log_in: str = "Log in"
    submit: str = "Log in"
    accept: tuple[str, ...] = ("Accept", "Accept all")
    spectate: str = "Spectate"
    loading: str = "Loading location"
    rate_limit: str = "Rate limit"
    starting: str = "Game starting in"
    next_starts: str = "Next round starts in"
    over: str = "Game over"
    round_shown: re.Pattern[str] = field(default=re.compile(r"Round\s+(\d+)\s*/\s*\d+"))
    answer: re.Pattern[str] = field(default=re.compile(r"right answer was\s+(.+)", re.DOTALL))
    points: re.Pattern[str] = field(default=re.compile(r"(\d[\d,.]*)\s+points?\b"))

    @classmethod
    def at(cls, address: str) -> "Site":
        """A stand-in for the site, which has its own page for the places that markers open."""
        base = address.rstrip("/")
        return cls(base=base, street_view=f"{base}/google/maps?q&layer=c&cbll=")

    def url(self, path: str, game: str = "") -> str:
        """The address of a page."""
        return self.base + path.format(game=game)


def game_of(url: str) -> str:
    """The id of a game: the last part of its address."""
    return url.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2]


def is_single_player(url: str, site: Site) -> bool:
    """Whether an address is that of a singleplayer game.

    It is a list of what is allowed: the site's `game` with an id, and nothing else. Duels, battles,
    parties, rated games, challenges and whatever the site may add have other addresses.
    """
    page = url.partition("?")[0].partition("#")[0]
    before, _, after = site.url(site.game, GAME_MARK).partition(GAME_MARK)
    return re.fullmatch(re.escape(before) + GAME_ID + re.escape(after), page) is not None


def is_stand_in(site: Site) -> bool:
    """Whether the pages are those of a stand-in on this machine."""
    return re.fullmatch(r"http://127\.0\.0\.1:\d{1,5}", site.base) is not None


def point_of(url: str, site: Site) -> tuple[float, float] | None:
    """Latitude and longitude, degrees, of the address that a marker opens; nothing for another.

    (0, 0) is in the sea, where no game has a place: the page shows it before it knows the answer.
    """
    number = r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)"
    found = re.match(
        re.escape(site.street_view) + number + "(?:,|%2C)" + number, url, re.IGNORECASE
    )
    if found is None:
        return None
    lat, lon = float(found[1]), float(found[2])
    is_place = abs(lat) <= 90 and abs(lon) <= 180 and (lat, lon) != (0.0, 0.0)
    return (lat, lon) if is_place else None
