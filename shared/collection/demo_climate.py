"""Climate of the demo world and what grows in it: smooth in latitude and longitude."""

from dataclasses import dataclass

from shared.collection.demo_draws import Colour, Draws, limited, mix, shade, sine
from shared.collection.demo_rules import TREES, Chances, Rules

LUSH: Colour = (102, 144, 66)
STRAW: Colour = (194, 174, 112)
WINTER: Colour = (146, 140, 104)
SNOW: Colour = (228, 232, 238)
CROPS: tuple[Colour, ...] = ((222, 200, 64), (150, 172, 84), (204, 182, 118), (132, 108, 82))

Fields = tuple[tuple[float, float, float, float, Colour], ...]  # s0, s1, t0, t1 (m), colour


@dataclass(frozen=True)
class Climate:
    """Warmth, dryness and hilliness of a place, 0 to 1; how far east and north it is, likewise."""

    warmth: float
    dryness: float
    hills: float
    east: float
    north: float


def climate_of(rules: Rules, lat: float, lon: float) -> Climate:
    """Climate from the position: it changes smoothly, within a country as well as between them."""
    south, north, west, east = rules.box
    u = limited((lon - west) / (east - west))
    v = limited((lat - south) / (north - south))
    warmth = limited(1.12 - abs(lat) / 62 + 0.04 * sine(lat * 19 + lon * 11))
    wave = 0.12 * sine(lat * 23 - lon * 17)
    dryness = rules.dry + rules.drift[0] * (u - 0.5) + rules.drift[1] * (v - 0.5) + wave
    hills = rules.hills + 0.3 * sine(lat * 31 + lon * 13) + 0.15 * sine(lon * 47)
    return Climate(warmth, limited(dryness), limited(hills), u, v)


def grass_of(draws: Draws, climate: Climate, winter: float, snow: bool) -> Colour:
    """Colour of the land: green to straw by dryness, paler in winter, white under snow."""
    base = mix(LUSH, STRAW, limited(1.25 * climate.dryness - 0.1))
    base = mix(base, WINTER, 0.6 * winter * (1 - climate.warmth))
    base = mix(base, (92, 142, 60), 0.4 * limited(0.4 - climate.dryness) * 2)
    return draws.near(SNOW, 8) if snow else draws.near(base, 16)


def fields_of(draws: Draws, climate: Climate, grass: Colour, snow: bool, town: float) -> Fields:
    """Crops beyond the verge; in dry land they are paler, and in towns there are few."""
    fields = []
    for side in (-1, 1):
        for start in range(-160, 160, 80):
            if not draws.happens(0.75 - 0.6 * town):
                continue
            near, deep = draws.between(12, 22), draws.between(30, 140)
            crop = draws.near(mix(draws.along(CROPS, climate.dryness), grass, 0.35), 14)
            crop = mix(crop, SNOW, 0.8) if snow else crop
            fields.append((float(start), start + 78.0, side * near, side * (near + deep), crop))
    return tuple(fields)


def tree_weights(rules: Rules, climate: Climate) -> Chances:
    """What grows here: the country's kinds, by how well the climate suits each."""
    weights = {}
    for name, weight in rules.trees.items():
        tree = TREES[name]
        off = abs(tree.warmth - climate.warmth) + abs(tree.dryness - climate.dryness)
        weights[name] = weight * max(0.06, 1 - 1.5 * off)
    return weights


def leaves_of(draws: Draws, name: str, winter: float, warmth: float) -> Colour:
    """Colour of a tree's crown; leaves that turn are gold in autumn and brown in winter."""
    tree = TREES[name]
    crown = draws.near(tree.crown, 12)
    if not tree.turns or warmth > 0.75:
        return crown
    if 0.35 < winter < 0.8:
        return mix(crown, (206, 142, 54), 0.45 * draws.unit())
    return mix(crown, (132, 108, 84), 0.75) if winter >= 0.8 else crown


def woods_of(draws: Draws, rules: Rules, climate: Climate, winter: float) -> Colour:
    """Colour of the far trees."""
    name = draws.weighted(tree_weights(rules, climate))
    return shade(leaves_of(draws, name, winter, climate.warmth), 0.85)
