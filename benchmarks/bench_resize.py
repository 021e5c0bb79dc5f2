"""Shrinking 1280 x 720 JPEGs to 320 x 180, read from and written to files, against Pillow.

The photos are made: random smooth shapes with grain, at quality 90 about 150 kB each or 1.3 bits a
pixel (real street views of 640 x 610 have 1.6). The more grain, the more of the time goes into
reading the code of the JPEG, which no way of decoding saves.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.table import Row, scale
from shared.processing.resize import ResizeSettings, resize_pairs

N_PHOTOS = 1_000
N_ROUNDS = 5
SETTINGS = ResizeSettings()


@dataclass(frozen=True)
class _Photo:
    id: str
    image: Path


def rows() -> Iterator[Row]:
    """One process against Pillow's full decode and Lanczos filter; two processes against one."""
    n_photos = max(50, round(N_PHOTOS * scale()))
    folder = Path(tempfile.mkdtemp(prefix="bench-resize-"))
    try:
        photos = [_made(folder, number) for number in range(n_photos)]
        taken = [_round(photos, folder / "small") for _ in range(N_ROUNDS)]
    finally:
        shutil.rmtree(folder)
    pillow, one, two = (statistics.median(side) for side in zip(*taken, strict=True))
    # Photos a second; each round interleaves the three sides, so that a busy machine slows all.
    yield _row("resize, one core, x Pillow decode + LANCZOS", n_photos, one, pillow, 5.0)
    yield _row("resize, two processes, x one", n_photos, two, one, 1.7)


def _row(name: str, n_photos: int, ours_s: float, baseline_s: float, asked: float) -> Row:
    ratio = baseline_s / ours_s
    return Row(
        name,
        f"{n_photos / ours_s:,.0f} photos/s",
        f"{n_photos / baseline_s:,.0f} photos/s",
        ratio,
        f">= {asked:g} x",
        ratio >= asked,
    )


def _made(folder: Path, number: int) -> _Photo:
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (9, 16, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (1280, 720), interpolation=cv2.INTER_CUBIC)
    image = np.asarray(smooth, np.float64) + rng.normal(0, 4, (720, 1280, 3))
    path = folder / f"photo_{number:04d}.jpg"
    cv2.imwrite(str(path), np.clip(image, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return _Photo(path.stem, path)


def _round(photos: list[_Photo], folder: Path) -> tuple[float, float, float]:
    """Seconds of Pillow, of ours in one process and of ours in two."""
    return (
        _timed(lambda: _by_pillow(photos, folder), folder),
        _timed(lambda: resize_pairs(photos, folder, SETTINGS, n_processes=1), folder),
        _timed(lambda: resize_pairs(photos, folder, SETTINGS, n_processes=2), folder),
    )


def _timed(work: Callable[[], object], folder: Path) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _by_pillow(photos: list[_Photo], folder: Path) -> None:
    for photo in photos:
        with Image.open(photo.image) as image:
            small = image.resize((SETTINGS.width, SETTINGS.height), Image.Resampling.LANCZOS)
            small.save(folder / photo.image.name, quality=SETTINGS.quality)
