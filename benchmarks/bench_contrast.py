"""The contrastive loss against transformers' own CLIP loss: time of a step, and memory.

Sizes: batches of 1,024 photos and captions in 512 dimensions, at scale 1. Forward and backward,
from the embeddings as they leave the encoders: both bring them to length 1.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from transformers.models.clip.modeling_clip import image_text_contrastive_loss

from benchmarks.table import Row, scale
from shared.training.contrast import contrastive_loss

WIDTH = 512
ROUNDS = 15
CAPTIONS = 100  # different ones in a batch
NOISE = 1.05  # two timings of the same thing differ by so much

Loss = Callable[[], Tensor]


def rows() -> Iterator[Row]:
    """The rows of this topic."""
    torch.set_num_threads(2)
    n = max(16, round(1024 * scale()))
    generator = torch.Generator().manual_seed(0)
    images, texts = torch.randn(2, n, WIDTH, generator=generator)
    leaves = [images.requires_grad_(), texts.requires_grad_(), torch.tensor(14.3)]
    leaves[2].requires_grad_()
    groups = torch.randint(0, CAPTIONS, (n,), generator=generator)

    def theirs() -> Tensor:
        first = leaves[0] / leaves[0].norm(p=2, dim=-1, keepdim=True)
        second = leaves[1] / leaves[1].norm(p=2, dim=-1, keepdim=True)
        found: Tensor = image_text_contrastive_loss(second @ first.T * leaves[2])
        return found

    ours: dict[str, Loss] = {
        "as CLIP": lambda: contrastive_loss(images, texts, leaves[2], None, "negatives"),
        "soft targets": lambda: contrastive_loss(images, texts, leaves[2], groups, "soft"),
        "repeats masked": lambda: contrastive_loss(images, texts, leaves[2], groups, "mask"),
    }
    agree(ours["as CLIP"], theirs, leaves)
    seconds = timed({**ours, "theirs": theirs}, leaves)
    bytes_held = {name: held(loss) for name, loss in {**ours, "theirs": theirs}.items()}
    for name in ours:
        yield time_row(name, n, seconds)
        yield memory_row(name, bytes_held)


def agree(ours: Loss, theirs: Loss, leaves: list[Tensor]) -> None:
    """Hold both to the same loss and gradients.

    Raises:
        ValueError: when they differ.
    """
    found = [torch.autograd.grad(loss(), leaves) for loss in (ours, theirs)]
    for mine, other in zip(*found, strict=True):
        if not torch.allclose(mine, other, atol=1e-6, rtol=1e-3):
            msg = f"Expected equal gradients, but they differ by {(mine - other).abs().max()}"
            raise ValueError(msg)


def timed(losses: dict[str, Loss], leaves: list[Tensor]) -> dict[str, float]:
    """Median seconds of a forward and backward pass of each, taken in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in losses}
    for _ in range(ROUNDS + 1):
        for name, loss in losses.items():
            for leaf in leaves:
                leaf.grad = None
            began = time.perf_counter()
            loss().backward()  # type: ignore[no-untyped-call]
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(times[1:]) for name, times in seconds.items()}


def held(loss: Loss) -> int:
    """The most bytes that a forward and backward pass holds at a time, beside its inputs."""
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        loss().backward()  # type: ignore[no-untyped-call]
    now, most = 0, 0
    for event in watched.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    return most


def time_row(name: str, n: int, seconds: dict[str, float]) -> Row:
    """The time of a step."""
    ratio = seconds["theirs"] / seconds[name]
    return Row(
        f"contrastive loss, {name} ({n:,} photos, {WIDTH} dimensions)",
        f"{1000 * seconds[name]:.1f} ms",
        f"transformers' CLIP loss: {1000 * seconds['theirs']:.1f} ms",
        ratio,
        f">= 1 (to {NOISE:g})",
        ratio * NOISE >= 1,
    )


def memory_row(name: str, bytes_held: dict[str, int]) -> Row:
    """The memory of a step."""
    ratio = bytes_held[name] / bytes_held["theirs"]
    return Row(
        "  the most memory that it holds",
        f"{bytes_held[name] / 1e6:.1f} MB",
        f"{bytes_held['theirs'] / 1e6:.1f} MB",
        ratio,
        "<= 1",
        ratio <= 1,
    )
