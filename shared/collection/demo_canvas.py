"""The canvas of the demo world: from ground coordinates in metres to antialiased pixels.

It is painted at twice the size and halved at the end. `x` is right and `y` down, pixels; `z` is the
distance in front of the camera, m. All is plain multiplication and division of floats, which every
x86-64 machine rounds alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from PIL import Image, ImageDraw

from shared.collection.demo_draws import Colour, cosine, mix, shade, sine
from shared.collection.demo_light import Light
from shared.collection.demo_place import Place

SCALE = 2  # painted so many times larger, then halved
EYE_M = 2.3  # height of the camera
NEAR_M = 0.9  # what is nearer is not painted
FOCAL = 0.62  # focal length, in widths of the picture: 78 degrees wide

Point = tuple[float, float, float]  # s, t, height, m
Pixel = tuple[float, float]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Spot:
    """Where something stands in the picture: its foot, pixels a metre there, and its distance."""

    x: float
    y: float
    p: float
    z: float


class Canvas:
    """A picture in the making: a camera in a place, turned to a heading."""

    def __init__(
        self, place: Place, heading_deg: float, light: Light, size: tuple[int, int]
    ) -> None:
        self.place = place
        self.light = light
        self.size = size
        self.width, self.height = size[0] * SCALE, size[1] * SCALE
        self.image = Image.new("RGB", (self.width, self.height))
        self.draw = ImageDraw.Draw(self.image)
        self.glass = ImageDraw.Draw(self.image, "RGBA")
        self.cues: dict[str, Box] = {}
        turn = heading_deg - place.road_deg
        self.cos, self.sin = cosine(turn), sine(turn)
        self.focal = FOCAL * self.width
        self.middle = self.width / 2
        self.horizon = floor(0.44 * self.height)
        # the sun along the road, across it, and over the camera's right hand
        sun = light.sun_deg - place.road_deg
        self.sun_s, self.sun_t = cosine(sun), sine(sun)
        self.sun_right = sine(light.sun_deg - heading_deg)
        self.sun_ahead = cosine(light.sun_deg - heading_deg)

    def seen(self, point: Point) -> Point:
        """A point as the camera has it: right, up (from the ground) and ahead, m."""
        s, t, height = point
        right = t + self.place.curve * s * s - self.place.lane
        return right * self.cos - s * self.sin, height, s * self.cos + right * self.sin

    def pixel(self, seen: Point) -> Pixel:
        """Where a point that the camera has before it is in the picture."""
        p = self.focal / seen[2]
        return self.middle + seen[0] * p, self.horizon + (EYE_M - seen[1]) * p

    def spot(self, s: float, t: float, margin_m: float = 6.0) -> Spot | None:
        """Where something stands in the picture, or None when it is not in it."""
        right, _, z = self.seen((s, t, 0.0))
        if z < 2.2:
            return None
        p = self.focal / z
        x = self.middle + right * p
        if not -margin_m * p < x < self.width + margin_m * p:
            return None
        return Spot(x, self.horizon + EYE_M * p, p, z)

    def hazy(self, colour: Colour, z: float) -> Colour:
        """A colour as it looks from afar."""
        return mix(colour, self.light.haze, z / (z + self.light.haze_m))

    def face(self, points: Sequence[Point], colour: Colour, is_outside: bool = False) -> bool:
        """Paint a flat face; one of a solid only when its outside is seen (clockwise).

        Returns:
            Whether anything was painted.
        """
        ahead = clip([self.seen(point) for point in points])
        if len(ahead) < 3:
            return False
        pixels = [self.pixel(point) for point in ahead]
        if is_outside and area(pixels) <= 0:
            return False
        if max(x for x, _ in pixels) < 0 or min(x for x, _ in pixels) > self.width:
            return False
        z = sum(point[2] for point in ahead) / len(ahead)
        self.draw.polygon(pixels, fill=self.hazy(colour, z))
        return True

    def lit(self, colour: Colour, to_s: float, to_t: float) -> Colour:
        """A wall's colour by how it faces the sun."""
        facing = max(0.0, to_s * self.sun_s + to_t * self.sun_t)
        return shade(colour, 0.93 + self.light.strength * (0.3 * facing - 0.2))

    def shadow(self, s: float, t: float, height: float, half: float) -> None:
        """The shadow of something upright on the ground, away from the sun."""
        spot = self.spot(s, t, margin_m=20)
        if self.light.strength < 0.2 or spot is None or spot.z > 90:
            return
        long = min(3.5, 1 / self.light.sun_height) * height
        ds, dt = -self.sun_s * long, -self.sun_t * long
        ws, wt = self.sun_t * half, -self.sun_s * half
        foot = [
            (s + ws, t + wt, 0.0),
            (s + ds * 0.7 + 1.2 * ws, t + dt * 0.7 + 1.2 * wt, 0.0),
            (s + ds, t + dt, 0.0),
            (s + ds * 0.7 - 1.2 * ws, t + dt * 0.7 - 1.2 * wt, 0.0),
            (s - ws, t - wt, 0.0),
        ]
        ahead = clip([self.seen(point) for point in foot])
        if len(ahead) >= 3:
            deep = int(86 * self.light.strength)
            self.glass.polygon([self.pixel(point) for point in ahead], fill=(24, 30, 52, deep))

    def mark(self, kind: str, pixels: Sequence[Pixel]) -> None:
        """Remember where a cue is, in pixels of the finished picture: the largest of each kind."""
        xs = [min(max(x, 0.0), float(self.width)) for x, _ in pixels]
        ys = [min(max(y, 0.0), float(self.height)) for _, y in pixels]
        box = tuple(int(value / SCALE + 0.5) for value in (min(xs), min(ys), max(xs), max(ys)))
        x0, y0, x1, y1 = box
        if x1 - x0 < 3 or y1 - y0 < 3:
            return
        old = self.cues.get(kind, (0, 0, 0, 0))
        if (x1 - x0) * (y1 - y0) > (old[2] - old[0]) * (old[3] - old[1]):
            self.cues[kind] = (x0, y0, x1, y1)

    def finished(self) -> Image.Image:
        """The picture at its size."""
        return self.image.reduce(SCALE)


def clip(points: Sequence[Point]) -> list[Point]:
    """The part of a polygon that is before the camera (Sutherland and Hodgman, CACM 1974)."""
    if all(point[2] >= NEAR_M for point in points):
        return list(points)
    kept: list[Point] = []
    before = points[-1]
    for point in points:
        if (before[2] >= NEAR_M) != (point[2] >= NEAR_M):
            share = (NEAR_M - before[2]) / (point[2] - before[2])
            kept.append(
                (
                    before[0] + (point[0] - before[0]) * share,
                    before[1] + (point[1] - before[1]) * share,
                    NEAR_M,
                )
            )
        if point[2] >= NEAR_M:
            kept.append(point)
        before = point
    return kept


def area(pixels: Sequence[Pixel]) -> float:
    """Twice the area of a polygon, positive when it goes clockwise on the screen."""
    total = 0.0
    x0, y0 = pixels[-1]
    for x1, y1 in pixels:
        total += x0 * y1 - x1 * y0
        x0, y0 = x1, y1
    return total
