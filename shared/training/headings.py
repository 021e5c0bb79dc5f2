"""The views of a place with their headings: read together, and joined by attention.

A photo's features are one row of numbers: what a tower gave, and behind it the sine and cosine of
the heading. Both are 0 where the heading is not known. Views of a place are (V, F + 2) such rows,
NaN where there is no view (`shared.training.views`). Headings in degrees, clockwise from north.
"""

import mmap
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from shared.training.views import MeanViews, OneView

N_HEADING = 2  # columns
HEADING_POOLINGS = ("one", "mean", "attention")


def heading_columns(headings_deg: ArrayLike) -> NDArray[np.float32]:
    """(N, 2) sine and cosine of (N,) headings, degrees; 0 and 0 where a heading is NaN."""
    angles = np.radians(np.asarray(headings_deg, dtype=np.float64))
    columns = np.column_stack([np.sin(angles), np.cos(angles)])
    return np.asarray(np.nan_to_num(columns, nan=0.0), dtype=np.float32)


@dataclass(frozen=True)
class ViewFeatures:
    """Features of photos and their headings, read as one (N, F + 2) array of float32.

    Nothing is copied before it is asked for, so features may be a memory map larger than memory.

    Attributes:
        features: (N, ...) float32 features; or (N, H, W, 3) bytes, which are read as (3, H, W)
            pixels in 0..1.
        headings: (N, 2) of `heading_columns`.
    """

    features: NDArray[Any]
    headings: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Hold features and headings to each other."""
        if self.headings.shape != (len(self.features), N_HEADING):
            msg = (
                f"Expected headings of shape ({len(self.features)}, {N_HEADING}) for as many "
                f"photos, but got {self.headings.shape}"
            )
            raise ValueError(msg)

    def __len__(self) -> int:
        """The number of photos."""
        return len(self.features)

    @property
    def shape(self) -> tuple[int, int]:
        """(N, F + 2)."""
        return len(self), int(np.prod(self.features.shape[1:])) + N_HEADING

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array, as it is read."""
        return 4 * self.shape[0] * self.shape[1]

    @property
    def _mmap(self) -> mmap.mmap | None:
        """The map behind the features: its pages are given back as those of an array are."""
        return getattr(self.features, "_mmap", None)

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:  # noqa: ANN401 (as of an array)
        """Some rows, as of an array."""
        return self._joined(np.asarray(self.features[rows]), self.headings[rows])

    def take(
        self, indices: ArrayLike, axis: int = 0, out: None = None, mode: str = "raise"
    ) -> NDArray[np.float32]:
        """The rows of indices of any shape, as `np.take` gives them; row -1 is the last."""
        rows = np.asarray(indices)
        flat = rows.reshape(-1)
        found = self._joined(np.take(self.features, flat, axis=0), self.headings[flat])
        return found.reshape(*rows.shape, self.shape[1])

    def _joined(self, features: NDArray[Any], headings: NDArray[np.float32]) -> NDArray[np.float32]:
        if features.dtype == np.uint8:
            features = np.moveaxis(features, -1, -3).astype(np.float32) / np.float32(255)
        flat = features.reshape(len(headings), -1)
        return np.concatenate([flat.astype(np.float32, copy=False), headings], axis=1)


class HeadingAttention(nn.Module):
    """Views that look at each other and at where each was facing, then their mean.

    The sine and cosine of the heading are joined to the embedding; self-attention over the views of
    a place follows, added to the embeddings as in a transformer.

    Args:
        width: of an embedding.
        heads: of the attention; must divide the width.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            msg = f"Expected a number of heads that divides {width}, but got {heads}"
            raise ValueError(msg)
        self.join = nn.Linear(width + N_HEADING, width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.mean = MeanViews()

    def forward(self, embedded: Tensor, headings: Tensor, real: Tensor) -> Tensor:
        """(N, D) of (N, V, D) embeddings, (N, V, 2) headings; (N, V) says which are views."""
        told = self.norm(self.join(torch.cat([embedded, headings.to(embedded.dtype)], dim=2)))
        seen, _ = self.attention(told, told, told, key_padding_mask=~real, need_weights=False)
        found: Tensor = self.mean(embedded + seen, real)
        return found


class Without(nn.Module):
    """A pooling that looks at no headings."""

    def __init__(self, pooling: nn.Module) -> None:
        super().__init__()
        self.pooling = pooling

    def forward(self, embedded: Tensor, headings: Tensor, real: Tensor) -> Tensor:
        """(N, D) of (N, V, D) embeddings; (N, V) says which are views."""
        found: Tensor = self.pooling(embedded, real)
        return found


def heading_pooling(name: str, width: int, heads: int) -> nn.Module:
    """What joins the views of a place, by its name.

    Args:
        name: one of `HEADING_POOLINGS`.
        width: of an embedding.
        heads: of the attention.

    Raises:
        ValueError: for another name.
    """
    if name not in HEADING_POOLINGS:
        msg = f"Expected the views to be joined by one of {HEADING_POOLINGS}, but got {name!r}"
        raise ValueError(msg)
    if name == "attention":
        return HeadingAttention(width, heads)
    return Without(OneView() if name == "one" else MeanViews())
