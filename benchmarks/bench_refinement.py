"""Prototype refinement over 2,000 cells, against a loop over places and cells.

Embeddings are made: 20,000 training places of 768 dimensions in 2,000 cells, with three prototypes
a cell or so, as PIGEON's ViT-L has. Asked for are 1,000 places a second on two cores. The loop does
what the method says, a place and a cell at a time, and is run on a sample. The last row is the
nearest neighbour among all training embeddings (FAISS, exact), for comparison.
"""

import time
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np

from benchmarks.table import Row, scale
from shared.evaluation.refinement import PUBLISHED, RefinementSettings, Refiner
from shared.evaluation.refinement_neighbours import Neighbours
from shared.evaluation.refinement_prototypes import Embeddings, Prototypes
from shared.geo import Floats, haversine_km

N_CELLS = 2_000
N_TRAINING = 20_000
N_DIMENSIONS = 768
N_PLACES = 4_096
N_LOOPED = 50
A_PROTOTYPE = 3  # prototypes a cell
ROUNDS = 3
TARGET_A_SECOND = 1_000.0


def rows() -> Iterator[Row]:
    """Places a second, by the median of interleaved rounds."""
    draw = np.random.default_rng(0)
    prototypes = _made(draw)
    n_places = max(N_LOOPED, int(N_PLACES * scale()))
    picked = draw.integers(0, N_TRAINING, n_places)
    noise = draw.normal(0, 0.5, (n_places, N_DIMENSIONS))
    queries = (prototypes.embeddings[picked] + noise).astype(np.float32)
    chances = draw.dirichlet(np.full(N_CELLS, 0.05), n_places)
    centres = np.column_stack([draw.uniform(-60, 60, N_CELLS), draw.uniform(-180, 180, N_CELLS)])
    refiner = Refiner(prototypes, centres)
    neighbours = Neighbours(prototypes.embeddings, prototypes.points)
    for name, settings in PUBLISHED.items():

        def ours(settings: RefinementSettings = settings) -> None:
            refiner.refine(queries, chances, settings)

        def loop(settings: RefinementSettings = settings) -> None:
            for row in range(N_LOOPED):
                _one(prototypes, centres, queries[row], chances[row], settings)

        fast, slow = _rates([(ours, n_places), (loop, N_LOOPED)])
        what = f"refining, {name}: {settings.top_k} of {N_CELLS:,} cells"
        yield Row(
            what,
            f"{fast:,.0f} places/s",
            f"{slow:,.0f} places/s",
            fast / slow,
            f"{TARGET_A_SECOND:,.0f} places/s",
            fast >= TARGET_A_SECOND,
        )
    fast, slow = _rates(
        [
            (lambda: refiner.refine(queries, chances, PUBLISHED["pigeon"]), n_places),
            (lambda: neighbours.guess(queries), n_places),
        ]
    )
    yield Row(
        f"against the nearest of {N_TRAINING:,} embeddings (FAISS, exact)",
        f"{fast:,.0f} places/s",
        f"{slow:,.0f} places/s",
        fast / slow,
        "-",
        True,
    )


def _rates(calls: list[tuple[Callable[[], object], int]]) -> list[float]:
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for taken, (call, _) in zip(seconds, calls, strict=True):
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
    return [n / median(taken) for taken, (_, n) in zip(seconds, calls, strict=True)]


def _made(draw: np.random.Generator) -> Prototypes:
    """Places of even groups, so that what is timed is the search and not the clustering."""
    embeddings = draw.normal(size=(N_TRAINING, N_DIMENSIONS)).astype(np.float32)
    points = np.column_stack(
        [draw.uniform(-60, 60, N_TRAINING), draw.uniform(-180, 180, N_TRAINING)]
    )
    n_prototypes = N_CELLS * A_PROTOTYPE
    starts = np.linspace(0, N_TRAINING, n_prototypes + 1).astype(np.int64)
    means = np.add.reduceat(embeddings, starts[:-1], axis=0) / np.diff(starts)[:, None]
    cells = np.repeat(np.arange(N_CELLS), A_PROTOTYPE)
    members = np.arange(N_TRAINING)
    return Prototypes(means.astype(np.float32), cells, starts, members, embeddings, points, N_CELLS)


def _one(
    prototypes: Prototypes,
    centres: Floats,
    query: Embeddings,
    chances: Floats,
    settings: RefinementSettings,
) -> Floats:
    top = np.argsort(-chances)[: settings.top_k]
    nearest, away = [], []
    for cell in top:
        own = np.flatnonzero(prototypes.cells == cell)
        distance = np.linalg.norm(prototypes.vectors[own] - query, axis=1)
        nearest.append(own[distance.argmin()])
        away.append(distance.min())
    weight = np.exp(-(np.asarray(away) - min(away)) / settings.temperature)
    best = nearest[int((weight * chances[top]).argmax())]
    members = prototypes.members_of(best)
    distance = np.linalg.norm(prototypes.embeddings[members] - query, axis=1)
    answer = prototypes.points[members[distance.argmin()]]
    first: Floats = centres[top[0]]
    is_far = haversine_km(first, answer) > settings.max_move_km
    return first if is_far else answer
