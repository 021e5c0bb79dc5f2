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
from torch.utils.hooks import RemovableHandle

EAGER = "eager"  # the kernel of transformers that keeps the weights; the fused ones do not
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
    return bool(_layers(network))


def attentions_of(network: nn.Module, pixels: Tensor) -> Attentions:
    """The attention of a vision transformer of transformers (a CLIP's too) or of timm.

    Args:
        network: the transformer, or a network that holds it.
        pixels: (N, 3, H, W), as the network is given them.

    Raises:
        ValueError: when there is no such transformer.
    """
    layers = _layers(network)
    if not layers:
        msg = f"Expected a network with a vision transformer, got {type(network).__name__}"
        raise ValueError(msg)
    found: list[Tensor] = []
    configs = {id(layer.config): layer.config for layer in layers if _is_of_transformers(layer)}
    kernels = {key: config._attn_implementation for key, config in configs.items()}
    plain = [layer for layer in layers if not _is_of_transformers(layer)]
    fused = [layer.fused_attn for layer in plain]
    hooks = [_hook(layer, found) for layer in layers]
    try:
        for config in configs.values():
            config._attn_implementation = EAGER
        for layer in plain:
            layer.fused_attn = False
        with torch.inference_mode():
            network(pixels)
    finally:
        for key, config in configs.items():
            config._attn_implementation = kernels[key]
        for layer, was in zip(plain, fused, strict=True):
            layer.fused_attn = was
        for hook in hooks:
            hook.remove()
    height, width = pixels.shape[-2:]
    patch = _patch(network, layers)
    return Attentions(found, height // patch, width // patch)


def _layers(network: nn.Module) -> list[Any]:
    """The attention layers of a network's vision transformer, of either library."""
    modules = list(network.modules())
    has_patches = any(hasattr(module, "patch_embed") for module in modules)
    return [
        module
        for module in modules
        if _is_of_transformers(module)
        or (has_patches and hasattr(module, "fused_attn") and hasattr(module, "attn_drop"))
    ]


def _is_of_transformers(module: nn.Module) -> bool:
    """Whether a module is an attention layer of transformers that reads patches."""
    is_attention = type(module).__name__.endswith("Attention")
    return is_attention and hasattr(getattr(module, "config", None), "patch_size")


def _hook(layer: Any, found: list[Tensor]) -> RemovableHandle:  # noqa: ANN401
    """Note a layer's weights when it runs: its second output, or what its dropout is given."""

    def given(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append(inputs[0].detach())

    def told(_: nn.Module, __: object, outputs: tuple[Tensor, Tensor]) -> None:
        found.append(outputs[1].detach())

    handle: RemovableHandle = (
        layer.register_forward_hook(told)
        if _is_of_transformers(layer)
        else layer.attn_drop.register_forward_pre_hook(given)
    )
    return handle


def _patch(network: nn.Module, layers: list[Any]) -> int:
    """The side of a patch, pixels."""
    if _is_of_transformers(layers[0]):
        return int(layers[0].config.patch_size)
    found: Any = next(m for m in network.modules() if hasattr(m, "patch_embed"))
    return int(found.patch_embed.patch_size[0])
