"""The photo of a view, taken when its pixels have stopped changing. Times are seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.collection.geoguessr_faults import UnsettledError
from shared.collection.geoguessr_page import GamePage

BLANK_LEVELS = 3.0  # a view whose grey levels (0 to 255) spread less shows nothing
SAME_LEVELS = 4  # grey levels by which a spot may differ and count as unchanged
# A page that gets no time to paint shows the same too: between two looks it has to draw so many
# frames of its own, a sixth of a second's worth.
N_FRAMES = 10
FRAMES = """(left) => new Promise((done) => {
    const next = () => (left-- > 0 ? requestAnimationFrame(next) : done());
    next();
})"""
MAY_DIFFER = 0.01  # share of the spots that may change in multiplayer: its clocks run over the view


@dataclass(frozen=True)
class Patience:
    """When a view counts as settled.

    Attributes:
        quiet_s: its pixels have not changed for so long.
        poll_s: between looks.
        timeout_s: no longer than this is waited.
        quality: of the JPEG.
    """

    quiet_s: float = 1.5
    poll_s: float = 0.3
    timeout_s: float = 40.0
    quality: int = 90


async def take_alone(game_page: GamePage, patience: Patience, may_be_blank: bool = False) -> bytes:
    """The photo of the whole window with everything else hidden, as JPEG.

    Raises:
        UnsettledError: the view kept changing, or is blank and may not be.
    """

    async def look() -> bytes:
        async with game_page.troubles(game_page.described(["canvas"])):
            await asyncio.wait_for(game_page.page.evaluate(FRAMES, N_FRAMES), game_page.timeout_s)
            return await game_page.page.screenshot(
                type="jpeg", quality=patience.quality, style=game_page.site.hidden
            )

    return await _settled(look, patience, 0.0, may_be_blank)


async def take_as_it_is(game_page: GamePage, patience: Patience) -> bytes:
    """The photo of the view as a player sees it: the page is not touched, as multiplayer asks.

    Raises:
        UnsettledError: the view kept changing, or is blank.
    """

    async def look() -> bytes:
        async with game_page.troubles(game_page.described(["canvas"])):
            canvas = game_page.named("canvas").first
            # Playwright hides carets by a style sheet, unless it is told to leave them.
            return await canvas.screenshot(type="jpeg", quality=patience.quality, caret="initial")

    return await _settled(look, patience, MAY_DIFFER, may_be_blank=False)


async def _settled(
    look: Callable[[], Awaitable[bytes]], patience: Patience, may_differ: float, may_be_blank: bool
) -> bytes:
    """The last of a row of looks that show the same as its first, for `quiet_s`."""
    deadline = time.monotonic() + patience.timeout_s
    first = await look()
    since = time.monotonic()
    is_blank = _is_blank(first)
    while time.monotonic() < deadline:
        await asyncio.sleep(patience.poll_s)
        now = await look()
        if not is_same(first, now, may_differ):
            first, since, is_blank = now, time.monotonic(), _is_blank(now)
        elif time.monotonic() - since >= patience.quiet_s and (may_be_blank or not is_blank):
            return now
    what = "stayed blank" if is_blank else "kept changing"
    msg = f"the view {what} for {patience.timeout_s:g} s"
    raise UnsettledError(msg)


def is_same(before: bytes, now: bytes, may_differ: float) -> bool:
    """Whether two photos of the same size show the same.

    Args:
        before: a JPEG. The encoder makes the same bytes of the same pixels.
        now: another.
        may_differ: share of the spots (8 x 8 pixels each) that may have changed.
    """
    if before == now:
        return True
    if not may_differ:
        return False
    one, other = _spots(before), _spots(now)
    if one.shape != other.shape:
        return False
    return float(np.mean(np.abs(one - other) > SAME_LEVELS)) <= may_differ


def _is_blank(photo: bytes) -> bool:
    return float(_spots(photo).std()) < BLANK_LEVELS


def _spots(photo: bytes) -> NDArray[np.int16]:
    """(height / 8, width / 8) grey levels of a JPEG."""
    data = np.frombuffer(photo, np.uint8)
    grey = cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_8)
    if grey is None:
        msg = f"Expected a JPEG, but got {len(photo)} bytes that begin with {photo[:4]!r}"
        raise ValueError(msg)
    return np.asarray(grey, np.int16)
