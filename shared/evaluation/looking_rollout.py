"""Attention roll-out: how much of each patch of a photo attention carries to the last layer.

In each layer a token is half itself (the residual path) and half what it attends to, mean over the
heads; layers multiply (Abnar and Zuidema, 2020, Quantifying Attention Flow in Transformers,
arXiv 2005.00928, section 3). It knows nothing of the answer: what is carried need not be used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

RESIDUAL = 0.5  # share of a token that stays itself in a layer


def roll_out(attentions: Sequence[Tensor], residual: float = RESIDUAL) -> Tensor:
    """(T, T) how much of each token (across) reaches each token of the last layer (down).

    Args:
        attentions: of each layer, the first one first, (heads, T, T) weights whose rows sum to 1.
        residual: the share of a token that stays itself in a layer.

    Returns:
        Rows that sum to 1.

    Raises:
        ValueError: for no layers, or weights of another shape.
    """
    shapes = {tuple(layer.shape[1:]) for layer in attentions}
    is_square = all(len(shape) == 2 and shape[0] == shape[1] for shape in shapes)
    if len(shapes) != 1 or not is_square:
        msg = (
            "Expected (heads, T, T) attention of one layer or more, all of the same T, but got "
            f"{[tuple(layer.shape) for layer in attentions]}"
        )
        raise ValueError(msg)
    n_tokens = attentions[0].shape[-1]
    itself = torch.eye(n_tokens, dtype=torch.float64, device=attentions[0].device)
    found = itself
    for layer in attentions:
        mixed = residual * itself + (1 - residual) * layer.double().mean(dim=0)
        found = mixed @ found
    return found


def token_map(rolled: Tensor, rows: int, columns: int) -> Tensor:
    """(rows, columns) shares of the patches: what reaches the class token, which is the first.

    Args:
        rolled: (T, T), of `roll_out`; where all tokens are patches, the mean over them is taken.
        rows: of patches.
        columns: of patches; they are the last tokens, row by row.

    Raises:
        ValueError: for fewer tokens than patches.
    """
    first = len(rolled) - rows * columns
    if first < 0:
        msg = f"Expected at least {rows} x {columns} tokens, got {len(rolled)}"
        raise ValueError(msg)
    reached = rolled[0, first:] if first else rolled.mean(dim=0)
    return reached.reshape(rows, columns)


@dataclass(frozen=True)
class Attentions:
    """What a vision transformer attends to.

    Attributes:
        layers: of each layer, the first one first, (N, heads, T, T) weights.
        rows: of patches.
        columns: of patches.
    """

    layers: list[Tensor]
    rows: int
    columns: int


def has_attention(network: nn.Module) -> bool:
    """Whether a network is, or holds, a vision transformer whose attention can be read."""
    return _tower(network) is not None


def attentions_of(network: nn.Module, pixels: Tensor) -> Attentions:
    """The attention of a vision transformer of transformers (a CLIP's too) or of timm.

    Args:
        network: the transformer, or a network that holds it.
        pixels: (N, 3, H, W), normalised.

    Raises:
        ValueError: when there is no such transformer.
    """
    tower = _tower(network)
    if tower is None:
        msg = f"Expected a network with a vision transformer, got {type(network).__name__}"
        raise ValueError(msg)
    with torch.inference_mode():
        if _is_of_transformers(tower):
            layers, patch = _of_transformers(tower, pixels), tower.config.patch_size
        else:
            layers, patch = _of_timm(tower, pixels), tower.patch_embed.patch_size[0]
    height, width = pixels.shape[-2:]
    return Attentions(layers, height // patch, width // patch)


def _tower(network: nn.Module) -> Any:  # noqa: ANN401 (of two libraries)
    """The first vision transformer in a network; None where there is none."""
    for module in network.modules():
        if _is_of_transformers(module) or (hasattr(module, "patch_embed") and _layers(module)):
            return module
    return None


def _is_of_transformers(module: nn.Module) -> bool:
    """Whether a network is a model of transformers that reads patches and no text."""
    config = getattr(module, "config", None)
    can_be_told = hasattr(module, "set_attn_implementation")
    return can_be_told and hasattr(config, "patch_size") and not hasattr(config, "text_config")


def _of_transformers(tower: Any, pixels: Tensor) -> list[Tensor]:  # noqa: ANN401
    before = tower.config._attn_implementation
    tower.set_attn_implementation("eager")  # the others keep no weights
    try:
        found = tower(pixels, output_attentions=True, interpolate_pos_encoding=True)
    finally:
        tower.set_attn_implementation(before or "eager")
    return list(found.attentions)


def _layers(tower: nn.Module) -> list[Any]:
    """The attention layers of one of timm's."""
    return [m for m in tower.modules() if hasattr(m, "fused_attn") and hasattr(m, "attn_drop")]


def _of_timm(tower: nn.Module, pixels: Tensor) -> list[Tensor]:
    """The weights that pass each layer's dropout; the fused kernel keeps none."""
    layers, found = _layers(tower), list[Tensor]()
    before = [layer.fused_attn for layer in layers]

    def note(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        found.append(given[0].detach())

    hooks = [layer.attn_drop.register_forward_pre_hook(note) for layer in layers]
    try:
        for layer in layers:
            layer.fused_attn = False
        tower(pixels)
    finally:
        for hook, layer, was in zip(hooks, layers, before, strict=True):
            hook.remove()
            layer.fused_attn = was
    return found
