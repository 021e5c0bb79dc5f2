"""Sky, hills, ground and road of the demo world: what is painted before anything stands there."""

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from shared.collection.demo_canvas import EYE_M, Canvas, Point, clip
from shared.collection.demo_climate import SNOW
from shared.collection.demo_draws import Colour, Draws, mix, shade
from shared.collection.demo_stands import REACH_M

WHITE_PAINT: Colour = (232, 232, 226)
YELLOW_PAINT: Colour = (232, 184, 52)
PATH_M = (2.9, 4.4)  # where a footpath lies, from the road's edge
FAR_M = 260.0  # how far the road is painted


def paint_backdrop(canvas: Canvas, draws: Draws) -> None:
    """Everything up to the road and its lines."""
    _sky(canvas, draws)
    _hills(canvas, draws)
    _ground(canvas)
    for s0, s1, t0, t1, colour in canvas.place.fields:
        _strip(canvas, s0, s1, t0, t1, colour)
    _grain(canvas, draws)
    _road(canvas)


def _column(top: Colour, low: Colour, height: int, bend: float) -> NDArray[np.uint8]:
    """(height, 3) colours from top to low; a bend above 0 keeps the low colour near the end."""
    at = (np.arange(height) + 0.5) / height
    share = (at * (1 - bend) + at * at * bend)[:, None]
    colours = np.asarray(top) + (np.asarray(low, float) - np.asarray(top)) * share
    column: NDArray[np.uint8] = np.floor(colours + 0.5).astype(np.uint8)
    return column


def _sky(canvas: Canvas, draws: Draws) -> None:
    light, width, horizon = canvas.light, canvas.width, canvas.horizon
    column = _column(light.top, light.low, horizon, 0.25)
    sky = Image.fromarray(column[:, None, :]).resize((width, horizon), Image.Resampling.NEAREST)
    canvas.image.paste(sky, (0, 0))
    if canvas.sun_ahead > 0.2 and light.strength > 0.2:
        _sun(canvas)
    if light.cloud > 0:
        tile = _clouds(int(light.cloud * 4) / 4)
        left = draws.whole(tile.width // 2)
        box = (left, 0, left + tile.width // 2, tile.height)
        mask = tile.resize((width, horizon), Image.Resampling.BILINEAR, box)
        bright = mix((252, 252, 252), light.haze, 0.25 if light.strength > 0.3 else 0.0)
        colour = bright if light.strength > 0.2 else mix(light.top, (120, 126, 136), 0.5)
        canvas.image.paste(colour, (0, 0), mask)


def _sun(canvas: Canvas) -> None:
    """A glow where the sun is; the sun itself when it is low."""
    light = canvas.light
    x = canvas.middle + canvas.focal * canvas.sun_right / canvas.sun_ahead
    y = canvas.horizon - canvas.focal * light.sun_height / canvas.sun_ahead
    radius = int(canvas.width * 0.3)
    glow = _glow().resize((2 * radius, 2 * radius), Image.Resampling.BILINEAR)
    sky = canvas.image.crop((0, 0, canvas.width, canvas.horizon))
    sky.paste((255, 246, 220), (int(x) - radius, int(y) - radius), glow)
    canvas.image.paste(sky, (0, 0))


@lru_cache(maxsize=1)
def _glow() -> Image.Image:
    return Image.radial_gradient("L").point([max(0, 210 - 2 * v) for v in range(256)])


def _noise(name: str, width: int, height: int) -> Image.Image:
    """Even grey noise, the same in every process."""
    numbers = np.random.Generator(np.random.PCG64(sum(name.encode())))
    return Image.fromarray(numbers.integers(0, 256, (height, width), dtype=np.uint8))


@lru_cache(maxsize=8)
def _clouds(cover: float) -> Image.Image:
    """A mask of clouds: three sizes of noise, cut so that so much of the sky is covered."""
    size = (1024, 180)
    large = _noise("clouds", 16, 8).resize(size, Image.Resampling.BICUBIC)
    middle = _noise("puffs", 48, 20).resize(size, Image.Resampling.BICUBIC)
    small = _noise("wisps", 160, 64).resize(size, Image.Resampling.BICUBIC)
    whole = Image.blend(Image.blend(large, middle, 0.38), small, 0.16)
    edge = 150 - int(cover * 70)
    return whole.point([min(235, max(0, (v - edge) * 6)) for v in range(256)])


@lru_cache(maxsize=4)
def _tufts(width: int, height: int) -> tuple[Image.Image, Image.Image]:
    """Masks of dark and of light grain on the ground: finer towards the horizon."""
    rows = []
    for y in range(0, height, 4):
        coarse = max(2, int(26 * (y + 4) / height))
        row = _noise(f"row {y}", width * 2 // coarse + 4, 1)
        rows.append(row.resize((width * 2, 4), Image.Resampling.BILINEAR))
    sheet = Image.new("L", (width * 2, height))
    for k, row in enumerate(rows):
        sheet.paste(row, (0, 4 * k))
    sheet = sheet.filter(ImageFilter.BoxBlur(1))
    dark = sheet.point([max(0, min(70, (v - 140) // 1)) for v in range(256)])
    bright = sheet.point([max(0, min(60, (116 - v) // 1)) for v in range(256)])
    return dark, bright


def _grain(canvas: Canvas, draws: Draws) -> None:
    """Tufts and stones of the ground."""
    height = canvas.height - canvas.horizon
    dark, bright = _tufts(canvas.width, height)
    left = draws.whole(canvas.width)
    box = (left, 0, left + canvas.width, height)
    ground = (0, canvas.horizon)
    grass = canvas.place.grass
    canvas.image.paste(shade(grass, 0.62), ground, dark.crop(box))
    canvas.image.paste(mix(shade(grass, 1.25), (250, 244, 210), 0.2), ground, bright.crop(box))


def _hills(canvas: Canvas, draws: Draws) -> None:
    """Up to three rows of hills, and a row of far trees."""
    place, light = canvas.place, canvas.light
    hills = place.climate.hills
    for row in range(3):
        high = canvas.height * (0.02 + 0.26 * hills * hills) * (1.25 - 0.4 * row)
        rough = 0.25 + 0.75 * hills
        base = mix(place.grass, place.woods, 0.35 + 0.3 * row)
        far = 0.86 - 0.2 * row - (0.06 if light.weather == "clear" else 0.0)
        colour = mix(mix(base, (96, 118, 150), 0.45), light.haze, far)
        ridge = _ridge(draws, high, rough, 9 + 4 * row)
        _silhouette(canvas, ridge, colour)
        if row == 0 and hills > 0.62 and place.climate.warmth < 0.66:
            capped = [max(0.0, value - 0.62 * high) for value in ridge]
            _caps(canvas, ridge, capped, mix(SNOW, light.haze, 0.45))
    if place.climate.dryness < 0.8:
        _treeline(canvas, draws)


def _ridge(draws: Draws, high: float, rough: float, n: int) -> list[float]:
    """Heights of a ridge: coarse points with finer ones between them, twice."""
    points = [high * (0.25 + 0.75 * draws.unit()) for _ in range(n)]
    for step in (0.3, 0.14, 0.07):
        finer = []
        for a, b in pairwise(points):
            finer += [a, max(0.0, (a + b) / 2 + high * rough * step * draws.middling())]
        points = [*finer, points[-1]]
    return points


def _silhouette(canvas: Canvas, heights: list[float], colour: Colour) -> None:
    step = canvas.width / (len(heights) - 1)
    line = [(k * step, canvas.horizon + 1 - value) for k, value in enumerate(heights)]
    ends = [(canvas.width, canvas.horizon + 2), (0, canvas.horizon + 2)]
    canvas.draw.polygon([*line, *ends], fill=colour)


def _caps(canvas: Canvas, ridge: list[float], capped: list[float], colour: Colour) -> None:
    """Snow on what is above a line that wavers."""
    step = canvas.width / (len(ridge) - 1)
    for k in range(len(ridge) - 1):
        if capped[k] > 0 or capped[k + 1] > 0:
            xs = (k * step, (k + 1) * step)
            tops = [canvas.horizon + 1 - ridge[k], canvas.horizon + 1 - ridge[k + 1]]
            lows = [tops[0] + 0.75 * capped[k], tops[1] + 0.75 * capped[k + 1]]
            canvas.draw.polygon(
                [(xs[0], tops[0]), (xs[1], tops[1]), (xs[1], lows[1]), (xs[0], lows[0])],
                fill=colour,
            )


def _treeline(canvas: Canvas, draws: Draws) -> None:
    """A row of far trees along the horizon."""
    unit = canvas.width / 640
    x = -10.0
    colour = mix(canvas.place.woods, canvas.light.haze, 0.42)
    while x < canvas.width:
        if not draws.happens(0.9 - 0.7 * canvas.place.climate.dryness):
            x += draws.between(6, 60) * unit
            continue
        wide, high = draws.between(5, 14) * unit, draws.between(3, 9) * unit
        tone = shade(colour, draws.between(0.9, 1.08))
        low = canvas.horizon + 3 * unit
        canvas.draw.ellipse((x, canvas.horizon - high, x + wide, low), fill=tone)
        x += wide * 0.6


def _ground(canvas: Canvas) -> None:
    """The land, hazy towards the horizon."""
    rows = canvas.height - canvas.horizon
    z = canvas.focal * EYE_M / (np.arange(rows) + 0.5)
    share = (z / (z + canvas.light.haze_m))[:, None]
    near = np.asarray(canvas.place.grass, float)
    column = np.floor(near + (np.asarray(canvas.light.haze) - near) * share + 0.5)
    land = Image.fromarray(column.astype(np.uint8)[:, None, :])
    land = land.resize((canvas.width, rows), Image.Resampling.NEAREST)
    canvas.image.paste(land, (0, canvas.horizon))


def _strip(canvas: Canvas, s0: float, s1: float, t0: float, t1: float, colour: Colour) -> None:
    """A flat strip along the road, in pieces, so that it bends and fades as the road does."""
    n = max(1, int((s1 - s0) / 26))
    step = (s1 - s0) / n
    for k in range(n):
        a, b = s0 + k * step, s0 + (k + 1) * step
        canvas.face([(a, t0, 0.0), (b, t0, 0.0), (b, t1, 0.0), (a, t1, 0.0)], colour)


def _road(canvas: Canvas) -> None:
    place = canvas.place
    half = place.width / 2
    _strip(canvas, -FAR_M, FAR_M, -half - place.verge, half + place.verge, place.soil)
    _strip(canvas, -FAR_M, FAR_M, -half, half, place.asphalt)
    for side in place.paths:
        near, far = half + PATH_M[0], half + PATH_M[1]
        _strip(canvas, -REACH_M, REACH_M, side * near, side * far, shade(place.soil, 1.06))
    for side in (-1, 1):  # wheel tracks
        for track in (0.22, 0.72):
            middle = side * half * track
            worn = shade(place.asphalt, 0.94)
            _strip(canvas, -60, 60, middle - 0.25, middle + 0.25, worn)
    _line(canvas, place.centre, 0.0)
    for side in (-1, 1):
        _line(canvas, place.edge, side * (half - 0.25))
    _mark_road(canvas)


def _line(canvas: Canvas, line: str, t: float) -> None:
    """A painted line: white or yellow; solid, double or dashed."""
    if line == "none":
        return
    paint = YELLOW_PAINT if line.startswith("yellow") else WHITE_PAINT
    colour = mix(paint, canvas.place.asphalt, 0.12)
    reach = 110.0
    if line.endswith("dash"):
        for k in range(int(2 * reach / 9)):
            s = -reach + 9.0 * k
            _strip(canvas, s, s + 3.6, t - 0.14, t + 0.14, colour)
    elif line.endswith("double"):
        for off in (-0.22, 0.22):
            _strip(canvas, -reach, reach, t + off - 0.1, t + off + 0.1, colour)
    else:
        _strip(canvas, -reach, reach, t - 0.13, t + 0.13, colour)


def _mark_road(canvas: Canvas) -> None:
    half = canvas.place.width / 2
    far, reach = 60.0, (-60.0, 60.0)
    corners: list[Point] = [(s, t, 0.0) for s in reach for t in (-half, half)]
    order = [corners[0], corners[2], corners[3], corners[1]]
    ahead = [point for point in clip([canvas.seen(c) for c in order]) if point[2] < 2 * far]
    if len(ahead) >= 3:
        canvas.mark("road", [canvas.pixel(point) for point in ahead])
