"""Houses and cars of the demo world, and who paints what."""

from collections.abc import Callable, Mapping
from random import Random

from shared.collection.demo_canvas import Canvas, Pixel, Point, Spot
from shared.collection.demo_draws import Colour, mix, shade
from shared.collection.demo_plants import paint_tree
from shared.collection.demo_roadside import paint_bollard, paint_fence, paint_pole, paint_sign
from shared.collection.demo_stands import Thing

GLASS: Colour = (84, 100, 116)
TYRE: Colour = (38, 38, 42)
RED: Colour = (196, 48, 44)
BLACK: Colour = (46, 46, 48)

Corner = tuple[float, float]  # s, t, m


def paint_thing(canvas: Canvas, thing: Thing) -> None:
    """Paint something that stands in the world, when it is in view."""
    PAINTERS[thing.kind](canvas, thing)


def paint_shadow(canvas: Canvas, thing: Thing) -> None:
    """Paint the shadow of something that stands in the world, before anything stands there."""
    widths = {"tree": 0.18 * thing.size, "house": 0.4 * thing.length, "car": 1.4, "pole": 0.14}
    if thing.kind in widths:
        canvas.shadow(thing.s, thing.t, thing.size, widths[thing.kind])


def _corners(s: float, t: float, half_s: float, half_t: float) -> list[Corner]:
    return [
        (s - half_s, t - half_t),
        (s + half_s, t - half_t),
        (s + half_s, t + half_t),
        (s - half_s, t + half_t),
    ]


def _house(canvas: Canvas, house: Thing) -> None:
    depth = 8.0
    spot = canvas.spot(house.s, house.t, margin_m=14)
    if spot is None or spot.z < 6:
        return
    half_s, half_t = house.length / 2, depth / 2
    corners = _corners(house.s, house.t, half_s, half_t)
    rise = {"flat": 0.0, "hip": 2.3, "gable": 2.8, "chimney": 2.8, "steep": 4.6}[house.style]
    if house.style == "chimney":
        _chimney(canvas, house, rise)
    walls = ((0, -1), (1, 0), (0, 1), (-1, 0))  # outwards: s, t
    seen: list[Pixel] = []
    for k, (to_s, to_t) in enumerate(walls):
        a, b = corners[k], corners[(k + 1) % 4]
        colour = canvas.lit(house.colour, to_s, to_t)
        wall: list[Point] = [(*a, 0.0), (*b, 0.0), (*b, house.size), (*a, house.size)]
        if to_s and house.style not in {"flat", "hip"}:
            wall.insert(3, (house.s + to_s * half_s, house.t, house.size + rise))
        if canvas.face(wall, colour, is_outside=True):
            _openings(canvas, house, a, b, spot)
            seen += [canvas.pixel(v) for v in map(canvas.seen, wall) if v[2] > 1]
    _roof(canvas, house, corners, rise)
    if seen:
        canvas.mark("house", seen)


def _roof(canvas: Canvas, house: Thing, corners: list[Corner], rise: float) -> None:
    top, low = house.size, house.size - 0.1
    if rise == 0:
        band = shade(house.colour, 0.86)
        for k in range(4):
            (s0, t0), (s1, t1) = corners[k], corners[(k + 1) % 4]
            wall = [(s0, t0, top), (s1, t1, top), (s1, t1, top + 0.5), (s0, t0, top + 0.5)]
            canvas.face(wall, band, is_outside=True)
        return
    inset = house.length * 0.3 if house.style == "hip" else -0.35
    ridge_a = (house.s - house.length / 2 + inset, house.t, top + rise)
    ridge_b = (house.s + house.length / 2 - inset, house.t, top + rise)
    over = 0.5
    eaves: list[Point] = [
        (s + (over if s > house.s else -over), t + (over if t > house.t else -over), low)
        for s, t in corners
    ]
    a, b, c, d = eaves
    slopes: list[tuple[list[Point], tuple[int, int]]] = [
        ([a, b, ridge_b, ridge_a], (0, -1)),
        ([c, d, ridge_a, ridge_b], (0, 1)),
    ]
    if house.style == "hip":
        slopes += [([b, c, ridge_b], (1, 0)), ([d, a, ridge_a], (-1, 0))]
    for face, to in slopes:
        canvas.face(face, shade(canvas.lit(house.second, *to), 1.02), True)


def _chimney(canvas: Canvas, house: Thing, rise: float) -> None:
    s = house.s + house.length * 0.32
    high = house.size + rise + 1.0
    ends = _corners(s, house.t, 0.5, 0.5)
    for k in range(4):
        a, b = ends[k], ends[(k + 1) % 4]
        low = house.size + rise - 1
        wall = [(*a, low), (*b, low), (*b, high), (*a, high)]
        canvas.face(wall, shade(house.second, 0.9 + 0.1 * (k % 2)), True)


def _openings(canvas: Canvas, house: Thing, a: Corner, b: Corner, spot: Spot) -> None:
    """Windows and a door in the wall from a to b, with light frames where they are near."""
    if spot.z > 70:
        return
    long = abs(b[0] - a[0]) + abs(b[1] - a[1])
    n = max(1, int(long / 3.2))
    storeys = max(1, int(house.size / 2.9 + 0.5))
    draw = Random(house.seed).random
    frame = mix(house.colour, canvas.place.rules.trim, 0.85)
    door = int(draw() * n) if long == house.length else -1

    def quad(u0: float, u1: float, y0: float, y1: float, colour: Colour) -> None:
        def at(u: float, y: float) -> Point:
            return a[0] + (b[0] - a[0]) * u, a[1] + (b[1] - a[1]) * u, y

        canvas.face([at(u0, y0), at(u1, y0), at(u1, y1), at(u0, y1)], colour)

    for floor in range(storeys):
        low = floor * 2.9
        for k in range(n):
            u, half = (k + 0.5) / n, 0.55 / long
            if floor == 0 and k == door:
                quad(u - half, u + half, 0.0, 2.1, shade(mix(house.second, BLACK, 0.3), 0.9))
                continue
            if spot.z < 50:
                quad(u - 1.5 * half, u + 1.5 * half, low + 0.8, low + 2.4, frame)
            quad(u - half, u + half, low + 1.0, low + 2.2, shade(GLASS, 0.8 + 0.4 * draw()))


def _car(canvas: Canvas, car: Thing) -> None:
    spot = canvas.spot(car.s, car.t)
    if spot is None or spot.z < 4.5:
        return
    half_s, half_t, waist = 2.1, 0.86, 0.92
    for side in (-1, 1):  # wheels first: the body covers their tops
        for end in (-1.3, 1.3):
            _wheel(canvas, car.s + end, car.t + side * half_t * 0.9)
    _box(canvas, car, half_s, half_t, (0.28, waist), car.colour)
    _cabin(canvas, car, half_s, half_t, waist)
    _ends(canvas, car, half_s, half_t)
    half = 1.6 * spot.p
    canvas.mark("car", [(spot.x - half, spot.y - 1.6 * spot.p), (spot.x + half, spot.y)])


def _box(
    canvas: Canvas,
    thing: Thing,
    half_s: float,
    half_t: float,
    levels: tuple[float, float],
    colour: Colour,
) -> None:
    corners = _corners(thing.s, thing.t, half_s, half_t)
    for k, to in enumerate(((0, -1), (1, 0), (0, 1), (-1, 0))):
        a, b = corners[k], corners[(k + 1) % 4]
        low, high = levels
        wall = [(*a, low), (*b, low), (*b, high), (*a, high)]
        canvas.face(wall, canvas.lit(colour, *to), True)
    canvas.face([(*corner, levels[1]) for corner in corners], shade(colour, 1.12), False)


def _wheel(canvas: Canvas, s: float, t: float) -> None:
    spot = canvas.spot(s, t)
    if spot is not None:
        r = 0.34 * spot.p
        box = (spot.x - r, spot.y - 2 * r, spot.x + r, spot.y)
        canvas.draw.ellipse(box, fill=canvas.hazy(TYRE, spot.z))


def _cabin(canvas: Canvas, car: Thing, half_s: float, half_t: float, waist: float) -> None:
    """Windows that lean inwards, and a roof on them."""
    low = _corners(car.s - 0.15 * car.length, car.t, half_s * 0.68, half_t * 0.96)
    high = _corners(car.s - 0.2 * car.length, car.t, half_s * 0.46, half_t * 0.8)
    for k in range(4):
        j = (k + 1) % 4
        face = [(*low[k], waist), (*low[j], waist), (*high[j], car.size), (*high[k], car.size)]
        canvas.face(face, shade(GLASS, 0.7), True)
    canvas.face([(*corner, car.size) for corner in high], shade(car.colour, 1.1), False)


def _ends(canvas: Canvas, car: Thing, half_s: float, half_t: float) -> None:
    """Lamps, white in front and red behind, and a number plate at either end."""
    for end in (-1.0, 1.0):
        lamp: Colour = (250, 246, 220) if end == car.length else RED
        quads = [(side * half_t * 0.78, 0.14, 0.6, 0.8, lamp) for side in (-1, 1)]
        for middle, half, low, high, colour in [*quads, (0.0, 0.3, 0.4, 0.58, canvas.place.plate)]:
            s, t0, t1 = (
                car.s + end * half_s,
                car.t + middle - end * half,
                car.t + middle + end * half,
            )
            face = [(s, t0, low), (s, t1, low), (s, t1, high), (s, t0, high)]
            canvas.face(face, colour, is_outside=True)


PAINTERS: Mapping[str, Callable[[Canvas, Thing], None]] = {
    "house": _house,
    "tree": paint_tree,
    "car": _car,
    "pole": paint_pole,
    "fence": paint_fence,
    "bollard": paint_bollard,
    "sign": paint_sign,
}
