"""The networks of image towers: from pixels to an embedding, with a seam before the last block.

A tower takes pixels in 0..1 and normalises them itself. What lies before the seam is its `stem`,
what lies behind is its `tail`: a last block, and how the embedding is read. Where only the last
block is tuned, the stem's outputs are computed once, like the embeddings of a frozen tower.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from shared.training.backbones import build_backbone, without_head
from shared.training.clip import TINY

CLIP, TIMM, TORCHVISION = "clip", "timm", "torchvision"
TIMM_PREFIX = "timm:"
READOUTS = ("mean", "class")


@dataclass(frozen=True)
class TowerFacts:
    """Plain values from which a tower's network is made again.

    Attributes:
        kind: `"clip"`, `"timm"` or `"torchvision"`.
        name: of the model; for timm and torchvision it says what is built.
        architecture: the vision config of a CLIP; arguments of `timm.create_model`.
        readout: of a CLIP: the `"mean"` of its tokens, as PIGEON has it, or its `"class"` token.
        mean, std: of the pixels' normalisation.
    """

    kind: str
    name: str
    architecture: Mapping[str, Any] = field(default_factory=dict)
    readout: str = "mean"
    mean: Sequence[float] = (0.5, 0.5, 0.5)
    std: Sequence[float] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        """Check the readout."""
        if self.readout not in READOUTS:
            msg = f"Expected a readout out of {READOUTS}, but got {self.readout!r}"
            raise ValueError(msg)

    def as_dict(self) -> dict[str, Any]:
        """For a checkpoint's config, as JSON would give it back."""
        listed = {"mean": list(self.mean), "std": list(self.std)}
        return {**vars(self), "architecture": dict(self.architecture), **listed}


class Pixels(nn.Module):
    """Normalises (N, 3, H, W) pixels in 0..1; buffers, so that a digest of weights tells it too."""

    mean: Tensor
    std: Tensor

    def __init__(self, facts: TowerFacts) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(tuple(facts.mean)).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(tuple(facts.std)).view(3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """The normalised pixels."""
        found: Tensor = (pixels - self.mean) / self.std
        return found


class ImageTower(nn.Module):
    """A network from pixels to embeddings.

    Args:
        facts: what it is.
        stem: from normalised pixels to what goes into the last block.
        tail: the last block and the readout, to (N, D); None for towers without a seam, whose
            stem gives the embeddings.
    """

    def __init__(self, facts: TowerFacts, stem: nn.Module, tail: nn.Module | None) -> None:
        super().__init__()
        self.facts = facts
        self.stem = nn.Sequential(OrderedDict(pixels=Pixels(facts), body=stem))
        self.tail = nn.Identity() if tail is None else tail
        self.has_seam = tail is not None

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, D) embeddings of (N, 3, H, W) pixels in 0..1."""
        found: Tensor = self.tail(self.stem(pixels))
        return found

    @torch.inference_mode()
    def shapes(self, height: int, width: int) -> tuple[tuple[int, ...], int]:
        """The shape of one photo's features at the seam, and the width of its embedding."""
        was_training = self.training
        self.eval()
        device = next(self.buffers()).device
        at_seam = self.stem(torch.zeros(1, 3, height, width, device=device))
        embedding = self.tail(at_seam)
        self.train(was_training)
        if embedding.ndim != 2:
            msg = f"Expected (N, D) embeddings of {self.facts.name}, got {tuple(embedding.shape)}"
            raise ValueError(msg)
        return tuple(at_seam.shape[1:]), int(embedding.shape[1])


class ClipStem(nn.Module):
    """The vision tower of a CLIP without its last layer: normalised pixels to (N, T, D) tokens."""

    def __init__(self, vision: CLIPVisionModel) -> None:
        super().__init__()
        self.embeddings, self.norm = vision.embeddings, vision.pre_layrnorm
        self.layers = vision.encoder.layers[:-1]

    def forward(self, pixels: Tensor) -> Tensor:
        """The tokens; positions are interpolated for photos of another size than the native."""
        side = self.embeddings.image_size
        is_other = pixels.shape[-2:] != (side, side)
        tokens = self.norm(self.embeddings(pixels, interpolate_pos_encoding=is_other))
        for layer in self.layers:
            tokens = layer(tokens, attention_mask=None)
        found: Tensor = tokens
        return found


class ClipTail(nn.Module):
    """The last layer of a CLIP's vision tower, and its readout."""

    def __init__(self, vision: CLIPVisionModel, readout: str) -> None:
        super().__init__()
        self.layer = vision.encoder.layers[-1]
        # The published mean is that of the tokens as they are; only the class token has a norm.
        self.norm = vision.post_layernorm if readout == "class" else None

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, D) of (N, T, D) tokens."""
        tokens = self.layer(tokens, attention_mask=None)
        return tokens.mean(dim=1) if self.norm is None else self.norm(tokens[:, 0])


class TimmTail(nn.Module):
    """The last block of a vision transformer of timm, its norms and its pooling."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 (timm has no types)
        super().__init__()
        self.block, self.norm, self.last_norm = model.blocks[-1], model.norm, model.fc_norm
        self.pool = str(model.global_pool)
        self.prefix = int(model.num_prefix_tokens)
        self.with_prefix = bool(model.pool_include_prefix)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, D) of (N, T, D) tokens."""
        from timm.layers.pool1d import global_pool_nlc

        tokens = self.norm(self.block(tokens))
        pooled = global_pool_nlc(tokens, self.pool, self.prefix, self.with_prefix)
        found: Tensor = self.last_norm(pooled)
        return found


class TimmStem(nn.Module):
    """A vision transformer of timm without its last block: normalised pixels to tokens."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, T, D) tokens."""
        found: Tensor = self.model.forward_features(pixels)  # type: ignore[operator]
        return found


def clip_tower(vision: CLIPVisionModel, facts: TowerFacts) -> ImageTower:
    """The tower of a CLIP's vision model, whose layers it shares."""
    return ImageTower(facts, ClipStem(vision), ClipTail(vision, facts.readout))


def make_tower(facts: TowerFacts) -> ImageTower:
    """A tower from what is known of it, with random weights.

    Raises:
        ValueError: for another kind.
    """
    if facts.kind == CLIP:
        return clip_tower(CLIPVisionModel(CLIPVisionConfig(**facts.architecture)), facts)
    if facts.kind == TIMM:
        return timm_tower(timm_model(facts.name, facts.architecture, is_pretrained=False), facts)
    if facts.kind == TORCHVISION:
        return torchvision_tower(build_backbone(facts.name, 1), facts)
    kinds = (CLIP, TIMM, TORCHVISION)
    msg = f"Expected a tower of one of the kinds {kinds}, but got {facts.kind!r}"
    raise ValueError(msg)


def copy_tower(tower: ImageTower) -> ImageTower:
    """Another tower with the same weights."""
    copy = make_tower(tower.facts)
    copy.load_state_dict(tower.state_dict())
    return copy


def torchvision_tower(model: nn.Module, facts: TowerFacts) -> ImageTower:
    """The tower of a torchvision backbone, cut before its last stage or block."""
    body, _ = without_head(model)
    features = getattr(body, "features", None)
    if isinstance(features, nn.Sequential):  # MobileNets, EfficientNets: last block, and a conv
        stem, blocks = features[:-2], features[-2:]
        rest = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), body.get_submodule("classifier")]
    else:
        names = [name for name, _ in body.named_children() if name != "fc"]
        parts = [body.get_submodule(name) for name in names]
        cut = names.index("layer4")
        stem = nn.Sequential(OrderedDict(zip(names[:cut], parts[:cut], strict=True)))
        blocks = nn.Sequential(parts[cut])
        rest = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return ImageTower(facts, stem, nn.Sequential(blocks, *rest))


def timm_tower(model: nn.Module, facts: TowerFacts) -> ImageTower:
    """The tower of a model of timm; only vision transformers have a seam."""
    from timm.models.vision_transformer import VisionTransformer

    if not isinstance(model, VisionTransformer) or model.attn_pool is not None:
        return ImageTower(facts, model, None)
    tail = TimmTail(model)
    model.blocks = model.blocks[:-1]
    model.norm = model.fc_norm = nn.Identity()
    return ImageTower(facts, TimmStem(model), tail)


def timm_model(name: str, arguments: Mapping[str, Any], *, is_pretrained: bool) -> nn.Module:
    """A model of timm without its head.

    Raises:
        ValueError: for a name that timm does not know.
        ConnectionError: when published weights cannot be downloaded.
    """
    import timm

    try:
        model: nn.Module = timm.create_model(
            name, pretrained=is_pretrained, num_classes=0, **arguments
        )
    except Exception as error:
        if not is_pretrained:
            msg = f"Expected a model of timm after {TIMM_PREFIX!r}, but got {name!r}: {error}"
            raise ValueError(msg) from error
        msg = (
            f"The published weights of timm:{name} could not be downloaded "
            f"({str(error)[:200]} ...). Without network: weights='train' learns it here, a folder "
            f"of a CLIP can be given as the tower, and {TINY!r} is a small stand-in"
        )
        raise ConnectionError(msg) from error
    return model
