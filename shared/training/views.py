"""The views of a place: photos grouped by place, and networks that join their embeddings.

Places have one view or several, so rows of views are filled up: row number -1 where there is no
view, and NaN in its features. Views come first in a row, fillers last.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from shared.data_loader import stable_order

POOLINGS = ("one", "mean", "lstm", "attention")
NO_VIEW = -1


@dataclass(frozen=True)
class Views:
    """Photos grouped by their place.

    Attributes:
        places: (P,) the places' keys, sorted.
        rows: (P, V) the photos of each place as rows of their list, `NO_VIEW` behind the last.
    """

    places: list[str]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        """The number of places."""
        return len(self.places)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(P,) how many views each place has."""
        return np.asarray((self.rows >= 0).sum(axis=1), dtype=np.int64)

    def first(self, n: int) -> "Views":
        """The same places with their first n views at most."""
        return Views(self.places, self.rows[:, :n])

    def only(self, chosen: NDArray[np.bool_]) -> "Views":
        """Some of the places, (P,) yes or no."""
        places = [place for place, is_chosen in zip(self.places, chosen, strict=True) if is_chosen]
        return Views(places, self.rows[chosen])


def group_views(
    places: Sequence[str], order: ArrayLike, rows: ArrayLike | None = None, limit: int = 0
) -> Views:
    """Photos grouped by their place.

    Args:
        places: (N,) the place of each photo.
        order: (N,) what views are sorted by, such as their headings, degrees.
        rows: (N,) the photos' rows in their list; 0 to N - 1 when None.
        limit: how many views a place has at most; 0: all.

    Raises:
        ValueError: when the lengths differ, or there are no photos.
    """
    keys, ranks = np.asarray(places, dtype=str), np.asarray(order)
    numbers = np.arange(len(keys)) if rows is None else np.asarray(rows, dtype=np.int64)
    if not len(keys) or keys.shape != ranks.shape or keys.shape != numbers.shape:
        shapes = (keys.shape, ranks.shape, numbers.shape)
        msg = f"Expected a place, an order and a row for each of some photos, but got {shapes}"
        raise ValueError(msg)
    names, place = np.unique(keys, return_inverse=True)
    sorting = np.lexsort([ranks, place])
    counts = np.bincount(place)
    column = np.arange(len(keys)) - np.repeat(np.cumsum(counts) - counts, counts)
    found = np.full((len(names), int(counts.max())), NO_VIEW, dtype=np.int64)
    found[place[sorting], column] = numbers[sorting]
    return Views(names.tolist(), found[:, :limit] if limit else found)


def drawn_order(ids: Sequence[str], seed: int) -> NDArray[np.int64]:
    """(N,) the rank of each photo in an order that follows from ids and seed alone."""
    ranks = {name: rank for rank, name in enumerate(stable_order(list(ids), seed))}
    return np.asarray([ranks[name] for name in ids], dtype=np.int64)


def is_view(features: Tensor) -> Tensor:
    """(N, V) which of (N, V, ...) features belong to a view, and are no fillers."""
    return ~features.flatten(2)[..., 0].isnan()


def drawn_views(features: Tensor) -> Tensor:
    """Some of each place's views in a random order, so that any number of them is learned from.

    Each place keeps 1 to all of its views, each number as likely; drawn by torch's generator.

    Args:
        features: (N, V, ...) with NaN where there is no view.
    """
    real = is_view(features)
    noise = torch.rand(real.shape, device=features.device).masked_fill(~real, 2.0)
    order = noise.argsort(dim=1)
    keep = 1 + (torch.rand(len(features), device=features.device) * real.sum(dim=1)).long()
    rows = torch.arange(len(features), device=features.device)[:, None]
    found = features[rows, order]
    left_out = torch.arange(real.shape[1], device=features.device) >= keep[:, None]
    found[left_out] = torch.nan
    return found


class OneView(nn.Module):
    """The first view alone."""

    def forward(self, embedded: Tensor, real: Tensor) -> Tensor:
        """(N, D) of (N, V, D) embeddings; (N, V) says which are views."""
        return embedded[:, 0]


class MeanViews(nn.Module):
    """The mean of the embeddings."""

    def forward(self, embedded: Tensor, real: Tensor) -> Tensor:
        """(N, D) of (N, V, D) embeddings; (N, V) says which are views."""
        shares = real.to(embedded.dtype) / real.sum(dim=1, keepdim=True)
        mean: Tensor = (embedded * shares[..., None]).sum(dim=1)
        return mean


class LstmViews(nn.Module):
    """The last state of an LSTM that reads the views one after the other.

    Args:
        width: of an embedding, and of the state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, batch_first=True)

    def forward(self, embedded: Tensor, real: Tensor) -> Tensor:
        """(N, D) of (N, V, D) embeddings; (N, V) says which are views."""
        states, _ = self.lstm(embedded)
        last = real.sum(dim=1) - 1
        found: Tensor = states[torch.arange(len(states), device=states.device), last]
        return found


class AttentionViews(nn.Module):
    """A weighted mean of the embeddings, whose weights a small network tells from them.

    Args:
        width: of an embedding.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, embedded: Tensor, real: Tensor) -> Tensor:
        """(N, D) of (N, V, D) embeddings; (N, V) says which are views."""
        scores = self.score(embedded)[..., 0].masked_fill(~real, -torch.inf)
        mean: Tensor = (embedded * scores.softmax(dim=1)[..., None]).sum(dim=1)
        return mean


def view_pooling(name: str, width: int) -> nn.Module:
    """The network that joins views, by its name.

    Args:
        name: one of `POOLINGS`.
        width: of an embedding.

    Raises:
        ValueError: for another name.
    """
    if name == "lstm":
        return LstmViews(width)
    if name == "attention":
        return AttentionViews(width)
    if name not in POOLINGS:
        msg = f"Expected the views to be joined by one of {POOLINGS}, but got {name!r}"
        raise ValueError(msg)
    return OneView() if name == "one" else MeanViews()
