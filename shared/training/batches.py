"""Batches of cached images: an order that follows from the seed and the epoch, without workers.

Images stay bytes until they are on the device. They are gathered from the GPU's own memory when
all of them fit there, and otherwise from the memory-mapped file by a thread that works ahead.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Queue
from threading import Event, Thread
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.training.targets import make_fillers

AHEAD = 2  # batches that are ready before they are asked for
GPU_SHARE = 0.5  # of the GPU's free memory that images may take
LET_GO_BYTES = 256 * 2**20  # read between two times that mapped pages are given back


@dataclass(frozen=True)
class Split:
    """The photos of one list with what is to be learned of them.

    Attributes:
        images: (N, H, W, 3) bytes, mostly a memory map; or (N, ...) float32 features of them.
        targets: (M,) class numbers, or points with or without classes (`targets.located`).
        rows: (M,) the rows of `images` that the targets belong to; all, in order, when None. Of
            features (M, V) too: several views for each target, -1 where there is none.
    """

    images: NDArray[Any]
    targets: Tensor
    rows: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Hold images and targets to each other."""
        n_rows = len(self.images) if self.rows is None else len(self.rows)
        if n_rows != len(self.targets):
            msg = f"Expected a target for each of {n_rows} photos, but got {len(self.targets)}"
            raise ValueError(msg)

    def __len__(self) -> int:
        """The number of photos."""
        return len(self.targets)


class Batch(NamedTuple):
    """What a training step gets.

    Attributes:
        images: (n, H, W, 3) bytes; or features, (n, ...) or (n, V, ...) with NaN for no view.
        targets: (n,) or (n, D); fillers (see `targets`) fill up a process's share.
        epoch, number: which batch of which epoch it is.
        start, total: where these photos lie in the batch of all processes, and its size.
    """

    images: Tensor
    targets: Tensor
    epoch: int
    number: int
    start: int
    total: int


class Batches:
    """An epoch of batches; Lightning takes it in place of a data loader.

    A batch is `batch_size` photos in all: with several processes, each takes its part of the same
    batch. In training an incomplete last batch is left out; otherwise each photo comes once, and
    fillers make the processes' parts equally long.

    Args:
        split: the photos.
        batch_size: photos a step, of all processes together.
        seed: gives, with the epoch, the order; None keeps the order of the list.
        device: where the batches will be used.
        rank: the number of this process.
        world_size: the number of processes.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        seed: int | None,
        device: torch.device,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size < world_size:
            msg = f"Expected a photo or more a process ({world_size}), but batch_size={batch_size}"
            raise ValueError(msg)
        if seed is not None and len(split) < world_size:
            msg = f"Expected a photo or more for each of {world_size} processes: {len(split)}"
            raise ValueError(msg)
        self.split, self.seed = split, seed
        self.device, self.rank, self.world_size = device, rank, world_size
        self.batch_size = min(batch_size, len(split)) if seed is not None else batch_size
        self.batch_size -= self.batch_size % world_size
        self.epoch = 0
        self.on_gpu = upload_if_it_fits(split.images, device)

    @property
    def sampler(self) -> "Batches":
        """Where Lightning sets the epoch."""
        return self

    @property
    def batch_sampler(self) -> None:
        """Lightning looks for one where there is a sampler."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives."""
        self.epoch = epoch

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        n = len(self.split)
        return n // self.batch_size if self.seed is not None else -(-n // self.batch_size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The photos in the order of an epoch."""
        if self.seed is None:
            return np.arange(len(self.split))
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.split))

    def __iter__(self) -> Iterator[Batch]:
        """The batches of this process in the epoch that was set."""
        if self.on_gpu is not None:
            yield from self._produce()
            return
        yield from ahead(self._produce())

    def _produce(self) -> Iterator[Batch]:
        epoch, order = self.epoch, self.order(self.epoch)
        n_read = 0
        for number in range(len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            share = -(-len(chosen) // self.world_size)
            start = self.rank * share
            yield self._batch(chosen, start, share, epoch, number)
            n_read += share * self.split.images[:1].nbytes
            if n_read >= LET_GO_BYTES:
                n_read = 0
                let_go(self.split.images)

    def _batch(
        self, chosen: NDArray[np.int64], start: int, share: int, epoch: int, number: int
    ) -> Batch:
        mine = chosen[start : start + share]
        n_fill = share - len(mine)
        filled = np.concatenate([mine, np.repeat(chosen[:1], n_fill)])
        rows = filled if self.split.rows is None else self.split.rows[filled]
        targets = self.split.targets[torch.from_numpy(filled)]
        if n_fill:
            make_fillers(targets, len(mine))
        return Batch(self._gather(rows), targets, epoch, number, start, len(chosen))

    def _gather(self, rows: NDArray[np.int64]) -> Tensor:
        if self.on_gpu is not None:
            images = self.on_gpu[torch.from_numpy(rows).to(self.device)]
        else:
            images = torch.from_numpy(np.take(self.split.images, rows, axis=0))
        if rows.ndim == 2:
            images[torch.from_numpy(rows < 0)] = torch.nan
        is_behind = self.device.type == "cuda" and self.on_gpu is None
        return images.pin_memory() if is_behind else images


def upload_if_it_fits(images: NDArray[Any], device: torch.device) -> Tensor | None:
    """All images in the GPU's memory, or None: no GPU, or they would take more than half of it."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    if images.nbytes > GPU_SHARE * free:
        return None
    dtype = torch.from_numpy(np.array(images[:0])).dtype
    on_gpu = torch.empty(images.shape, dtype=dtype, device=device)
    for start in range(0, len(images), 4096):
        on_gpu[start : start + 4096] = torch.from_numpy(np.array(images[start : start + 4096]))
    return on_gpu


def let_go(images: NDArray[Any]) -> None:
    """Give the pages of a memory-mapped array back, so that the process does not seem to hold it.

    They stay in the system's file cache for as long as it has room.
    """
    mapped = getattr(images, "_mmap", None)
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Batches that a thread prepares while earlier ones are used; its errors are raised here."""
    queue: Queue[Batch | BaseException | None] = Queue(AHEAD)
    is_left = Event()

    def work() -> None:
        try:
            for batch in batches:
                queue.put(batch)
                if is_left.is_set():
                    return
        except BaseException as error:
            queue.put(error)
        else:
            queue.put(None)

    thread = Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while (item := queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        is_left.set()
        while thread.is_alive():  # a full queue would hold the thread back
            if not queue.empty():
                queue.get_nowait()
            thread.join(timeout=0.01)
