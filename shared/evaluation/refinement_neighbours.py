"""The honest rival of prototypes: the nearest neighbours among all training embeddings.

Exact, by FAISS's flat index; its graph (HNSW) is the fast choice for millions. Degrees
`(lat, lon)`.
"""

from dataclasses import dataclass, field
from typing import Any

import faiss
import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.geo import Floats, check_points, haversine_km

EXACT, GRAPH = "exact", "graph"
SEARCHES = (EXACT, GRAPH)
GRAPH_LINKS = 32  # of each node of the graph
GRAPH_EFFORT = 128  # candidates that are kept while it is searched
NEAR_KM = 50.0  # how near neighbours lie that speak for each other

Embeddings = NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """The neighbours of each query, the nearest first.

    Attributes:
        rows: (M, k) rows of the training places.
        distance: (M, k) Euclidean distances of the embeddings.
    """

    rows: NDArray[np.int64] = field(repr=False)
    distance: Embeddings = field(repr=False)

    def weights(self, temperature: float) -> Floats:
        """(M, k) shares of the neighbours, a softmax of their nearness; 1 for a single one."""
        score = -self.distance.astype(np.float64) / temperature
        raised = np.exp(score - score.max(axis=1, keepdims=True))
        shares: Floats = raised / raised.sum(axis=1, keepdims=True)
        return shares


class Neighbours:
    """A search over all training embeddings."""

    def __init__(self, embeddings: Embeddings, points: ArrayLike, search: str = EXACT) -> None:
        """Index (N, D) embeddings of training places that lie at (N, 2) points, degrees.

        Raises:
            ValueError: when shapes differ, there are none, or the search is none of `SEARCHES`.
        """
        vectors = np.ascontiguousarray(embeddings, dtype=np.float32)
        self.points = check_points(points).reshape(-1, 2)
        if vectors.ndim != 2 or not 0 < len(vectors) == len(self.points) or search not in SEARCHES:
            msg = (
                f"Expected embeddings (N, D), points (N, 2) and a search of {SEARCHES}, but got "
                f"{vectors.shape}, {self.points.shape} and {search!r}"
            )
            raise ValueError(msg)
        n_dimensions = vectors.shape[1]
        self._index: Any = faiss.IndexFlatL2(n_dimensions)
        if search == GRAPH:
            self._index = faiss.IndexHNSWFlat(n_dimensions, GRAPH_LINKS)
            self._index.hnsw.efSearch = GRAPH_EFFORT
        self._index.add(vectors)

    def find(self, embeddings: Embeddings, k: int = 1) -> Found:
        """The k nearest training places of (M, D) embeddings, fewer where there are fewer."""
        queries = np.ascontiguousarray(embeddings, dtype=np.float32)
        square, rows = self._index.search(queries, min(k, self._index.ntotal))
        return Found(rows.astype(np.int64), np.sqrt(np.maximum(square, 0)))

    def guess(self, embeddings: Embeddings, k: int = 1, temperature: float = 1.0) -> Floats:
        """Where (M, D) embeddings were taken: at the neighbour that most others speak for.

        A neighbour speaks for those within about `NEAR_KM` of it, by its share. Of one neighbour
        alone the guess is that one.

        Returns:
            (M, 2) latitudes and longitudes, degrees.
        """
        found = self.find(embeddings, k)
        places = self.points[found.rows]
        if places.shape[1] == 1:
            nearest: Floats = places[:, 0]
            return nearest
        between_km = haversine_km(places[:, :, None], places[:, None])
        support = np.einsum("mij,mj->mi", np.exp(-between_km / NEAR_KM), found.weights(temperature))
        best: Floats = places[np.arange(len(places)), support.argmax(axis=1)]
        return best


def cell_votes(found: Found, cells: NDArray[np.int64], n_cells: int, temperature: float) -> Floats:
    """What neighbours say of the cells: the sum of the shares of those that lie in each.

    Args:
        found: neighbours among the training places.
        cells: (N,) the cell of each training place; -1: none.
        n_cells: how many cells there are.
        temperature: of the shares.

    Returns:
        (M, n_cells) probabilities; 0 everywhere where no neighbour has a cell.
    """
    weights = found.weights(temperature)
    owner = cells[found.rows]
    votes = np.zeros((len(weights), n_cells))
    row = np.broadcast_to(np.arange(len(weights))[:, None], owner.shape)
    known = owner >= 0
    np.add.at(votes, (row[known], owner[known]), weights[known])
    total = votes.sum(axis=1, keepdims=True)
    shares: Floats = votes / np.where(total > 0, total, 1.0)
    return shares
