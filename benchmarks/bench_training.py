"""Training fed by the cache against the same loop on one batch in memory; and a set beyond memory.

Sizes: 20,000 photos of 112 x 63 pixels, which is 424 MB, at scale 1; and a file one and a half
times as large as the machine's memory, of which as many batches are trained as fit in a minute.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.table import Row, scale
from shared.training.augment import Augmentation, augment, draw
from shared.training.backbones import Normalisation, build_backbone
from shared.training.batches import Batch, Batches, Split
from shared.training.module import as_floats

CPU = torch.device("cpu")
HEIGHT, WIDTH, BATCH = 63, 112, 64
N_CLASSES = 16
ROUNDS, STEPS = 7, 12


class Loop:
    """The training step: bytes to floats, augmentation, network, AdamW."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        model = build_backbone("mobilenet_v3_small", N_CLASSES)
        self.model = model.to(memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.generator = torch.Generator().manual_seed(0)
        self.normalisation = Normalisation.of("half")

    def step(self, batch: Batch) -> None:
        """Train on a batch."""
        settings = Augmentation()
        images = as_floats(batch.images)
        images = augment(images, draw(len(images), settings, self.generator), settings)
        outputs = self.model(self.normalisation.apply(images))
        loss = nn.functional.cross_entropy(outputs, batch.targets)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()


def rows() -> Iterator[Row]:
    """The rows of this topic."""
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        yield fed_by_cache(Path(folder), round(20_000 * scale()))
        yield beyond_memory(Path(folder))


def fed_by_cache(folder: Path, n: int) -> Row:
    """Images a second from the cache's file, and from one batch that stays in memory."""
    n = max(n, BATCH * STEPS)
    shape = (n, HEIGHT, WIDTH, 3)
    images = np.lib.format.open_memmap(folder / "a.npy", "w+", dtype=np.uint8, shape=shape)
    rng = np.random.default_rng(0)
    for start in range(0, n, 1000):
        images[start : start + 1000] = rng.integers(0, 256, images[start : start + 1000].shape)
    images.flush()
    split = Split(np.load(folder / "a.npy", mmap_mode="r"), torch.arange(n) % N_CLASSES)
    loop, batches = Loop(), Batches(split, BATCH, 0, CPU)
    kept = next(iter(batches))
    ours, theirs = [], []
    for round_ in range(ROUNDS + 1):
        batches.set_epoch(round_)
        from_cache = timed(loop, iter(batches))
        from_memory = timed(loop, iter([kept] * STEPS))
        if round_:  # the first one warms up
            ours.append(from_cache)
            theirs.append(from_memory)
    ratios = [theirs_s / ours_s for theirs_s, ours_s in zip(theirs, ours, strict=True)]
    return Row(
        f"training fed by the cache ({n:,} photos)",
        f"{BATCH * STEPS / statistics.median(ours):.0f} images/s",
        f"one batch in memory: {BATCH * STEPS / statistics.median(theirs):.0f} images/s",
        statistics.median(ratios),
        ">= 0.95",
        statistics.median(ratios) >= 0.95,
    )


def timed(loop: Loop, batches: Iterator[Batch]) -> float:
    """Seconds for the steps of a round, the wait for its batches included."""
    began = time.perf_counter()
    for _, batch in zip(range(STEPS), batches, strict=False):
        loop.step(batch)
    return time.perf_counter() - began


def beyond_memory(folder: Path) -> Row:
    """Train on a file larger than memory in a process whose own memory is limited to a part of it.

    The file is sparse, so it takes no room on the disk; its pages are read all the same.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    n = int(1.5 * memory) // (HEIGHT * WIDTH * 3)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench_training", str(folder / "big.npy"), str(n)],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
        cwd=Path(__file__).parents[1],
    )
    read, largest, alone = (float(word) for word in done.stdout.split()[-3:])
    set_gb = n * HEIGHT * WIDTH * 3 / 1e9
    return Row(
        f"a training set of {set_gb:.0f} GB, {memory / 1e9:.0f} GB of memory",
        f"at most {largest / 1e9:.2f} GB resident, after batches from {read:.0%} of the file",
        f"without the set {alone / 1e9:.2f} GB",
        largest / memory,
        "<= 0.25 of the memory",
        largest <= 0.25 * memory,
    )


def train_beyond_memory(path: Path, n: int) -> None:
    """Print the share of the file that batches came from, and resident bytes: largest, alone."""
    shape = (n, HEIGHT, WIDTH, 3)
    images = np.lib.format.open_memmap(path, "w+", dtype=np.uint8, shape=shape)
    del images
    torch.set_num_threads(2)
    loop = Loop()
    warm = Split(np.zeros((BATCH, HEIGHT, WIDTH, 3), np.uint8), torch.zeros(BATCH).long())
    for batch in Batches(warm, BATCH, 0, CPU):
        loop.step(batch)
    alone = resident()
    # Private memory is limited to what it is now and a gigabyte, a small part of the file.
    resource.setrlimit(resource.RLIMIT_DATA, (private() + 2**30, -1))
    split = Split(np.load(path, mmap_mode="r"), torch.arange(n) % N_CLASSES)
    largest, regions, until = 0.0, set(), time.monotonic() + 60 * scale()
    batches = Batches(split, BATCH, 0, CPU)
    order = batches.order(0)
    for batch in batches:
        loop.step(batch)
        chosen = order[batch.number * BATCH : (batch.number + 1) * BATCH]
        regions.update((chosen * 1000 // n).tolist())  # of a thousand parts of the file
        largest = max(largest, resident())
        if time.monotonic() > until:
            break
    print(len(regions) / 1000, largest, alone)


def resident() -> float:
    """Bytes of this process that are in memory, mapped files included."""
    return status("VmRSS")


def private() -> int:
    """Bytes that this process has asked for by itself."""
    return int(status("VmData"))


def status(name: str) -> float:
    """A value of /proc/self/status, bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(float(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    train_beyond_memory(Path(sys.argv[1]), int(sys.argv[2]))
