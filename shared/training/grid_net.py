"""What learns cells on a frozen backbone: GeoGuessrAI's convolutional head, over one view or more.

The head: convolution of 3 x 3, largest of each 2 x 2, dropout, a hidden layer, dropout, one output
a class. It reads the backbone's map of features, which is computed once. Between the hidden layer
and the outputs the views of a place are joined (`shared.training.views`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shared.training.batches import Split
from shared.training.features import FrozenBackbone, weights_digest
from shared.training.views import NO_VIEW, drawn_views, is_view, view_pooling

# Filters and hidden units that give the ancestor's counts of trainable parameters on maps of
# 2,048 x 10 x 19 (ResNet-50 on photos of 600 x 300) for its 243 cells: filters, units, count. They
# are called by the ancestor's counts: on other maps and for other cells there are others.
SIZES: Mapping[str, tuple[int, int, int]] = {
    "75k": (4, 4, 75_463),
    "1.5M": (64, 128, 1_473_331),
    "6.9M": (256, 256, 6_878_707),
    "13.4M": (256, 1024, 13_357_555),
}
KERNEL, POOL = 3, 2
SMALLEST = KERNEL + POOL - 1  # of a map that the convolution needs no padding for


@dataclass(frozen=True)
class GridHead:
    """The settings of a head.

    Attributes:
        size: a name of `SIZES`.
        views: how the views of a place are joined: one of `views.POOLINGS`.
        dropout: the shares that are dropped behind the convolution and behind the hidden layer.
    """

    size: str = "6.9M"
    views: str = "one"
    dropout: tuple[float, float] = (0.25, 0.5)

    def __post_init__(self) -> None:
        """Check the name of the size."""
        if self.size not in SIZES:
            msg = f"Expected a size out of {tuple(SIZES)}, but got {self.size!r}"
            raise ValueError(msg)

    @property
    def name(self) -> str:
        """What its folder is called, such as `"lstm-1.5M"`."""
        return f"{self.views}-{self.size}"


class GridNet(nn.Module):
    """A head on the features of one view, or of several.

    Args:
        shape: (C, h, w) of the frozen backbone's map. A map that is smaller than 4 is padded by
            one, so that there is something left to pool.
        n_outputs: the number of classes.
        head: its settings.
    """

    def __init__(self, shape: tuple[int, ...], n_outputs: int, head: GridHead) -> None:
        super().__init__()
        filters, units, _ = SIZES[head.size]
        channels, *sides = shape
        padding = [int(side < SMALLEST) for side in sides]
        convolved = [side + 2 * pad - KERNEL + 1 for side, pad in zip(sides, padding, strict=True)]
        pool = [min(POOL, side) for side in convolved]
        left = [side // by for side, by in zip(convolved, pool, strict=True)]
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, filters, KERNEL, padding=(padding[0], padding[1])),
            nn.ReLU(),
            nn.MaxPool2d((pool[0], pool[1])),
            nn.Dropout(head.dropout[0]),
            nn.Flatten(),
            nn.Linear(filters * left[0] * left[1], units),
            nn.ReLU(),
        )
        self.units = units
        self.pooling = view_pooling(head.views, units)
        self.dropout = nn.Dropout(head.dropout[1])
        self.head = nn.Linear(units, n_outputs)

    def forward(self, features: Tensor) -> Tensor:
        """The logits of (N, C, h, w) features of photos, or of (N, V, C, h, w) of places."""
        if features.ndim == 4:
            features = features[:, None]
        if self.training and features.shape[1] > 1:
            features = drawn_views(features)
        real = is_view(features)
        seen = self.encoder(features[real])
        embedded = seen.new_zeros(*real.shape, self.units)
        embedded[real] = seen
        outputs: Tensor = self.head(self.dropout(self.pooling(embedded, real)))
        return outputs


class FrozenNet(nn.Module):
    """A frozen backbone with its head: photos in, logits out; what a checkpoint holds.

    Args:
        backbone: takes pixels in 0..1.
        net: the trained part.
    """

    def __init__(self, backbone: FrozenBackbone, net: nn.Module) -> None:
        super().__init__()
        self.backbone, self.net = backbone, net

    def forward(self, pixels: Tensor) -> Tensor:
        """The logits of (N, 3, H, W) pixels in 0..1, each photo a view of its own."""
        logits: Tensor = self.net(self.backbone(pixels))
        return logits


@dataclass(frozen=True)
class GridNetwork:
    """A head to be trained on cached features: what `Task.network` asks for.

    Attributes:
        backbone: frozen; it gave the features.
        shape: (C, h, w) of these.
        head: the settings of the trained part.
    """

    backbone: FrozenBackbone
    shape: tuple[int, ...]
    head: GridHead

    def build(self, n_outputs: int) -> nn.Module:
        """The part that is trained."""
        return GridNet(self.shape, n_outputs, self.head)

    def whole(self, model: nn.Module) -> nn.Module:
        """What predicts photos by itself."""
        return FrozenNet(self.backbone, model)

    def logits(self, model: nn.Module, split: Split) -> NDArray[np.float32]:
        """The outputs of a whole network for features that were computed before."""
        rows = np.arange(len(split)) if split.rows is None else split.rows
        return feature_logits(model, split.images, rows)

    def facts(self) -> dict[str, Any]:
        """What `config.json` says of it, and what it is known by."""
        return {
            "kind": self.backbone.kind,
            "shape": list(self.shape),
            **asdict(self.head),
            "backbone_digest": weights_digest(self.backbone),
        }


def network_of(config: Mapping[str, Any], n_outputs: int) -> FrozenNet:
    """The network that a checkpoint's config describes, to load its weights into."""
    facts = config["network"]
    backbone = FrozenBackbone.named(config["backbone"], "none", facts["kind"])
    head = GridHead(facts["size"], facts["views"], tuple(facts["dropout"]))
    return FrozenNet(backbone, GridNet(tuple(facts["shape"]), n_outputs, head))


def feature_logits(
    model: nn.Module, features: NDArray[Any], rows: NDArray[np.int64], batch_size: int = 128
) -> NDArray[np.float32]:
    """The logits of photos or places from cached features.

    Args:
        model: a `FrozenNet`.
        features: (M, C, h, w) of all photos of a list.
        rows: (N,) photos, or (N, V) the views of places, `NO_VIEW` behind the last.
        batch_size: rows at a time.

    Returns:
        (N, K) logits.

    Raises:
        TypeError: for a network that has no frozen backbone.
    """
    if not isinstance(model, FrozenNet):
        msg = f"Expected a network with a frozen backbone, but got {type(model).__name__}"
        raise TypeError(msg)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = model.net.to(device).eval()
    found = []
    for start in range(0, len(rows), batch_size):
        chosen = rows[start : start + batch_size]
        part = np.take(features, chosen, axis=0)
        part[chosen == NO_VIEW] = np.nan
        with torch.inference_mode():
            found.append(net(torch.from_numpy(part).to(device)).float().cpu().numpy())
    return np.concatenate(found)


def trainable_parameters(model: nn.Module) -> int:
    """How many numbers training can change."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
