"""What a head reads in one epoch: cached features of a frozen backbone, against computing them.

The cached way opens the file anew and gathers shuffled batches as a training does; the other runs
the backbone over the same photos. What writing the cache costs, once, is in the second row: the
cached way with it must pay off from the second epoch on.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import torch

from benchmarks.table import Row, scale
from shared.training.batches import Batches, Split
from shared.training.features import FrozenBackbone, cached_features, embed
from shared.training.images import Preprocessing

BACKBONE = "mobilenet_v3_small"
SIZE = Preprocessing(224, 126)
N_PHOTOS = 1024
BATCH = 64
ROUNDS = 3
TARGET = 20.0
EPOCHS = 20  # of a head


def rows() -> Iterator[Row]:
    """Seconds of an epoch, and of a training of 20 epochs with the cache written before."""
    n = max(BATCH, int(N_PHOTOS * scale()))
    torch.set_num_threads(2)
    torch.manual_seed(0)
    frozen = FrozenBackbone.named(BACKBONE, "none", "map")
    pixels = np.random.default_rng(0).integers(0, 256, (n, SIZE.height, SIZE.width, 3), np.uint8)
    embed(frozen, pixels[:BATCH])  # what the first call allocates is not counted
    fast, slow, write = [], [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            write.append(_seconds(lambda f=folder: _read(frozen, pixels, Path(f))))  # type: ignore[misc]
            fast.append(_seconds(lambda f=folder: _read(frozen, pixels, Path(f))))  # type: ignore[misc]
        slow.append(_seconds(lambda: embed(frozen, pixels, BATCH)))
    ratio = median(slow) / median(fast)
    what = f"{n:,} photos of {SIZE.width} x {SIZE.height}, {BACKBONE}"
    yield Row(
        f"an epoch of features, {what}",
        f"{median(fast):.3f} s",
        f"{median(slow):.2f} s",
        ratio,
        f"at least {TARGET:.0f}",
        ratio >= TARGET,
    )
    whole = median(write) + (EPOCHS - 1) * median(fast)
    gain = EPOCHS * median(slow) / whole
    yield Row(
        f"{EPOCHS} epochs with the cache written first, {what}",
        f"{whole:.2f} s",
        f"{EPOCHS * median(slow):.1f} s",
        gain,
        "at least 5",
        gain >= 5,
    )


def _read(frozen: FrozenBackbone, pixels: np.ndarray, folder: Path) -> None:
    features = cached_features(frozen, pixels, "list", SIZE, folder)
    targets = torch.zeros(len(features), dtype=torch.long)
    batches = Batches(Split(features, targets), BATCH, 0, torch.device("cpu"))
    assert sum(len(batch.images) for batch in batches) >= len(features) - BATCH


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
