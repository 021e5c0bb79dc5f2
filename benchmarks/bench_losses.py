"""Haversine-smoothed cross-entropy against a loop over photos; and what memory it takes.

Sizes: batches of 256 photos and 2,000 classes, at scale 1. Forward and backward.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks.table import Row, scale
from shared.geo import EARTH_RADIUS_KM
from shared.training.smoothing import HaversineSmoothing, PlaceClassification
from shared.training.targets import located

TEMPERATURE_KM = 75.0
ROUNDS = 7


def rows() -> Iterator[Row]:
    """The rows of this topic."""
    torch.set_num_threads(2)
    n, k = max(8, round(256 * scale())), max(16, round(2000 * scale()))
    rng = np.random.default_rng(0)
    centres = np.degrees(
        np.column_stack([np.arcsin(rng.uniform(-1, 1, k)), rng.uniform(-3.1, 3.1, k)])
    )
    classes = rng.integers(0, k, n)
    points = np.clip(centres[classes] + rng.normal(size=(n, 2)), [-90, -180], [90, 180])
    targets = located(points, torch.from_numpy(classes))
    logits = torch.from_numpy(rng.normal(size=(n, k)).astype(np.float32)).requires_grad_()
    objective = PlaceClassification(centres, HaversineSmoothing(TEMPERATURE_KM))
    places = torch.from_numpy(centres).float()

    def ours() -> Tensor:
        return objective.loss(logits, targets)

    def loop() -> Tensor:
        return loop_over_photos(logits, targets[:, 1:].float(), places)

    yield compared(ours, loop, logits, n, k)
    yield memory(ours, n, k)


def loop_over_photos(logits: Tensor, points: Tensor, centres: Tensor) -> Tensor:
    """The same loss, a photo at a time, by the haversine formula."""
    total = torch.zeros(())
    for row, point in zip(logits, points, strict=True):
        half = torch.deg2rad(centres - point) / 2
        lats = torch.deg2rad(centres[:, 0]).cos() * torch.deg2rad(point[0]).cos()
        square = half[:, 0].sin() ** 2 + lats * half[:, 1].sin() ** 2
        km = 2 * EARTH_RADIUS_KM * square.sqrt().clamp(max=1).arcsin()
        shares = (-km / TEMPERATURE_KM).softmax(0)
        total = total - (shares * row.log_softmax(0)).sum()
    return total / len(logits)


def compared(
    ours: Callable[[], Tensor], loop: Callable[[], Tensor], logits: Tensor, n: int, k: int
) -> Row:
    """Milliseconds a batch of both, in turn, and that they agree."""
    seconds: dict[str, list[float]] = {"ours": [], "loop": []}
    values = {}
    for _ in range(ROUNDS + 1):
        for name, loss in (("ours", ours), ("loop", loop)):
            logits.grad = None
            began = time.perf_counter()
            value = loss()
            value.backward()  # type: ignore[no-untyped-call]
            seconds[name].append(time.perf_counter() - began)
            values[name] = float(value.detach())
    mine, theirs = (statistics.median(seconds[name][1:]) for name in ("ours", "loop"))
    if abs(values["ours"] / values["loop"] - 1) > 1e-4:
        msg = f"Expected the same loss from both, but got {values}"
        raise ValueError(msg)
    return Row(
        f"haversine-smoothed cross-entropy ({n} photos, {k:,} classes)",
        f"{1000 * mine:.1f} ms",
        f"loop over photos: {1000 * theirs:.1f} ms",
        theirs / mine,
        ">= 5",
        theirs / mine >= 5,
    )


def memory(ours: Callable[[], Tensor], n: int, k: int) -> Row:
    """The largest tensor that a forward and backward pass asks for, in batches x classes."""
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        ours().backward()  # type: ignore[no-untyped-call]
    unit = 4 * n * k
    asked, held, most = 0, 0, 0
    for event in watched.profiler.kineto_results.events():
        if event.name() == "[memory]":
            asked = max(asked, event.nbytes())
            held += event.nbytes()
            most = max(most, held)
    return Row(
        "  its largest tensor",
        f"{asked / 1e6:.1f} MB ({most / unit:.1f} x batch x classes held at most, all told)",
        f"batch x classes in float32: {unit / 1e6:.1f} MB",
        asked / unit,
        "<= 1.05",
        asked <= 1.05 * unit,
    )
