"""The plants of the demo world, painted by kind."""

from random import Random

from shared.collection.demo_canvas import Canvas, Spot
from shared.collection.demo_draws import Colour, mix, shade
from shared.collection.demo_stands import Thing


def paint_tree(canvas: Canvas, tree: Thing) -> None:
    """A tree of any shape."""
    spot = canvas.spot(tree.s, tree.t)
    if spot is None:
        return
    high = tree.size * spot.p
    if high < 3:
        return
    PAINTERS[tree.style](canvas, tree, spot, high)
    half = high * (0.18 if tree.style in {"column", "cone", "cactus"} else 0.32)
    canvas.mark("tree", [(spot.x - half, spot.y - high), (spot.x + half, spot.y)])


def _trunk(canvas: Canvas, tree: Thing, spot: Spot, high: float, thick: float) -> None:
    half = max(0.7, thick * spot.p / 2)
    colour = canvas.hazy(tree.second, spot.z)
    x, y = spot.x, spot.y
    canvas.draw.polygon(
        [(x - half, y), (x - half * 0.6, y - high), (x + half * 0.6, y - high), (x + half, y)],
        fill=colour,
    )


def _dabs(
    canvas: Canvas,
    tree: Thing,
    middle: tuple[float, float, float],
    radii: tuple[float, float],
    n: int,
    size: float,
) -> None:
    """Leaves as dabs: dark ones first, light ones towards the sun.

    Args:
        canvas: where to paint.
        tree: whose leaves they are.
        middle: x, y (pixels) and distance (m) of the crown's middle.
        radii: of the crown, pixels.
        n: how many dabs.
        size: radius of a dab, in crown radii.
    """
    draw = Random(tree.seed).random
    x, y, z = middle
    sunny = 0.55 * canvas.sun_right * canvas.light.strength
    tones = [canvas.hazy(shade(tree.colour, f), z) for f in (0.66, 0.8, 0.94, 1.08, 1.2)]
    dabs: list[tuple[int, float, float, float]] = [(0, 0.0, 0.12, 0.9 if n > 3 else 1.0)]
    for _ in range(n):
        dx, dy = 2 * draw() - 1, 2 * draw() - 1
        far = dx * dx + dy * dy
        if far > 1:
            dx, dy = dx * 0.7, dy * 0.7
        tone = int(2.2 + 1.9 * (sunny * dx - 0.75 * dy) + 0.9 * (draw() - 0.5))
        dabs.append((min(4, max(0, tone)), dx * 0.8, dy * 0.8, size * (0.75 + 0.5 * draw())))
    dabs.sort(key=lambda dab: dab[0])
    for tone, dx, dy, r in dabs:
        cx, cy = x + dx * radii[0], y + dy * radii[1]
        rx, ry = r * radii[0], r * radii[1]
        canvas.draw.ellipse((cx - rx, cy - ry, cx + rx, cy + ry), fill=tones[tone])


def _count(high: float, most: int) -> int:
    return max(4, min(most, int(high / 5)))


def _round(canvas: Canvas, tree: Thing, spot: Spot, high: float) -> None:
    _trunk(canvas, tree, spot, high * 0.6, 0.32)
    middle = (spot.x, spot.y - high * 0.63, spot.z)
    _dabs(canvas, tree, middle, (high * 0.33, high * 0.37), _count(high, 46), 0.29)


def _column(canvas: Canvas, tree: Thing, spot: Spot, high: float) -> None:
    _trunk(canvas, tree, spot, high * 0.3, 0.3)
    middle = (spot.x, spot.y - high * 0.54, spot.z)
    _dabs(canvas, tree, middle, (high * 0.1, high * 0.46), _count(high, 34), 0.36)


def _umbrella(canvas: Canvas, tree: Thing, spot: Spot, high: float) -> None:
    _trunk(canvas, tree, spot, high * 0.85, 0.3)
    colour = canvas.hazy(tree.second, spot.z)
    wide = max(1, int(0.16 * spot.p))
    for side in (-1, 1):
        end = (spot.x + side * high * 0.3, spot.y - high * 0.84)
        canvas.draw.line([(spot.x, spot.y - high * 0.5), end], fill=colour, width=wide)
    middle = (spot.x, spot.y - high * 0.86, spot.z)
    _dabs(canvas, tree, middle, (high * 0.5, high * 0.14), _count(high, 34), 0.3)


def _gum(canvas: Canvas, tree: Thing, spot: Spot, high: float) -> None:
    """A pale bare trunk that forks, with a few tufts."""
    _trunk(canvas, tree, spot, high * 0.8, 0.4)
    colour = canvas.hazy(tree.second, spot.z)
    wide = max(1, int(0.2 * spot.p))
    draw = Random(tree.seed + 1).random
    for k in range(4):
        side = -1 if k % 2 else 1
        end = (
            spot.x + side * high * (0.1 + 0.16 * draw()),
            spot.y - high * (0.58 + 0.1 * k + 0.04 * draw()),
        )
        canvas.draw.line([(spot.x, spot.y - high * (0.4 + 0.1 * k)), end], fill=colour, width=wide)
        radii = (high * 0.17, high * 0.1)
        _dabs(canvas, tree, (end[0], end[1], spot.z), radii, _count(high, 9), 0.45)


def _cone(canvas: Canvas, tree: Thing, spot: Spot, high: float) -> None:
    """A conifer in tiers; its sunny half is lighter."""
    _trunk(canvas, tree, spot, high * 0.2, 0.35)
    n = max(2, min(8, int(high / 22)))
    turn = 0.25 * canvas.sun_right
    dark = canvas.hazy(shade(tree.colour, 0.82), spot.z)
    bright = canvas.hazy(shade(tree.colour, 1.12), spot.z)
    top = spot.y - high
    for k in range(n):
        tip = top + high * 0.86 * k / n * 0.92
        low = top + high * 0.9 * (k + 1.25) / (n + 0.25)
        half = high * 0.21 * (k + 1.3) / (n + 0.3)
        x = spot.x
        canvas.draw.polygon([(x, tip), (x + half, low), (x - half, low)], fill=dark)
        if turn * turn > 0.001:
            edge = x + (half if turn > 0 else -half)
            canvas.draw.polygon([(x, tip), (edge, low), (x - turn * half, low)], fill=bright)


def _palm(canvas: Canvas, tree: Thing, spot: Spot, high: float) -> None:
    draw = Random(tree.seed).random
    lean = high * 0.16 * (draw() - 0.5)
    half = max(0.8, 0.14 * spot.p)
    x, y, top = spot.x, spot.y, spot.y - high * 0.86
    trunk = canvas.hazy(tree.second, spot.z)
    bend = [(x + lean * 0.3, y - high * 0.45), (x + lean, top)]
    left = [(px - half * 0.7, py) for px, py in bend]
    right = [(px + half * 0.7, py) for px, py in reversed(bend)]
    canvas.draw.polygon([(x - half, y), *left, *right, (x + half, y)], fill=trunk)
    for k in range(11):
        side = (k - 5) / 5
        out = high * (0.2 + 0.1 * draw()) * (side * 1.25)
        rise = high * (0.1 - 0.22 * side * side + 0.05 * draw())
        tone = shade(tree.colour, 0.78 + 0.42 * draw())
        _frond(canvas, (x + lean, top), (out, rise), high * 0.035, canvas.hazy(tone, spot.z))


def _frond(
    canvas: Canvas, at: tuple[float, float], out: tuple[float, float], wide: float, colour: Colour
) -> None:
    x, y = at
    middle = (x + out[0] * 0.55, y - out[1] - wide * 1.6)
    tip = (x + out[0], y - out[1] + wide * 1.2)
    below = (x + out[0] * 0.5, y - out[1] + wide * 0.5)
    canvas.draw.polygon([(x, y - wide * 0.4), middle, tip, below, (x, y + wide * 0.4)], fill=colour)


def _shrub(canvas: Canvas, tree: Thing, spot: Spot, high: float) -> None:
    middle = (spot.x, spot.y - high * 0.45, spot.z)
    _dabs(canvas, tree, middle, (high * 0.75, high * 0.5), _count(high, 14), 0.36)


def _cactus(canvas: Canvas, tree: Thing, spot: Spot, high: float) -> None:
    colour = canvas.hazy(tree.colour, spot.z)
    dark = canvas.hazy(mix(tree.colour, (30, 50, 40), 0.35), spot.z)
    half = high * 0.07
    x, y = spot.x, spot.y

    def limb(x0: float, y0: float, x1: float, y1: float) -> None:
        canvas.draw.rounded_rectangle((x0, y0, x1, y1), radius=half, fill=colour)
        canvas.draw.rectangle((x0, y0 + half, x0 + half * 0.6, y1), fill=dark)

    for side, low in ((-1, 0.42), (1, 0.56)):
        arm = x + side * high * 0.2
        level = y - high * low
        canvas.draw.rectangle(
            (min(x, arm), level - half, max(x, arm), level + half * 0.6), fill=colour
        )
        limb(arm - half * 0.8, level - high * 0.26, arm + half * 0.8, level + half * 0.6)
    limb(x - half, y - high, x + half, y)


PAINTERS = {
    "round": _round,
    "column": _column,
    "umbrella": _umbrella,
    "gum": _gum,
    "cone": _cone,
    "palm": _palm,
    "shrub": _shrub,
    "cactus": _cactus,
}
