"""The world around a place of the demo: drawn from its name and position, before it is painted.

Ground coordinates are metres: `s` along the road and `t` to its right, from the road's centre.
Everything drifts with latitude and longitude, degrees.
"""

from dataclasses import dataclass, field

from shared.collection.demo_climate import (
    SNOW,
    Climate,
    Fields,
    climate_of,
    fields_of,
    grass_of,
    woods_of,
)
from shared.collection.demo_countries import COUNTRIES
from shared.collection.demo_draws import Colour, Draws, cosine, limited, mix
from shared.collection.demo_rules import Rules
from shared.collection.demo_stands import Thing, things_of

ALIKE_SHARE = 0.04  # of a place's ways that are a neighbour's


@dataclass(frozen=True)
class Place:
    """A place of the demo world, and everything that stands there."""

    lat: float
    lon: float
    rules: Rules
    climate: Climate
    month: int
    snow: bool
    road_deg: float  # compass bearing of the road
    curve: float  # sideways metres for a metre along the road, squared
    width: float  # of the road, m
    lane: float  # where the camera drives, m right of the centre
    centre: str
    edge: str
    asphalt: Colour
    soil: Colour
    verge: float  # width of bare earth beside the road, m
    paths: tuple[int, ...]  # sides of the road with a footpath
    grass: Colour
    fields: Fields
    woods: Colour  # of the far trees
    town: float
    plate: Colour
    things: tuple[Thing, ...] = field(repr=False)


def make_place(seed: int, name: str, code: str, lat: float, lon: float) -> Place:
    """The world around a point; the seed, the place's name and its position decide all of it."""
    rules = COUNTRIES[code]
    draws = Draws(seed, f"world:{name}")
    climate = climate_of(rules, lat, lon)

    def ways() -> Rules:
        """The country's ways, or now and then a neighbour's."""
        if rules.alike and draws.happens(ALIKE_SHARE):
            return COUNTRIES[rules.alike[draws.whole(len(rules.alike))]]
        return rules

    town = limited(rules.town + 0.45 * draws.middling())
    month = 1 + draws.whole(12)
    winter = (1 + cosine((month - 1) * 30 + (0 if lat >= 0 else 180))) / 2
    snow = draws.happens(0.6 * max(0.0, winter - 0.6) * max(0.0, 1 - 2.2 * climate.warmth) * 2.5)
    width = draws.between(5.6, 8.2) - (1.2 if code in {"JP", "IE", "GB"} else 0.0)
    soil = draws.near(ways().soil, 20)
    grass = grass_of(draws, climate, winter, snow)
    markings = ways()
    return Place(
        lat=lat,
        lon=lon,
        rules=rules,
        climate=climate,
        month=month,
        snow=snow,
        road_deg=float(draws.whole(360)),
        curve=draws.middling() / 500,
        width=width,
        lane=(-1 if rules.drives_left else 1) * width / 4,
        centre=draws.weighted(markings.centre),
        edge=draws.weighted(markings.edge),
        asphalt=draws.near(ways().asphalt, 16),
        soil=mix(soil, SNOW, 0.6) if snow else soil,
        verge=draws.between(1.0, 1.9) + climate.dryness,
        paths=tuple(side for side in (-1, 1) if draws.happens(0.45 + 0.5 * town)),
        grass=grass,
        fields=fields_of(draws, climate, grass, snow, town),
        woods=woods_of(draws, ways(), climate, winter),
        town=town,
        plate=rules.plate,
        things=things_of(draws, ways, climate, width, town, winter, rules.drives_left),
    )
