"""What stands where along a road of the demo world: `s` along it, `t` to its right, metres."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.collection.demo_climate import Climate, leaves_of, tree_weights
from shared.collection.demo_draws import Colour, Draws, limited
from shared.collection.demo_rules import TREES, Rules

REACH_M = 150.0  # how far things stand along the road, both ways

CARS: tuple[Colour, ...] = (
    (222, 222, 222),
    (52, 54, 60),
    (150, 154, 160),
    (168, 44, 42),
    (48, 78, 128),
    (198, 188, 160),
    (64, 96, 78),
)


@dataclass(frozen=True)
class Thing:
    """Something that stands in the world.

    Attributes:
        kind: how it is painted.
        s, t: where it stands, m.
        size: its height, m.
        colour, second: its colours.
        style: what of its kind it is.
        length: how long it is along the road, m.
        seed: what its own small draws depend on.
    """

    kind: str
    s: float
    t: float
    size: float
    colour: Colour
    second: Colour = (0, 0, 0)
    style: str = ""
    length: float = 0.0
    seed: int = 0


def things_of(
    draws: Draws,
    ways: Callable[[], Rules],
    climate: Climate,
    width: float,
    town: float,
    winter: float,
    drives_left: bool,
) -> tuple[Thing, ...]:
    """Everything that stands along a road.

    Args:
        draws: where it stands and what it is like.
        ways: draws whose ways hold: the country's, or a neighbour's.
        climate: of the place.
        width: of the road, m.
        town: how built-up it is, 0 to 1.
        winter: 1 in the middle of winter, 0 in the middle of summer.
        drives_left: whether traffic keeps left.
    """
    edge = width / 2
    things: list[Thing] = []
    things += _houses(draws, ways(), climate, edge, town)
    things += _trees(draws, ways(), climate, edge, town, winter)
    things += _poles(draws, ways(), edge)
    things += _fences(draws, ways(), climate, edge, town)
    things += _roadside(draws, ways(), edge, drives_left)
    things += _cars(draws, width, drives_left)
    return tuple(things)


def _houses(draws: Draws, rules: Rules, climate: Climate, edge: float, town: float) -> list[Thing]:
    houses = []
    roof_kind = draws.weighted(rules.roof_kinds)
    for side in (-1, 1):
        s = -REACH_M + draws.between(0, 20)
        while s < REACH_M:
            length = draws.between(8, 15)
            gap = draws.between(3, 9) + 36 * (1 - town) * (1 - town) * draws.unit()
            if not draws.happens(0.35 + 0.65 * town):
                s += length + gap
                continue
            back = draws.between(6, 12) + 14 * (1 - town) * draws.unit()
            kind = roof_kind if draws.happens(0.7) else draws.weighted(rules.roof_kinds)
            storeys = max(1.0, rules.storeys + 0.9 * draws.middling())
            houses.append(
                Thing(
                    "house",
                    s + length / 2,
                    side * (edge + back + 4),
                    2.9 * (int(storeys + 0.5)),
                    draws.near(draws.along(rules.walls, climate.east), 12),
                    draws.near(draws.along(rules.roofs, climate.north), 12),
                    kind,
                    length,
                    draws.whole(1 << 30),
                )
            )
            s += length + gap
    return houses


def _trees(
    draws: Draws, rules: Rules, climate: Climate, edge: float, town: float, winter: float
) -> list[Thing]:
    weights = tree_weights(rules, climate)
    favourite = draws.weighted(weights)
    wooded = limited(0.75 - 0.5 * climate.dryness + 0.25 * draws.middling())
    trees = []
    for _ in range(int(24 + 40 * wooded * (1 - 0.5 * town))):
        name = favourite if draws.happens(0.6) else draws.weighted(weights)
        tree = TREES[name]
        side = -1 if draws.happens(0.5) else 1
        far = draws.unit()
        trees.append(
            Thing(
                "tree",
                draws.between(-REACH_M, REACH_M),
                side * (edge + 4.6 + 55 * far * far),
                tree.height * draws.between(0.65, 1.2),
                leaves_of(draws, name, winter, climate.warmth),
                tree.trunk,
                tree.shape,
                seed=draws.whole(1 << 30),
            )
        )
    return trees


def _poles(draws: Draws, rules: Rules, edge: float) -> list[Thing]:
    kind = draws.weighted(rules.poles)
    if kind == "none":
        return []
    side = -1 if draws.happens(0.5) else 1
    colours: dict[str, Colour] = {
        "wood": (112, 86, 66),
        "concrete": (178, 174, 166),
        "metal": (128, 138, 144),
        "striped": (168, 168, 164),
    }
    start, step = draws.between(0, 32), draws.between(28, 36)
    height, apart = draws.between(7.5, 9.5), draws.between(1.2, 2.6)
    n = int(2 * REACH_M / step)
    return [
        Thing(
            "pole", -REACH_M + start + step * k, side * (edge + apart), height,
            draws.near(colours[kind], 6), style=kind, length=step if k < n - 1 else 0.0,
        )
        for k in range(n)
    ]  # fmt: skip


def _fences(draws: Draws, rules: Rules, climate: Climate, edge: float, town: float) -> list[Thing]:
    colours: dict[str, Colour] = {
        "picket": (226, 222, 212),
        "wire": (134, 126, 116),
        "hedge": (70, 108, 52),
        "stone": (150, 146, 138),
        "block": draws.along(rules.walls, climate.east),
        "rail": (186, 190, 192),
    }
    heights = {"picket": 1.0, "wire": 1.2, "hedge": 1.3, "stone": 1.0, "block": 1.7, "rail": 0.75}
    fences = []
    for side in (-1, 1):
        kind = draws.weighted(rules.fences)
        if kind == "none":
            continue
        away = 0.7 if kind == "rail" else draws.between(4.6, 5.6)
        s = -REACH_M + draws.between(0, 30)
        while s < REACH_M:
            length = draws.between(24, 70)
            fences.append(
                Thing("fence", s, side * (edge + away), heights[kind] * draws.between(0.9, 1.15),
                      draws.near(colours[kind], 14), style=kind, length=length,
                      seed=draws.whole(1 << 30))
            )  # fmt: skip
            s += length + (draws.between(4, 10) if town > 0.4 else draws.between(0, 30))
    return fences


def _roadside(draws: Draws, rules: Rules, edge: float, drives_left: bool) -> list[Thing]:
    things = []
    bollard = draws.weighted(rules.bollards)
    if bollard != "none":
        start = draws.between(1, 11)
        things += [
            Thing("bollard", -REACH_M + start + 12.0 * k, side * (edge + 0.55), 1.05,
                  (236, 236, 230), style=bollard)
            for k in range(24) for side in (-1, 1)
        ]  # fmt: skip
    near_side = -1 if drives_left else 1
    for facing in (1, -1):  # signs for our own direction, and for those who come towards us
        for start in (8, 20, 34):
            s, t = facing * draws.between(start, start + 12), facing * near_side * (edge + 1.1)
            style = draws.weighted(rules.signs)
            height = draws.between(2.3, 2.9)
            things.append(
                Thing("sign", s, t, height, (236, 200, 52), style=style, length=float(facing))
            )
    return things


def _cars(draws: Draws, width: float, drives_left: bool) -> list[Thing]:
    """Cars keep to their side: those before us drive our way, the others come towards us."""
    near_side = -1 if drives_left else 1
    cars = []
    for _ in range(draws.whole(5)):
        ours = draws.happens(0.45)
        s = draws.between(8, 90) * (1 if draws.happens(0.6) else -1)
        colour = draws.near(CARS[draws.whole(len(CARS))], 10)
        cars.append(
            Thing("car", s, (near_side if ours else -near_side) * width / 4,
                  draws.between(1.4, 1.75), colour, length=1.0 if ours else -1.0)
        )  # fmt: skip
    return cars
