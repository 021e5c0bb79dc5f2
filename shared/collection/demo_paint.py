"""A view of the demo world: its light, everything that stands there from far to near, and grain."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.collection.demo_backdrop import paint_backdrop
from shared.collection.demo_canvas import Box, Canvas
from shared.collection.demo_draws import Draws
from shared.collection.demo_light import Light
from shared.collection.demo_place import Place
from shared.collection.demo_stands import Thing
from shared.collection.demo_things import paint_shadow, paint_thing


@dataclass(frozen=True)
class View:
    """A painted view: the picture, and the boxes of the cues in it, pixels."""

    image: Image.Image
    cues: dict[str, Box]


def paint_view(
    place: Place, light: Light, heading_deg: float, seed: int, name: str, size: tuple[int, int]
) -> View:
    """Paint what is seen from a place.

    Args:
        place: where.
        light: light and weather, the same for all views of a visit.
        heading_deg: compass bearing that the camera looks at, degrees.
        seed: feeds every draw, with the name.
        name: of the view: another name has other clouds and hills.
        size: width and height, pixels.
    """
    draws = Draws(seed, f"view:{name}")
    canvas = Canvas(place, heading_deg, light, size)
    paint_backdrop(canvas, draws)
    things = _from_far_to_near(canvas)
    for thing in things:
        paint_shadow(canvas, thing)
    for thing in things:
        paint_thing(canvas, thing)
    return View(_developed(canvas, draws), canvas.cues)


def _from_far_to_near(canvas: Canvas) -> list[Thing]:
    """What is before the camera; a fence is as far as its middle."""

    def distance(thing: Thing) -> float:
        middle = thing.s + (thing.length / 2 if thing.kind == "fence" else 0.0)
        return canvas.seen((middle, thing.t, 0.0))[2]

    ahead = [(distance(thing), k) for k, thing in enumerate(canvas.place.things)]
    reach = [item for item in ahead if item[0] > -40]
    return [canvas.place.things[k] for _, k in sorted(reach, reverse=True)]


@lru_cache(maxsize=1)
def _grain() -> NDArray[np.int16]:
    """Film grain: small whole numbers, the same in every process."""
    numbers = np.random.Generator(np.random.PCG64(20))
    a = numbers.integers(-4, 5, (512, 1024), dtype=np.int16)
    return a + numbers.integers(-3, 4, (512, 1024), dtype=np.int16)


def _exposed(canvas: Canvas, draws: Draws) -> tuple[float, float, float]:
    """What the light's tint is in this picture: the camera exposes each by itself."""
    gain = draws.between(0.78, 1.16)
    warm, pink = 0.09 * draws.middling(), 0.04 * draws.middling()
    red, green, blue = canvas.light.tint
    return red * gain * (1 + warm), green * gain * (1 - pink), blue * gain * (1 - warm)


def _developed(canvas: Canvas, draws: Draws) -> Image.Image:
    """The finished picture: tinted by the light, with grain."""
    red, green, blue = _exposed(canvas, draws)
    table = [min(255, int(v * gain + 0.5)) for gain in (red, green, blue) for v in range(256)]
    image = canvas.finished().point(table)
    width, height = image.size
    grain = _grain()
    x, y = draws.whole(256), draws.whole(128)
    rows = np.arange(height) % 256 + y
    columns = np.arange(width) % 512 + x
    sheet = grain[rows[0] :, columns[0] :][:height, :width]
    if sheet.shape != (height, width):  # larger than the sheet
        sheet = grain[np.ix_(rows, columns)]
    pixels = np.asarray(image, np.int16) + sheet[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
