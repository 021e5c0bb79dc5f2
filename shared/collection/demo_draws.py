"""Random draws and colours of the demo world, the same on every machine.

Every draw comes from Python's Mersenne Twister, whose `random()` is promised to stay the same
sequence for a seed. Colours are red, green, blue, 0 to 255.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeVar

Colour = tuple[int, int, int]
Item = TypeVar("Item")

DIGITS = 6  # sines differ in their last bits between machines: they are rounded before use


class Draws:
    """Draws that a seed and a name decide: other names' draws move none of them."""

    def __init__(self, seed: int, name: str) -> None:
        digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
        self._random = Random(int.from_bytes(digest[:16], "big")).random

    def unit(self) -> float:
        """At least 0 and less than 1."""
        return self._random()

    def between(self, low: float, high: float) -> float:
        """At least `low` and less than `high`."""
        return low + (high - low) * self._random()

    def whole(self, n: int) -> int:
        """One of 0 .. n - 1."""
        return int(self._random() * n)

    def middling(self) -> float:
        """Between -1 and 1, mostly near 0."""
        return self._random() + self._random() - 1.0

    def happens(self, chance: float) -> bool:
        """True with this chance."""
        return self._random() < chance

    def weighted(self, weights: Mapping[str, float]) -> str:
        """A key, as often as its weight says."""
        left = self._random() * sum(weights.values())
        for key, weight in weights.items():
            left -= weight
            if left < 0:
                return key
        return next(reversed(list(weights)))

    def along(self, items: Sequence[Item], position: float, spread: float = 0.35) -> Item:
        """An item of an ordered row, mostly one near a position (0: the first, 1: the last)."""
        at = (position + spread * self.middling()) * len(items)
        return items[min(len(items) - 1, max(0, math.floor(at)))]

    def near(self, colour: Colour, spread: float) -> Colour:
        """A colour like this one: lighter or darker, and a little off in hue."""
        step = spread * self.middling()
        r, g, b = (channel + step + 0.3 * spread * self.middling() for channel in colour)
        return clipped(r, g, b)


def clipped(r: float, g: float, b: float) -> Colour:
    """The nearest colour that can be shown."""
    return (
        min(255, max(0, int(r + 0.5))),
        min(255, max(0, int(g + 0.5))),
        min(255, max(0, int(b + 0.5))),
    )


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Between two colours: share 0 is `a`, 1 is `b`."""
    return clipped(
        a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share
    )


def shade(colour: Colour, factor: float) -> Colour:
    """Darker (a factor below 1) or lighter."""
    return clipped(colour[0] * factor, colour[1] * factor, colour[2] * factor)


def sine(degrees: float) -> float:
    """The sine of an angle in degrees, rounded to 6 digits."""
    return round(math.sin(math.radians(degrees)), DIGITS)


def cosine(degrees: float) -> float:
    """The cosine of an angle in degrees, rounded to 6 digits."""
    return round(math.cos(math.radians(degrees)), DIGITS)


def limited(value: float, low: float = 0.0, high: float = 1.0) -> float:
    """The value, or the limit that it is beyond."""
    return min(high, max(low, value))
