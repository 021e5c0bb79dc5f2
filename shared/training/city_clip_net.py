"""The network of the cities: an image backbone and a text encoder, projected into one space.

As restricted geoclip had it: ResNet-50 and DistilBERT, each with a projection head (linear, GELU,
linear, dropout, a residual connection, layer norm). A photo is told among classes by the
similarity of its vector to those of the classes' captions, which lie in the checkpoint.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.training.backbones import build_backbone, without_head
from shared.training.checkpoint import CITY_CLIP
from shared.training.contrast import FIRST_SCALE, LARGEST_SCALE
from shared.training.text import empty_network


class ProjectionHead(nn.Module):
    """From the features of an encoder to the common space.

    Args:
        n_features: of the encoder.
        width: of the common space.
        dropout: the share of its numbers that are left out in training.
    """

    def __init__(self, n_features: int, width: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(n_features, width)
        self.second = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor) -> Tensor:
        """(N, width) of (N, n_features)."""
        projected = self.first(features)
        changed = self.dropout(self.second(F.gelu(projected)))
        found: Tensor = self.norm(changed + projected)
        return found


class CityClipNet(nn.Module):
    """Images and texts in one space; the outputs for photos are logits of the classes' captions.

    Args:
        images: an image backbone without its head.
        n_features: what it returns.
        texts: a text encoder of transformers.
        n_classes: how many captions photos are told among.
        width: of the common space.
        dropout: of the projection heads.
    """

    def __init__(
        self,
        images: nn.Module,
        n_features: int,
        texts: nn.Module,
        n_classes: int,
        width: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.images, self.texts = images, texts
        self.image_head = ProjectionHead(n_features, width, dropout)
        n_text = int(texts.config.hidden_size)  # type: ignore[union-attr,arg-type]
        self.text_head = ProjectionHead(n_text, width, dropout)
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))
        self.class_vectors: Tensor
        self.register_buffer("class_vectors", torch.zeros(n_classes, width))

    @property
    def scale(self) -> Tensor:
        """() the factor that makes logits of cosine similarities, at most 100."""
        return self.log_scale.clamp(max=math.log(LARGEST_SCALE)).exp()

    def embed_images(self, pixels: Tensor) -> Tensor:
        """(N, width) of (N, 3, H, W) normalised pixels; not yet of length 1."""
        found: Tensor = self.image_head(self.images(pixels))
        return found

    def embed_texts(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(K, width) of (K, L) tokens: from the last state of the first; not yet of length 1."""
        states = self.texts(input_ids=tokens, attention_mask=mask).last_hidden_state
        found: Tensor = self.text_head(states[:, 0])
        return found

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, n_classes) logits of (N, 3, H, W) normalised pixels."""
        vectors = F.normalize(self.embed_images(pixels).float(), dim=1)
        found: Tensor = self.scale * vectors @ self.class_vectors.T
        return found


def build_net(
    backbone: str,
    weights: str,
    texts: nn.Module,
    n_classes: int,
    width: int,
    dropout: float,
) -> CityClipNet:
    """A network whose image backbone is torchvision's (see `build_backbone`)."""
    images, n_features = without_head(build_backbone(backbone, 1, weights))
    return CityClipNet(images, n_features, texts, n_classes, width, dropout)


def network_of(config: Mapping[str, Any], n_outputs: int) -> CityClipNet:
    """The network of a checkpoint's config, with random weights."""
    facts = config["network"]
    texts = empty_network(facts["text"])
    return build_net(config["backbone"], "none", texts, n_outputs, facts["width"], facts["dropout"])


def network_facts(text: Mapping[str, Any], width: int, dropout: float) -> dict[str, Any]:
    """What a checkpoint says of such a network; `text` as of `TextEncoder.facts`."""
    return {"kind": CITY_CLIP, "text": dict(text), "width": width, "dropout": dropout}
