"""The models that are looked into: a CLIP told about countries, and networks that learned nothing.

A CLIP's K outputs are its scaled similarities to the text vectors of K countries.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.evaluation.looking import Eye
from shared.training.clip import ClipEncoder, image_features
from shared.training.images import Bytes


class ClipLogits(nn.Module):
    """Photos to their similarities to countries.

    Args:
        encoder: the model.
        vectors: (K, D) text vectors of length 1.
    """

    def __init__(self, encoder: ClipEncoder, vectors: Tensor) -> None:
        super().__init__()
        self.clip, self.scale = encoder.model, encoder.scale
        self.register_buffer("vectors", vectors.clone())

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, K) scaled similarities of (N, 3, H, W) normalised pixels."""
        features = F.normalize(image_features(self.clip, pixels).float(), dim=1)
        return self.scale * features @ self.vectors.T  # type: ignore[operator]


def clip_eye(encoder: ClipEncoder, vectors: Tensor, countries: Sequence[str]) -> Eye:
    """The eye of a CLIP.

    Args:
        encoder: the model.
        vectors: (K, D) text vectors of length 1, of `class_vectors`.
        countries: their K codes.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = ClipLogits(encoder, vectors).to(device).eval()
    return Eye(network, encoder.preprocessing, encoder.normalisation, tuple(countries))


def untrained(eye: Eye, seed: int, images: Bytes) -> Eye:
    """The same network with random weights: what its maps show is not learned.

    Source: Adebayo et al. (2018), Sanity Checks for Saliency Maps, arXiv 1810.03292, section 3.

    Args:
        eye: the model; it stays as it is.
        seed: feeds the weights.
        images: (N, H, W, 3) bytes, from which batch norms take their statistics: with those of a
            fresh network the signal of a photo fades from layer to layer.
    """
    network = deepcopy(eye.network)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        _draw_anew(network)
    found = replace(eye, network=network)
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = None  # the plain mean over what is seen
        norm.train()
    with torch.no_grad():
        network(found.pixels(images))
    network.eval()
    return found


def _draw_anew(network: nn.Module) -> None:
    """Fresh weights, as torch draws them; of bare parameters and embeddings as wide as they are."""
    fresh: set[int] = set()
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset) and not isinstance(module, nn.Embedding):
            reset()
            fresh |= {id(p) for p in module.parameters(recurse=False)}
    for parameter in network.parameters():
        if id(parameter) not in fresh and parameter.ndim > 0:
            spread = float(parameter.detach().float().std(correction=0))
            nn.init.normal_(parameter, std=spread)
