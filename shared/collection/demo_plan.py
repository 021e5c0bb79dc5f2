"""Which places the demo world has: real coordinates from the gazetteer, in unequal countries.

Degrees `(lat, lon)`. The n-th place is the same for any number of places.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from shared.collection.demo_countries import COUNTRIES
from shared.collection.demo_draws import Draws
from shared.collection.demo_faults import FAULTS, REPEATED_PLACES, check_rates, fault_of
from shared.data_loader import stable_order
from shared.gazetteer import gazetteer

N_VIEWS = 4  # headings a place, a quarter turn apart


@dataclass(frozen=True)
class DemoSettings:
    """How large the demo world is, and what is wrong in it.

    Attributes:
        n_places: singleplayer places, of four views each.
        n_multiplayer: multiplayer places, of one view each.
        width, height: of the pictures, pixels.
        seed: feeds every draw.
        faults: share of the views that have each fault.
        repeated_places: share of the singleplayer places that were visited before.
    """

    n_places: int = 1300
    n_multiplayer: int = 600
    width: int = 640
    height: int = 360
    seed: int = 0
    faults: Mapping[str, float] = field(default_factory=lambda: dict(FAULTS))
    repeated_places: float = REPEATED_PLACES

    def __post_init__(self) -> None:
        """Hold the settings to what can be painted.

        Raises:
            ValueError: a number out of range, or a fault that there is none of.
        """
        if min(self.n_places, self.n_multiplayer) < 0 or self.n_places > 99_999:
            msg = f"Expected 0 to 99,999 places, but got {self.n_places} and {self.n_multiplayer}"
            raise ValueError(msg)
        if min(self.width, self.height) < 32 or max(self.width, self.height) > 4096:
            msg = f"Expected 32 to 4096 pixels a side, but got {self.width} x {self.height}"
            raise ValueError(msg)
        if not 0 <= self.repeated_places <= 0.5:
            msg = f"Expected repeated_places from 0 to 0.5, but got {self.repeated_places}"
            raise ValueError(msg)
        check_rates(self.faults)


@dataclass(frozen=True)
class PlannedPlace:
    """A place: its id, whose world is there, and where it lies.

    Attributes:
        id: `singleplayer_00012`; other places have others.
        world: the id of the place that was visited first, mostly the same.
        code: of the country.
        lat, lon: degrees.
    """

    id: str
    world: str
    code: str
    lat: float
    lon: float


@dataclass(frozen=True)
class PlannedView:
    """A view to paint.

    Attributes:
        id: of the pair.
        place: where the record says that it is.
        shown: what the picture shows, mostly the same place.
        turn: quarter turns from the way along the road.
        fault: what is wrong with it, or "".
    """

    id: str
    place: PlannedPlace
    shown: PlannedPlace
    turn: int
    fault: str


def plan_places(settings: DemoSettings, part: str) -> list[PlannedPlace]:
    """The places of a part, "singleplayer" or "multiplayer", in order.

    Countries come in turn: each next place is in the country that is furthest behind its share.
    Within a country the gazetteer's places come in an order that their coordinates and the seed
    decide; the multiplayer part takes them from the end.
    """
    is_single = part == "singleplayer"
    shares = {c: r.single if is_single else r.multi for c, r in COUNTRIES.items()}
    rows = {code: _rows(code, settings.seed, is_single) for code in COUNTRIES}
    taken = dict.fromkeys(COUNTRIES, 0)
    total = sum(shares.values())
    places: list[PlannedPlace] = []
    for n in range(settings.n_places if is_single else settings.n_multiplayer):
        name = f"{part}_{n:05d}"
        draws = Draws(settings.seed, f"place:{name}")
        if is_single and n and draws.happens(settings.repeated_places):
            first = places[draws.whole(n)]
            places.append(PlannedPlace(name, first.world, first.code, first.lat, first.lon))
            continue
        code = max(
            shares, key=lambda c: (shares[c] * (sum(taken.values()) + 1) - taken[c] * total, c)
        )
        lat, lon = rows[code][taken[code] % len(rows[code])]
        taken[code] += 1
        places.append(PlannedPlace(name, name, code, lat, lon))
    return places


def _rows(code: str, seed: int, is_first_first: bool) -> list[tuple[float, float]]:
    """Coordinates of a country's places in the gazetteer, each once."""
    south, north, west, east = COUNTRIES[code].box
    table: pd.DataFrame = gazetteer()
    inside = (
        (table["cc"] == code)
        & table["lat"].between(south, north)
        & table["lon"].between(west, east)
    )
    chosen = table.loc[inside, ["lat", "lon"]].drop_duplicates()
    points = {
        f"{lat:.5f} {lon:.5f}": (float(lat), float(lon))
        for lat, lon in chosen.itertuples(index=False)
    }
    order = stable_order(points, seed)
    return [points[key] for key in (order if is_first_first else reversed(order))]


def plan_views(settings: DemoSettings) -> list[PlannedView]:
    """Every view of both parts, by id."""
    return [
        view
        for part in ("singleplayer", "multiplayer")
        for view in _views(settings, plan_places(settings, part))
    ]


def _views(settings: DemoSettings, places: list[PlannedPlace]) -> Iterator[PlannedView]:
    for n, place in enumerate(places):
        is_single = place.id.startswith("singleplayer")
        draws = Draws(settings.seed, f"views:{place.id}")
        for turn in range(N_VIEWS) if is_single else [draws.whole(N_VIEWS)]:
            name = f"{place.id}_{turn if is_single else 0}"
            fault = fault_of(settings.seed, name, settings.faults)
            if fault == "near duplicate" and n == 0:
                fault = ""  # there is no earlier place
            shown = places[draws.whole(n)] if fault == "near duplicate" else place
            yield PlannedView(name, place, shown, turn, fault)
