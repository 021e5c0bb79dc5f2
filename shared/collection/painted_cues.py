"""Where the cues of a painted photo are, to the pixel, and how it would look without each kind.

A view of the demo world is painted again with one kind of thing left out: what differs is what the
kind adds. Of things that throw shadows only their own pixels count, not the shadow. Nothing here
changes what is painted, and a picture that does not come out as its file says is refused.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import log2

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.collection.demo_canvas import SCALE, Canvas
from shared.collection.demo_countries import COUNTRIES
from shared.collection.demo_draws import Colour, Draws
from shared.collection.demo_faults import encoded
from shared.collection.demo_light import Light, make_light
from shared.collection.demo_paint import paint_view
from shared.collection.demo_place import Place, make_place
from shared.collection.demo_plan import DemoSettings, PlannedView, plan_views
from shared.collection.demo_stands import Thing
from shared.collection.demo_things import paint_thing
from shared.collection.demo_world import paint_pair

Mask = NDArray[np.bool_]

# Kinds of things, and what the rules of a country say of each (fields of `demo_rules.Rules`).
CUES: Mapping[str, tuple[str, ...]] = {
    "lines": ("centre", "edge"),
    "road": ("asphalt",),
    "soil": ("soil",),
    "house": ("walls", "roofs", "roof_kinds", "storeys", "trim"),
    "tree": ("trees",),
    "fence": ("fences",),
    "pole": ("poles",),
    "sign": ("signs",),
    "bollard": ("bollards",),
    "car": ("drives_left", "plate"),
}
THINGS = ("house", "tree", "fence", "pole", "sign", "bollard", "car")
SHADOWED = ("house", "tree", "pole", "car")  # that `paint_shadow` paints a shadow of
LAND, SKY = "land", "sky"  # what is left: of these the rules fix no style, only the climate
KEY: Colour = (255, 0, 255)  # no rule paints anything in it


@dataclass(frozen=True)
class PaintedCues:
    """A painted photo with its cues.

    Attributes:
        photo: the bytes of the photo's file.
        masks: of each kind that is in the picture (H, W), where it is; and of `"land"` and
            `"sky"` (with hills), what no cue covers below and above the horizon.
        without: the picture without each kind; not of the road, which is everywhere.
    """

    photo: bytes
    masks: Mapping[str, Mask]
    without: Mapping[str, Image.Image]


@dataclass(frozen=True)
class _Scene:
    """All that `paint_view` is given."""

    place: Place
    light: Light
    heading: int
    seed: int
    name: str
    size: tuple[int, int]

    def painted(self, **changes: object) -> Image.Image:
        """The picture, of the place with changes."""
        place = replace(self.place, **changes)  # type: ignore[arg-type]
        return paint_view(place, self.light, self.heading, self.seed, self.name, self.size).image

    def silhouette(self, things: Iterable[Thing]) -> Mask:
        """(H, W) where things would be painted if nothing stood before them."""
        canvas = Canvas(self.place, self.heading, self.light, self.size)
        canvas.image.paste(KEY, (0, 0, canvas.width, canvas.height))
        for thing in things:
            paint_thing(canvas, thing)
        width, height = self.size
        is_painted = (np.asarray(canvas.image) != np.asarray(KEY)).any(axis=2)
        found: Mask = is_painted.reshape(height, SCALE, width, SCALE).any(axis=(1, 3))
        return found


def paintable(ids: Iterable[str], settings: DemoSettings) -> dict[str, PlannedView]:
    """The views whose cues are known, by id: of the singleplayer part, and without a fault."""
    wanted = set(ids)
    return {
        view.id: view
        for view in plan_views(settings)
        if view.id in wanted and view.id.startswith("singleplayer") and not view.fault
    }


def find_cues(view: PlannedView, settings: DemoSettings) -> PaintedCues:
    """Where the cues of a view are.

    Args:
        view: one of `paintable`.
        settings: those that the world was painted with.

    Raises:
        ValueError: when the view cannot be painted again as its file has it.
    """
    files = paint_pair(view, settings)
    scene = _scene(view, settings, files)
    whole = scene.painted()
    if painted_file(whole) != files[".jpg"]:
        msg = (
            f"Expected {view.id} to come out as its file has it, but it does not: it has the "
            f"fault {view.fault!r}, and its cues are not known"
        )
        raise ValueError(msg)
    without = _without(scene)
    masks = {kind: _differs(whole, picture) for kind, picture in without.items()}
    for kind in set(SHADOWED) & set(masks):
        masks[kind] &= scene.silhouette(_things(scene.place, kind))
    road = _differs(whole, scene.painted(asphalt=KEY))  # a line is painted with some of the road
    masks["road"] = road & ~masks["lines"] if "lines" in masks else road
    masks = {kind: masks[kind] for kind in CUES if kind in masks and masks[kind].any()}
    rest = ~np.logical_or.reduce(list(masks.values()))
    below = np.arange(rest.shape[0])[:, None] >= _horizon(scene)
    return PaintedCues(
        files[".jpg"],
        {**masks, LAND: rest & below, SKY: rest & ~below},
        {kind: picture for kind, picture in without.items() if kind in masks},
    )


def painted_file(picture: Image.Image) -> bytes:
    """The bytes of the file that a picture without a fault becomes."""
    return encoded(picture, "", (0.0, 0.0), Draws(0, ""))


def style_bits(kind: str) -> float:
    """How much the style of a kind of things tells about the country, bits.

    The mutual information of the rules' chances and the countries, as frequent as they are among
    singleplayer places; of several fields the sum, which is the most that they tell together.
    Colours come on top of it: of a kind whose rules are colours alone it is 0. That a country has
    none of a kind (`"none"`) is a style too.
    """
    shares = {code: float(rules.single) for code, rules in COUNTRIES.items()}
    total = 0.0
    for field in CUES[kind]:
        chances = {code: _chances(getattr(COUNTRIES[code], field)) for code in COUNTRIES}
        if all(chances.values()):
            total += mutual_bits(shares, chances)
    return total


def mutual_bits(shares: Mapping[str, float], chances: Mapping[str, Mapping[str, float]]) -> float:
    """The mutual information of a class and a style that is drawn by it, bits.

    Source: Shannon (1948), A Mathematical Theory of Communication, section 12 (rate).

    Args:
        shares: how frequent each class is, in any unit.
        chances: of each class how frequent each style is, in any unit.
    """
    joint: dict[tuple[str, str], float] = {}
    for code, share in shares.items():
        for style, weight in chances[code].items():
            joint[code, style] = share / sum(shares.values()) * weight / sum(chances[code].values())
    of_class = {code: share / sum(shares.values()) for code, share in shares.items()}
    of_style: dict[str, float] = {}
    for (_, style), chance in joint.items():
        of_style[style] = of_style.get(style, 0.0) + chance
    return sum(
        chance * log2(chance / (of_class[code] * of_style[style]))
        for (code, style), chance in joint.items()
        if chance > 0
    )


def _chances(rule: object) -> dict[str, float]:
    """A rule as chances of styles; nothing where it is a colour or a number."""
    if isinstance(rule, bool):
        return {str(rule): 1.0}
    return dict(rule) if isinstance(rule, Mapping) else {}


def _scene(view: PlannedView, settings: DemoSettings, files: Mapping[str, bytes]) -> _Scene:
    """The scene of a view, as `demo_world` paints it; its record says where the camera looks."""
    heading = json.loads(files[".json"])["heading"]
    shown, seed = view.shown, settings.seed
    place = make_place(seed, shown.world, shown.code, shown.lat, shown.lon)
    light = make_light(seed, shown.id, place.lat, place.climate.dryness)
    size = settings.width, settings.height
    return _Scene(place, light, heading, seed, f"{shown.id}_{view.turn}", size)


def _without(scene: _Scene) -> dict[str, Image.Image]:
    """The picture without each kind that the place has, but for the road."""
    place = scene.place
    found = {}
    if (place.centre, place.edge) != ("none", "none"):
        found["lines"] = scene.painted(centre="none", edge="none")
    found["soil"] = scene.painted(verge=0.0, paths=())
    for kind in THINGS:
        others = tuple(thing for thing in place.things if thing.kind != kind)
        if len(others) < len(place.things):
            found[kind] = scene.painted(things=others)
    return found


def _things(place: Place, kind: str) -> list[Thing]:
    return [thing for thing in place.things if thing.kind == kind]


def _differs(one: Image.Image, other: Image.Image) -> Mask:
    found: Mask = (np.asarray(one) != np.asarray(other)).any(axis=2)
    return found


def _horizon(scene: _Scene) -> int:
    """The row where the land begins, pixels."""
    return Canvas(scene.place, scene.heading, scene.light, scene.size).horizon // SCALE
