"""The kinds of things in the demo world, and what a country's rules say of them.

The rules are made up after real countries, to be learned from; they teach nothing about the Earth.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.collection.demo_draws import Colour

Chances = Mapping[str, float]


@dataclass(frozen=True)
class Tree:
    """A kind of tree.

    Attributes:
        shape: how it is painted.
        crown: colour of its leaves.
        trunk: colour of its trunk.
        height: usual height, m.
        warmth: the warmth that it likes best, 0 (polar) to 1 (tropical).
        dryness: the dryness that it likes best, 0 to 1.
        turns: whether its leaves change with the seasons.
    """

    shape: str
    crown: Colour
    trunk: Colour
    height: float
    warmth: float
    dryness: float
    turns: bool = False


TREES: Mapping[str, Tree] = {
    "spruce": Tree("cone", (44, 78, 56), (84, 66, 52), 13, 0.15, 0.3),
    "pine": Tree("cone", (66, 98, 62), (128, 84, 58), 12, 0.35, 0.5),
    "cedar": Tree("cone", (40, 84, 52), (104, 68, 50), 14, 0.5, 0.2),
    "birch": Tree("round", (130, 162, 72), (224, 220, 210), 10, 0.2, 0.3, turns=True),
    "broadleaf": Tree("round", (84, 124, 52), (92, 74, 58), 10, 0.4, 0.3, turns=True),
    "maple": Tree("round", (168, 96, 44), (88, 70, 56), 10, 0.3, 0.3, turns=True),
    "jungle": Tree("round", (54, 120, 50), (98, 82, 62), 12, 0.85, 0.1),
    "olive": Tree("round", (128, 140, 96), (108, 92, 74), 5, 0.55, 0.7),
    "jacaranda": Tree("round", (142, 110, 178), (88, 72, 60), 8, 0.65, 0.5),
    "cherry": Tree("round", (226, 172, 186), (84, 62, 56), 6, 0.45, 0.3),
    "poplar": Tree("column", (112, 142, 62), (116, 102, 84), 16, 0.4, 0.45, turns=True),
    "cypress": Tree("column", (46, 80, 52), (92, 74, 60), 11, 0.55, 0.6),
    "stone pine": Tree("umbrella", (70, 106, 58), (132, 92, 68), 10, 0.55, 0.65),
    "acacia": Tree("umbrella", (122, 132, 66), (100, 82, 64), 7, 0.7, 0.75),
    "palm": Tree("palm", (92, 136, 62), (142, 118, 92), 10, 0.9, 0.4),
    "gum": Tree("gum", (122, 140, 100), (212, 200, 182), 13, 0.6, 0.65),
    "shrub": Tree("shrub", (126, 132, 88), (100, 88, 70), 1.8, 0.5, 0.8),
    "cactus": Tree("cactus", (92, 128, 84), (92, 128, 84), 4, 0.75, 0.95),
}


@dataclass(frozen=True)
class Rules:
    """What holds in a country.

    Attributes:
        code: ISO 3166-1 alpha-2.
        written: the country's name, as players write it.
        single: how frequent it is in the singleplayer part, per mille.
        multi: how frequent it is in the multiplayer part, per mille.
        box: where its places are taken from: south, north, west, east, degrees.
        alike: neighbours whose ways are found here too.
        drives_left: whether traffic keeps left.
        centre: the centre line: a colour and a kind, or "none".
        edge: the lines along the edges, likewise.
        asphalt: colour of the road.
        soil: colour of the verge and of bare earth.
        trim: colour of window frames.
        dry: dryness in the middle of the country, 0 to 1.
        drift: how much drier it is in the east than the west, and in the north than the south.
        hills: how hilly it is, 0 to 1.
        trees: kinds of trees; what the climate suits is found more often.
        walls: colours of walls, from west to east.
        roofs: colours of roofs, from south to north.
        roof_kinds: shapes of roofs.
        storeys: usual number of storeys.
        fences: what stands between verge and land.
        poles: what carries the wires.
        bollards: what stands at the edge of the road.
        signs: shapes of warning signs.
        plate: colour of number plates.
        town: how built-up it is, 0 to 1.
    """

    code: str
    written: str
    single: int
    multi: int
    box: tuple[float, float, float, float]
    alike: tuple[str, ...]
    drives_left: bool
    centre: Chances
    edge: Chances
    asphalt: Colour
    soil: Colour
    trim: Colour
    dry: float
    drift: tuple[float, float]
    hills: float
    trees: Chances
    walls: tuple[Colour, ...]
    roofs: tuple[Colour, ...]
    roof_kinds: Chances
    storeys: float
    fences: Chances
    poles: Chances
    bollards: Chances
    signs: Chances
    plate: Colour = (236, 236, 232)
    town: float = 0.5
