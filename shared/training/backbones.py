"""Backbones: torchvision's networks, with their weights and a head for the classes of the data."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import (
    get_model,
    get_model_weights,
)

logger = logging.getLogger(__name__)

BACKBONES = (
    *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
    *("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
    *(f"efficientnet_b{size}" for size in (1, 3, 4, 7)),
)
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
NORMALISATIONS = {"half": HALF, "imagenet": IMAGENET}


@dataclass(frozen=True)
class Normalisation:
    """What is taken from each channel, and what it is divided by; of pixels in 0..1."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of(cls, name: str, weights: str = "none") -> "Normalisation":
        """The normalisation of a name, or for `"auto"` the one that the weights were made with.

        Args:
            name: `"half"` (mean and std 0.5: pixel / 127.5 - 1), `"imagenet"`, or `"auto"`:
                ImageNet's for torchvision's default weights, otherwise half.
            weights: as in `build_backbone`.
        """
        chosen = ("imagenet" if weights == "default" else "half") if name == "auto" else name
        if chosen not in NORMALISATIONS:
            msg = f"Expected normalisation 'auto', 'half' or 'imagenet', but got {name!r}"
            raise ValueError(msg)
        return cls(*NORMALISATIONS[chosen])

    def apply(self, images: Tensor) -> Tensor:
        """Normalise (N, 3, H, W) pixels in 0..1."""
        mean = torch.tensor(self.mean, device=images.device).view(3, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(3, 1, 1)
        return (images - mean) / std


UNCHANGED = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def build_backbone(name: str, n_outputs: int, weights: str = "none") -> nn.Module:
    """A network with a new head.

    Args:
        name: one of `BACKBONES`.
        n_outputs: the width of the head: the number of classes.
        weights: `"default"` (torchvision's ImageNet weights, downloaded once), `"none"` (random),
            or a file: `.pth` (loaded without pickled code) or `.safetensors`, which must fit the
            network exactly but for the width of its head.

    Raises:
        ValueError: for an unknown name, or weights that do not fit.
        FileNotFoundError: when the weights file is not there.
        ConnectionError: when the default weights cannot be downloaded.
    """
    if name not in BACKBONES:
        msg = f"Expected a backbone out of {BACKBONES}, but got {name!r}"
        raise ValueError(msg)
    if weights == "none":
        return _with_quick_norms(_with_head(get_model(name, weights=None), n_outputs))
    is_default = weights == "default"
    state = _default_weights(name) if is_default else read_weights(Path(weights))
    model = get_model(name, weights=None)
    # The file's own number of classes, so that all of it can be held to the network.
    *_, (head, _) = model.named_modules()
    bias = state.get(f"{head}.bias")
    model = model if bias is None else _with_head(model, len(bias))
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        msg = f"Expected the weights of {name} in {weights!r}, but they do not fit: {error}"
        raise ValueError(msg) from error
    return _with_head(model, n_outputs)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file, without running code from it.

    Raises:
        FileNotFoundError: when it is not there.
        ValueError: when it holds something else.
    """
    if not path.is_file():
        msg = (
            f"Expected weights to be 'default', 'none' or a file, but there is no file {path} "
            f"(looked for in {Path.cwd()})"
        )
        raise FileNotFoundError(msg)
    if path.suffix == ".safetensors":
        return load_file(path)
    state = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        msg = f"Expected named tensors in {path}, but found {type(state).__name__}"
        raise ValueError(msg)
    return dict(state)


def head_of(model: nn.Module) -> nn.Linear:
    """The last layer of one of the backbones."""
    *_, head = model.modules()
    if not isinstance(head, nn.Linear):
        msg = f"Expected a linear head, but {type(model).__name__} ends in {type(head).__name__}"
        raise TypeError(msg)
    return head


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """The parts of a backbone in the order in which photos pass them, without its head.

    MobileNets and EfficientNets: the entries of `features`. ResNets: what they are made of, down
    to single layers in the stem (`conv1`, `bn1`, `relu`, `maxpool`, `layer1`, ...).
    """
    features = getattr(model, "features", None)
    if isinstance(features, nn.Sequential):
        return list(features)
    *blocks, _ = model.children()  # the last is the head, or what is left where it was taken off
    return blocks


def without_head(model: nn.Module) -> tuple[nn.Module, int]:
    """The same network without its last layer, and how many features it returns."""
    *_, (name, _) = model.named_modules()
    n_features = head_of(model).in_features
    model.set_submodule(name, nn.Identity())
    return model, n_features


def _with_head(model: nn.Module, n_outputs: int) -> nn.Module:
    """The same network, with a fresh head of another width."""
    *_, (name, _) = model.named_modules()
    old = head_of(model)
    new = nn.Linear(old.in_features, n_outputs)
    nn.init.normal_(new.weight, std=0.01)
    nn.init.zeros_(new.bias)
    model.set_submodule(name, new)
    return model


def _with_quick_norms(model: nn.Module) -> nn.Module:
    """The same network, whose running means follow the data within tens of steps.

    torchvision's MobileNetV3 has a momentum of 0.01, made for millions of photos: from random
    weights, hundreds of steps would be judged by means that still are those of the start.
    """
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.1
    return model


def _default_weights(name: str) -> dict[str, Tensor]:
    chosen = get_model_weights(name).DEFAULT
    try:
        state = chosen.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except OSError as error:
        msg = (
            f"The default weights of {name} could not be downloaded from {chosen.url} ({error}). "
            "Without network: weights='none' trains from nothing, and weights='/path/to/file' "
            "takes a .pth or .safetensors file that you bring."
        )
        raise ConnectionError(msg) from error
    return dict(state)
