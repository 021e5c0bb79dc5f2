"""What learns geocells: one linear layer on the joined embeddings of a place's views.

`GeocellNet` is what is trained. It reads features (`shared.training.headings`): embeddings of a
frozen tower, what goes into its last block, or pixels where all of the tower is tuned.
`GeocellModel` is the whole: photos in, logits of the cells out; what a checkpoint holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shared.training.augment import Augmentation, augment, draw
from shared.training.batches import Split
from shared.training.features import weights_digest
from shared.training.geocell_targets import Fact
from shared.training.headings import N_HEADING, ViewFeatures, heading_pooling
from shared.training.tower_net import ImageTower, TowerFacts, copy_tower, make_tower
from shared.training.views import NO_VIEW, drawn_views, is_view

KIND = "geocell"
TUNINGS = ("frozen", "last", "all")
NO_AUGMENTATION = Augmentation(crop=False, rotation=False, colour=False)


@dataclass(frozen=True)
class GeocellHead:
    """The settings of what is trained.

    Attributes:
        tuning: what of the tower learns with the head: nothing (`"frozen"`), its `"last"` block,
            or `"all"` of it.
        views: how the views of a place are joined: one of `headings.HEADING_POOLINGS`.
        attention_heads: of the attention between views.
        dropout: the share of the joined embedding that is dropped in training.
        augmentation: of pixels in training; only where all of the tower is tuned.
    """

    tuning: str = "frozen"
    views: str = "mean"
    attention_heads: int = 4
    dropout: float = 0.0
    augmentation: Augmentation = field(default=NO_AUGMENTATION)

    def __post_init__(self) -> None:
        """Check the tuning, and that augmentation can be done."""
        if self.tuning not in TUNINGS:
            msg = f"Expected tuning to be one of {TUNINGS}, but got {self.tuning!r}"
            raise ValueError(msg)
        if self.tuning != "all" and not self.augmentation.is_off:
            msg = f"Expected no augmentation with tuning={self.tuning!r}: features are kept"
            raise ValueError(msg)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "GeocellHead":
        """The head that a checkpoint's config describes."""
        names = ("tuning", "views", "attention_heads", "dropout")
        augmentation = Augmentation(**plain["augmentation"])
        return cls(**{name: plain[name] for name in names}, augmentation=augmentation)


class GeocellNet(nn.Module):
    """The trained part: what is tuned of the tower, the views' pooling, all heads in one layer.

    Args:
        part: of the tower, from features to embeddings.
        shape: of one photo's features, without the heading.
        width: of an embedding.
        n_outputs: the cells, and the outputs of all facts behind them.
        head: the settings.
    """

    def __init__(
        self,
        part: nn.Module,
        shape: Sequence[int],
        width: int,
        n_outputs: int,
        head: GeocellHead,
    ) -> None:
        super().__init__()
        self.part, self.shape, self.width = part, tuple(shape), width
        self.augmentation = head.augmentation
        self.pooling = heading_pooling(head.views, width, head.attention_heads)
        # Embeddings of towers differ in scale by hundreds; the head's learning rate does not.
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(head.dropout)
        self.head = nn.Linear(width, n_outputs)

    def forward(self, features: Tensor) -> Tensor:
        """The outputs of (N, F + 2) features of photos, or (N, V, F + 2) of places' views."""
        outputs: Tensor = self.head(self.dropout(self.embed(features)))
        return outputs

    def embed(self, features: Tensor) -> Tensor:
        """(N, D) joined embeddings, as the head reads them; features as in `forward`."""
        if features.ndim == 2:
            features = features[:, None]
        if self.training and features.shape[1] > 1:
            features = drawn_views(features)
        real = is_view(features)
        seen = self.part(self._photos(features[real]))
        embedded = seen.new_zeros(*real.shape, self.width)
        embedded[real] = seen
        headings = features[..., -N_HEADING:].nan_to_num(0.0)
        found: Tensor = self.norm(self.pooling(embedded, headings, real))
        return found

    def _photos(self, rows: Tensor) -> Tensor:
        photos = rows[:, :-N_HEADING].reshape(-1, *self.shape)
        if not self.training or self.augmentation.is_off:
            return photos
        # torch's generator is seeded for each batch, so a resumed epoch draws the same.
        seed = int(torch.randint(2**62, (), dtype=torch.int64))
        draws = draw(len(photos), self.augmentation, torch.Generator().manual_seed(seed))
        found: Tensor = augment(
            photos, draws.part(0, len(photos), photos.device), self.augmentation
        )
        return found


class GeocellModel(nn.Module):
    """A tower with its heads: photos in, logits of the cells out.

    Args:
        front: the part of the tower that stays as it is; pixels in 0..1 in, features out.
        net: the trained part.
        facts: what it tells beside the cells.
    """

    def __init__(self, front: nn.Module, net: GeocellNet, facts: Sequence[Fact]) -> None:
        super().__init__()
        self.front, self.net, self.facts = front, net, tuple(facts)
        self.front.requires_grad_(requires_grad=False)

    @property
    def n_cells(self) -> int:
        """How many of the outputs are cells."""
        return self.net.head.out_features - sum(fact.width for fact in self.facts)

    def train(self, mode: bool = True) -> "GeocellModel":
        """As in torch, but what stays as it is keeps the statistics of its batch norms."""
        super().train(mode)
        self.front.eval()
        return self

    def outputs(self, pixels: Tensor) -> Tensor:
        """The outputs for (N, 3, H, W) pixels in 0..1, each photo a place seen once."""
        features = self.front(pixels).flatten(1)
        unknown = features.new_zeros(len(features), N_HEADING)
        outputs: Tensor = self.net(torch.cat([features, unknown], dim=1))
        return outputs

    def forward(self, pixels: Tensor) -> Tensor:
        """The logits of the cells for (N, 3, H, W) pixels in 0..1."""
        return self.outputs(pixels)[:, : self.n_cells]

    def facts_of(self, pixels: Tensor) -> Tensor:
        """The outputs of the facts (`geocell_targets.split_outputs`) for pixels."""
        return self.outputs(pixels)[:, self.n_cells :]


@dataclass(frozen=True)
class GeocellNetwork:
    """Heads to be trained on a tower: what `Task.network` asks for.

    Attributes:
        tower: as it is before the training; it is never changed.
        size: width and height of the photos, pixels.
        head: the settings of the trained part.
        facts_told: what is told beside the cells.
    """

    tower: ImageTower
    size: tuple[int, int]
    head: GeocellHead
    facts_told: tuple[Fact, ...] = ()

    def __post_init__(self) -> None:
        """Hold the tuning to what the tower can do.

        Raises:
            ValueError: when the last block of a tower without a seam is to be tuned.
        """
        if self.head.tuning == "last" and not self.tower.has_seam:
            msg = (
                f"Expected tuning 'frozen' or 'all' for {self.tower.facts.name}: what goes into "
                "its last block is not known here"
            )
            raise ValueError(msg)

    @property
    def front(self) -> nn.Module:
        """What gives the features: the tower, what lies before its last block, or nothing."""
        return front_of(self.tower, self.head.tuning)

    def build(self, n_outputs: int) -> nn.Module:
        """The part that is trained."""
        return net_of(copy_tower(self.tower), self.size, n_outputs, self.head)

    def whole(self, model: nn.Module) -> nn.Module:
        """What predicts photos by itself."""
        if not isinstance(model, GeocellNet):
            msg = f"Expected the trained part of a geocell model, but got {type(model).__name__}"
            raise TypeError(msg)
        return GeocellModel(self.front, model, self.facts_told)

    def logits(self, model: nn.Module, split: Split) -> NDArray[np.float32]:
        """The cells' logits of a whole network for features that were computed before."""
        if not isinstance(model, GeocellModel):
            msg = f"Expected a geocell model, but got {type(model).__name__}"
            raise TypeError(msg)
        rows = np.arange(len(split)) if split.rows is None else split.rows
        _, outputs = net_outputs(model.net, cast(ViewFeatures, split.images), rows)
        return outputs[:, : model.n_cells]

    def facts(self) -> dict[str, Any]:
        """What `config.json` says of it, and what it is known by."""
        return {
            "kind": KIND,
            "tower": self.tower.facts.as_dict(),
            "tower_digest": weights_digest(self.tower),
            "size": list(self.size),
            **asdict(self.head),
            "facts": [fact.as_dict() for fact in self.facts_told],
        }


def front_of(tower: ImageTower, tuning: str) -> nn.Module:
    """The part of a tower that stays as it is: pixels in, features out."""
    if tuning == "all":
        return nn.Identity()
    return tower if tuning == "frozen" else tower.stem


def net_of(
    tower: ImageTower, size: tuple[int, int], n_outputs: int, head: GeocellHead
) -> GeocellNet:
    """The trained part for a tower, whose layers it takes; size: width and height, pixels."""
    width, height = size
    at_seam, embedding = tower.shapes(height, width)
    parts: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
        "frozen": (nn.Identity(), (embedding,)),
        "last": (tower.tail, at_seam),
        "all": (tower, (3, height, width)),
    }
    part, shape = parts[head.tuning]
    return GeocellNet(part, shape, embedding, n_outputs, head)


def network_of(config: Mapping[str, Any], n_outputs: int) -> GeocellModel:
    """The network that a checkpoint's config describes, to load its weights into.

    Args:
        config: what `config.json` holds.
        n_outputs: the number of cells.
    """
    plain = config["network"]
    facts = tuple(Fact.of(fact) for fact in plain["facts"])
    head = GeocellHead.of(plain)
    tower = make_tower(TowerFacts(**plain["tower"]))
    size = (int(plain["size"][0]), int(plain["size"][1]))
    net = net_of(tower, size, n_outputs + sum(fact.width for fact in facts), head)
    return GeocellModel(front_of(tower, head.tuning), net, facts)


@torch.inference_mode()
def net_outputs(
    net: GeocellNet,
    features: ViewFeatures,
    rows: NDArray[np.int64],
    batch_size: int = 256,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The joined embeddings and the outputs of photos or places, from features.

    Args:
        net: the trained part.
        features: `ViewFeatures` of all photos of a list.
        rows: (N,) photos, or (N, V) the views of places, `NO_VIEW` behind the last.
        batch_size: rows at a time.

    Returns:
        (N, D) embeddings, as the head reads them, and (N, n_outputs) outputs.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = net.to(device).eval()
    embeddings, outputs = [], []
    for start in range(0, len(rows), batch_size):
        chosen = rows[start : start + batch_size]
        part = features.take(chosen)
        part[chosen == NO_VIEW] = np.nan
        joined = net.embed(torch.from_numpy(part).to(device))
        embeddings.append(joined.float().cpu().numpy())
        outputs.append(net.head(joined).float().cpu().numpy())
    return np.concatenate(embeddings), np.concatenate(outputs)
