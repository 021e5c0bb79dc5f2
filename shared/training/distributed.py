"""One process or several: what torchrun's environment says, and waiting for one another.

Without torchrun there is one process, and everything here does nothing. With it, a notebook that
was turned into plain Python runs once a GPU, and the main process alone writes and prints.
"""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

PATIENCE = timedelta(hours=2)  # the others wait while the main process decodes the images


def world_size() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this process among all, from 0."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """The number of this process among those of its machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def local_world_size() -> int:
    """How many processes train together on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Whether this process is the one that writes, prints and draws."""
    return rank() == 0


def start() -> None:
    """Meet the other processes that torchrun started; nothing to do for one process."""
    if world_size() == 1 or dist.is_initialized():
        return
    has_gpu = torch.cuda.is_available()
    if has_gpu:
        torch.cuda.set_device(local_rank())
    dist.init_process_group("cpu:gloo,cuda:nccl" if has_gpu else "gloo", timeout=PATIENCE)
    atexit.register(_leave)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def wait_for_all() -> None:
    """Go on when every process is here."""
    if world_size() > 1:
        start()
        # A sum on the CPU: it needs no GPU to be chosen, as a barrier of nccl does.
        dist.all_reduce(torch.zeros(1))


@contextmanager
def one_process_first() -> Iterator[None]:
    """Let one process of each machine go through a block before the others do.

    It decodes or downloads; the others then find the file.
    """
    if local_rank() > 0:
        wait_for_all()
    yield
    if local_rank() == 0:
        wait_for_all()


def first_says(value: int) -> int:
    """The main process's value, in every process, so that all take the same decision."""
    if world_size() == 1:
        return value
    start()
    told = torch.tensor([value])
    dist.broadcast(told, src=0)
    return int(told.item())


def quiet_others() -> None:
    """Let only the main process print, so that a log under torchrun reads like one run."""
    if not is_main_process():
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
