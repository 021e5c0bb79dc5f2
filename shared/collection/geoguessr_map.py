"""The map of the guess: which pixel is which place, and a click there.

The map is made of square tiles in Web Mercator (EPSG:3857). The address of a tile names its zoom,
column and row, so that where one tile lies tells where every place lies. Degrees `(lat, lon)`,
pixels of the window.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Locator

from shared.collection.geoguessr_faults import MissingError
from shared.collection.geoguessr_page import POLL_S, GamePage
from shared.collection.geoguessr_site import MAP_MARGIN_PX, MAP_MIN_HEIGHT_PX, Site

# How many steps up from a mark on the map to the first ancestor that is tall enough; 0: none is.
STEPS_UP = """(mark, least) => {
    let steps = 0;
    for (let at = mark; at; at = at.parentElement, steps += 1)
        if (at.getBoundingClientRect().height > least) return steps;
    return 0;
}"""
TILES = """(map) => [...map.querySelectorAll("img")].map((tile) => {
    const { left, top, width } = tile.getBoundingClientRect();
    return [tile.src, left, top, width];
})"""
SHARP_PX = 256 * 2**6  # the world's width where a pixel is 2.4 km at the equator: 4 points of 5000
ZOOM_LOOKS = 10  # a fifth of a second or more each, until a map counts as the largest there is
N_MOVES = 24  # drags and turns of the wheel until a place is under the mouse, at most
NORTHMOST_DEG = 85.0  # the square of the projection ends near there

Pixel = tuple[float, float]
Point = tuple[float, float]


@dataclass(frozen=True)
class Projection:
    """Where the world's square lies in the window.

    Attributes:
        world_px: its width and height.
        left, top: its corner at 180 degrees west and 85 degrees north.
    """

    world_px: float
    left: float
    top: float

    @classmethod
    def of_tiles(
        cls, tiles: Sequence[tuple[str, float, float, float]], site: Site
    ) -> "Projection | None":
        """Read it from the pictures on a map; nothing where none of them is a tile.

        Args:
            tiles: address, left, top and width of each.
            site: knows the addresses of tiles.
        """
        found = [
            ([int(number) for number in m.groups()], left, top, width)
            for address, left, top, width in tiles
            if (m := site.map_tile.search(address)) and width > 0
        ]
        if not found:
            return None
        zoom = Counter(numbers[0] for numbers, *_ in found).most_common(1)[0][0]
        (_, x, y), left, top, width = next(one for one in found if one[0][0] == zoom)
        return cls(width * 2**zoom, left - x * width, top - y * width)

    def pixel_of(self, point: Point, near_x: float) -> Pixel:
        """Where a place is; of the copies of the world side by side, in that nearest to a column.

        Args:
            point: latitude and longitude, degrees; latitudes beyond 85 are taken for 85.
            near_x: pixels.
        """
        lat = math.radians(max(-NORTHMOST_DEG, min(NORTHMOST_DEG, point[0])))
        x = self.left + (point[1] / 360 + 0.5) * self.world_px
        y = self.top + (0.5 - math.asinh(math.tan(lat)) / math.tau) * self.world_px
        return x + round((near_x - x) / self.world_px) * self.world_px, y

    def place_of(self, pixel: Pixel) -> Point:
        """The place that a pixel shows, degrees."""
        east = ((pixel[0] - self.left) / self.world_px) % 1.0
        south = (pixel[1] - self.top) / self.world_px
        lat = math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * south))))
        return lat, 360 * east - 180


async def guess_anywhere(game_page: GamePage) -> None:
    """Hover the map, so that it opens, click its middle, and guess.

    The middle is as good as any point: only the answer is wanted.
    """
    guess_map = await _opened(game_page)
    async with game_page.troubles(game_page.described(["map_marks"])):
        await guess_map.click()
    await game_page.click("guess")


async def guess_at(game_page: GamePage, point: Point) -> Point:
    """Open the map, bring a place under the mouse, click it, and guess.

    Args:
        game_page: a page that shows a round.
        point: latitude and longitude, degrees.

    Returns:
        The place that was clicked, degrees: that of the nearest whole pixel.

    Raises:
        MissingError: the map, its tiles or the button are not there, or the place cannot be
            brought under the mouse.
    """
    guess_map = await _opened(game_page)
    projection, (x, y) = await _bring(game_page, guess_map, point)
    at = round(x), round(y)
    async with game_page.troubles(game_page.described(["map_marks"])):
        await game_page.page.mouse.click(*at)
    await game_page.click("guess")
    return projection.place_of(at)


async def _bring(game_page: GamePage, guess_map: Locator, point: Point) -> tuple[Projection, Pixel]:
    """Drag and zoom until a place is well inside the map, and a pixel is small."""
    left, top, width, height = await _box(game_page, guess_map)
    middle = left + width / 2, top + height / 2
    reach = width / 2 - MAP_MARGIN_PX, height / 2 - MAP_MARGIN_PX
    projection, is_largest = await _projection(game_page, guess_map), False
    for _ in range(N_MOVES):
        x, y = projection.pixel_of(point, middle[0])
        is_inside = abs(x - middle[0]) < reach[0] and abs(y - middle[1]) < reach[1]
        if not is_inside:
            await _drag(game_page, middle, (middle[0] - x, middle[1] - y), reach)
            projection = await _projection(game_page, guess_map)
        elif projection.world_px >= SHARP_PX or is_largest:
            return projection, (x, y)
        else:
            before = projection.world_px
            projection = await _zoom_in(game_page, guess_map, (round(x), round(y)), before)
            is_largest = projection.world_px == before
    what = f"the place {point[0]:.2f}, {point[1]:.2f} on the map of the guess"
    raise MissingError(what)


async def _zoom_in(
    game_page: GamePage, guess_map: Locator, at: Pixel, before_px: float
) -> Projection:
    """Turn the wheel over a pixel, and wait for the map to grow, which the largest does not."""
    async with game_page.troubles():
        await game_page.page.mouse.move(*at)
        await game_page.page.mouse.wheel(0, -100)
    for _ in range(ZOOM_LOOKS):
        projection = await _projection(game_page, guess_map)
        if projection.world_px > before_px:
            break
    return projection


async def _drag(game_page: GamePage, start: Pixel, by: Pixel, reach: Pixel) -> None:
    """Drag the map from its middle, no further than it reaches."""
    x, y = (max(-most, min(most, way)) for way, most in zip(by, reach, strict=True))
    async with game_page.troubles():
        mouse = game_page.page.mouse
        await mouse.move(*start)
        await mouse.down()
        await mouse.move(start[0] + x, start[1] + y, steps=4)
        await mouse.up()


async def _projection(game_page: GamePage, guess_map: Locator) -> Projection:
    """The projection, once it has been the same twice."""
    async with game_page.troubles(game_page.described(["map_tile"])):
        async with asyncio.timeout(game_page.timeout_s):
            before: Projection | None = None
            while True:
                tiles: Any = await guess_map.evaluate(TILES)
                now = Projection.of_tiles(tiles, game_page.site)
                if now is not None and now == before:
                    return now
                before = now
                await asyncio.sleep(POLL_S)


async def _box(game_page: GamePage, guess_map: Locator) -> tuple[float, float, float, float]:
    """Left, top, width and height of the map."""
    what = game_page.described(["map_marks"])
    async with game_page.troubles(what):
        box = await guess_map.bounding_box()
    if box is None:
        raise MissingError(what)
    return box["x"], box["y"], box["width"], box["height"]


async def _opened(game_page: GamePage) -> Locator:
    """The map, open and at rest."""
    guess_map = await _find_map(game_page)
    async with game_page.troubles(game_page.described(["map_marks"])):
        await guess_map.hover()
        await _until_still(game_page, guess_map)
    return guess_map


async def _find_map(game_page: GamePage) -> Locator:
    what = game_page.described(["map_marks"])
    async with game_page.troubles(what):
        for mark in game_page.site.map_marks:
            for found in await game_page.page.locator(mark).all():
                steps = await found.evaluate(STEPS_UP, MAP_MIN_HEIGHT_PX)
                if steps:
                    return found.locator(f"xpath=ancestor::*[{steps}]")
    raise MissingError(what)


async def _until_still(game_page: GamePage, guess_map: Locator) -> None:
    """Wait until the map has opened: until it has the same place twice."""
    async with asyncio.timeout(game_page.timeout_s):
        before: Any = None
        while (now := await guess_map.bounding_box()) != before or now is None:
            before = now
            await asyncio.sleep(POLL_S)
