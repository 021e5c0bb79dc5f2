"""The models that are looked into: a CLIP told about countries, and networks that learned nothing.

A CLIP's K outputs are its scaled similarities to the text vectors of K countries.
"""

import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.evaluation.inputs import find_checkpoint
from shared.evaluation.looking import Eye
from shared.evaluation.zero_shot import class_vectors
from shared.evaluation.zero_shot_sources import find_clip
from shared.paths import shown
from shared.training.checkpoint import Checkpoint
from shared.training.clip import ClipEncoder, image_features, load_clip
from shared.training.clip_prompts import country_prompts
from shared.training.images import Bytes

logger = logging.getLogger(__name__)

CONTRASTIVE = "contrastive"  # the notebook of 3-training whose model is told about countries


@dataclass(frozen=True)
class Found:
    """A model that was found.

    Attributes:
        eye: to look into it.
        folder: where it lies.
        facts: what `metrics.json` says of it.
    """

    eye: Eye
    folder: Path
    facts: Mapping[str, Any]


def find_eyes(
    dataset: str, names: Sequence[str], codes: Sequence[str], prompts: Sequence[str], seed: int
) -> dict[str, Found]:
    """The models of a data set that can be asked about countries, of those that it has.

    Args:
        dataset: whose models.
        names: notebooks of 3-training; `"contrastive"` is told about countries by prompts.
        codes: the countries that it is told about.
        prompts: templates, as of `country_prompts`.
        seed: decides which gazetteer places fill them.

    Raises:
        FileNotFoundError: when there is none of them.
    """
    found, lacking = {}, []
    for name in names:
        try:
            if name == CONTRASTIVE:
                found[name] = _find_clip(dataset, codes, prompts, seed)
            else:
                found[name] = _find_checkpoint(dataset, name)
        except FileNotFoundError as error:
            logger.warning("%s is left out: %s", name, error)
            lacking.append(error)
    if not found:
        raise FileNotFoundError(str(lacking[0]) if lacking else "Expected a model to look into")
    return found


def _find_checkpoint(dataset: str, task: str) -> Found:
    place = find_checkpoint(dataset, task=task)
    checkpoint = Checkpoint.load(place.folder)
    eye = Eye.of(checkpoint)
    if not eye.countries:
        msg = f"Expected a model of classes in countries in {shown(place.folder)}: it gives points"
        raise ValueError(msg)
    facts = {"backbone": checkpoint.config["backbone"], "weights_digest": place.digest}
    return Found(eye, place.folder, facts)


def _find_clip(dataset: str, codes: Sequence[str], prompts: Sequence[str], seed: int) -> Found:
    place = find_clip(dataset)
    encoder = load_clip(place.where)
    vectors = class_vectors(encoder, country_prompts(codes, prompts, seed=seed))
    vision = encoder.model.config.vision_config  # type: ignore[union-attr]
    layers, width = vision.num_hidden_layers, vision.hidden_size  # type: ignore[union-attr]
    backbone = f"{type(encoder.model).__name__} with {layers} layers of {width}"
    facts = {"backbone": backbone, "weights_digest": place.digest}
    return Found(clip_eye(encoder, vectors, codes), Path(place.where), facts)


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
