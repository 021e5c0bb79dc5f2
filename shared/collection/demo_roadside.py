"""What stands beside the roads of the demo world: poles, fences, bollards and signs."""

from collections.abc import Callable, Mapping

from shared.collection.demo_canvas import Canvas, Pixel, Point, Spot
from shared.collection.demo_draws import Colour, shade
from shared.collection.demo_stands import Thing

RED: Colour = (196, 48, 44)
BLACK: Colour = (46, 46, 48)
SIGN_WHITE: Colour = (240, 240, 236)
SIGN_YELLOW: Colour = (244, 200, 40)
SIGN_BLUE: Colour = (46, 92, 176)


def paint_pole(canvas: Canvas, pole: Thing) -> None:
    """A pole with its arms, and the wires to the next."""
    _wires(canvas, pole)
    spot = canvas.spot(pole.s, pole.t)
    if spot is None:
        return
    x, y, p = spot.x, spot.y, spot.p
    high = pole.size * p
    half = max(0.8, (0.24 if pole.style in {"concrete", "striped"} else 0.18) * p)
    colour = canvas.hazy(shade(pole.colour, 0.95), spot.z)
    canvas.draw.polygon(
        [(x - half, y), (x - half * 0.65, y - high), (x + half * 0.65, y - high), (x + half, y)],
        fill=colour,
    )
    bright = canvas.hazy(shade(pole.colour, 1.2), spot.z)
    side = half * (0.5 if canvas.sun_right > 0 else -0.5)
    canvas.draw.line(
        [(x + side, y), (x + side * 0.65, y - high)], fill=bright, width=max(1, int(half / 2))
    )
    _crossarm(canvas, pole, spot, high, half, colour)
    if pole.style == "striped":
        for k in range(5):
            band = canvas.hazy(SIGN_YELLOW if k % 2 else BLACK, spot.z)
            canvas.draw.rectangle(
                (x - half, y - (k + 1) * 0.4 * p, x + half, y - k * 0.4 * p), band
            )
    if pole.style == "metal":
        for k in range(6):
            low, top = y - high * k / 6, y - high * (k + 1) / 6
            canvas.draw.line(
                [(x - 2 * half, low), (x + 2 * half, top)], colour, max(1, int(half / 2))
            )
    canvas.mark("pole", [(x - 0.9 * p, y - high), (x + 0.9 * p, y)])


def _crossarm(
    canvas: Canvas, pole: Thing, spot: Spot, high: float, half: float, colour: Colour
) -> None:
    """The arm lies across the road: seen from the side it is short."""
    across = abs(canvas.cos)
    reach = (0.95 if pole.style == "wood" else 0.7) * spot.p * max(0.15, across)
    thick = max(1, int(half * 0.9))
    rows = {"wood": (0.94, 0.86), "striped": (0.97, 0.9, 0.83)}.get(pole.style, (0.96,))
    for row in rows:
        y = spot.y - high * row
        canvas.draw.line([(spot.x - reach, y), (spot.x + reach, y)], fill=colour, width=thick)
    if pole.style == "striped":
        r = 0.3 * spot.p
        y = spot.y - high * 0.74
        canvas.draw.rectangle((spot.x, y, spot.x + 1.6 * r, y + 2.2 * r), fill=colour)


def _wires(canvas: Canvas, pole: Thing) -> None:
    """Wires that sag to the next pole."""
    if not pole.length:
        return
    colour = (60, 62, 68)
    for off in (-0.7, 0.7) if pole.style != "concrete" else (-0.5, 0.0, 0.5):
        line: list[Pixel] = []
        for k in range(7):
            u = k / 6
            sag = 4 * 0.9 * u * (1 - u)
            seen = canvas.seen((pole.s + pole.length * u, pole.t + off, pole.size * 0.95 - sag))
            if seen[2] < 1.5:
                continue
            line.append(canvas.pixel(seen))
        if len(line) > 1 and any(-50 < x < canvas.width + 50 for x, _ in line):
            canvas.draw.line(line, fill=colour, width=1)


def paint_fence(canvas: Canvas, fence: Thing) -> None:
    """A fence along the road, from piece to piece."""
    spot = None
    step = 4.0 if fence.style != "wire" else 6.0
    for k in range(int(fence.length / step)):
        a, b = fence.s + k * step, fence.s + (k + 1) * step
        ahead = canvas.seen((a, fence.t, 0.0))
        if ahead[2] < -step or ahead[2] > 120:
            continue
        _panel(canvas, fence, a, b, k)
        spot = spot or canvas.spot(a, fence.t, margin_m=0)
    if spot is not None:
        high = fence.size * spot.p
        canvas.mark("fence", [(spot.x - high, spot.y - high), (spot.x + high, spot.y)])


def _panel(canvas: Canvas, fence: Thing, a: float, b: float, k: int) -> None:
    t, high = fence.t, fence.size
    tone = canvas.lit(fence.colour, 0, -1 if t > 0 else 1)

    def band(y0: float, y1: float, colour: Colour) -> None:
        canvas.face([(a, t, y0), (b, t, y0), (b, t, y1), (a, t, y1)], colour)

    if fence.style in {"block", "hedge", "stone"}:
        wobble = 0.0 if fence.style == "block" else 0.18 * ((fence.seed >> (k % 24)) & 1)
        band(
            0.0, high - wobble, shade(tone, 0.94 + 0.06 * (k % 2) if fence.style != "block" else 1)
        )
        band(high - wobble - 0.16, high - wobble, shade(tone, 1.18))
        return
    if fence.style == "rail":
        band(0.4, high, tone)
        band(0.52, 0.6, shade(tone, 0.75))
    else:
        for level in (0.35, 0.65, 0.95) if fence.style == "wire" else (0.3, 0.8):
            thick = 0.02 if fence.style == "wire" else 0.07
            band(high * level - thick, high * level + thick, tone)
    _posts(canvas, fence, a, b, tone)


def _posts(canvas: Canvas, fence: Thing, a: float, b: float, tone: Colour) -> None:
    n = 8 if fence.style == "picket" else 2
    half = 0.07 if fence.style == "picket" else 0.08
    for j in range(n):
        s = a + (b - a) * j / n
        ends: list[Point] = [
            (s - half, fence.t, 0.0),
            (s + half, fence.t, 0.0),
            (s + half, fence.t, fence.size),
            (s - half, fence.t, fence.size),
        ]
        canvas.face(ends, shade(tone, 0.88 if fence.style != "picket" else 1.0))


def paint_bollard(canvas: Canvas, bollard: Thing) -> None:
    """A white post with a band."""
    spot = canvas.spot(bollard.s, bollard.t)
    if spot is None or spot.z > 90:
        return
    half, high = 0.13 * spot.p, bollard.size * spot.p
    x, y = spot.x, spot.y
    colours: Mapping[str, Colour] = {"red": RED, "black": BLACK, "orange": (232, 120, 40)}
    canvas.draw.rectangle((x - half, y - high, x + half, y), canvas.hazy(bollard.colour, spot.z))
    if bollard.style in colours:
        band = (x - half, y - high * 0.88, x + half, y - high * 0.55)
        canvas.draw.rectangle(band, canvas.hazy(colours[bollard.style], spot.z))
    canvas.mark("bollard", [(x - half, y - high), (x + half, y)])


def paint_sign(canvas: Canvas, sign: Thing) -> None:
    """A warning sign; from the side it is narrow."""
    spot = canvas.spot(sign.s, sign.t)
    if spot is None or spot.z > 80 or spot.z < 3:
        return
    x, y, p = spot.x, spot.y, spot.p
    post = max(0.7, 0.05 * p)
    top = y - sign.size * p
    canvas.draw.rectangle((x - post, top, x + post, y), canvas.hazy((150, 152, 154), spot.z))
    r = 0.66 * p
    wide = r * max(0.12, abs(canvas.cos))
    SIGNS[sign.style](canvas, (x, top, spot.z), wide, r)
    canvas.mark("sign", [(x - wide, top - r), (x + wide, top + r)])


At = tuple[float, float, float]


def _diamond(canvas: Canvas, at: At, wide: float, r: float) -> None:
    x, y, z = at
    for size, colour in ((1.0, BLACK), (0.88, SIGN_YELLOW)):
        a, b = wide * size, r * size
        points = [(x, y - b), (x + a, y), (x, y + b), (x - a, y)]
        canvas.draw.polygon(points, canvas.hazy(colour, z))


def _triangle(canvas: Canvas, at: At, wide: float, r: float, inner: Colour = SIGN_WHITE) -> None:
    x, y, z = at
    for size, colour in ((1.0, RED), (0.6, inner)):
        a, b = wide * size, r * size
        points = [(x, y - b), (x + a, y + 0.8 * b), (x - a, y + 0.8 * b)]
        canvas.draw.polygon(points, canvas.hazy(colour, z))


def _yellow_triangle(canvas: Canvas, at: At, wide: float, r: float) -> None:
    _triangle(canvas, at, wide, r, SIGN_YELLOW)


def _blue(canvas: Canvas, at: At, wide: float, r: float) -> None:
    x, y, z = at
    canvas.draw.ellipse((x - wide, y - r, x + wide, y + r), canvas.hazy(SIGN_WHITE, z))
    a, b = 0.88 * wide, 0.88 * r
    canvas.draw.ellipse((x - a, y - b, x + a, y + b), canvas.hazy(SIGN_BLUE, z))


def _chevron(canvas: Canvas, at: At, wide: float, r: float) -> None:
    x, y, z = at
    canvas.draw.rectangle((x - wide, y - r, x + wide, y + r), canvas.hazy(BLACK, z))
    points = [
        (x - 0.6 * wide, y - 0.8 * r), (x + 0.1 * wide, y - 0.8 * r), (x + 0.7 * wide, y),
        (x + 0.1 * wide, y + 0.8 * r), (x - 0.6 * wide, y + 0.8 * r), (x, y),
    ]  # fmt: skip
    canvas.draw.polygon(points, canvas.hazy(SIGN_YELLOW, z))


SIGNS: Mapping[str, Callable[[Canvas, At, float, float], None]] = {
    "diamond": _diamond,
    "triangle": _triangle,
    "yellow triangle": _yellow_triangle,
    "blue": _blue,
    "chevron": _chevron,
}
