"""Image towers by name: CLIP's vision towers, models of timm, torchvision's backbones.

CLIPs come by name, from a folder, or tiny with random weights. Their parts are in `tower_net`.
"""

from collections.abc import Mapping

import torch
from transformers import CLIPVisionModel

from shared.training.backbones import BACKBONES, Normalisation, build_backbone
from shared.training.clip import TINY, load_clip
from shared.training.clip_tiny import TINY_SIZES
from shared.training.tower_net import (
    CLIP,
    TIMM,
    TIMM_PREFIX,
    TORCHVISION,
    ImageTower,
    TowerFacts,
    clip_tower,
    make_tower,
    timm_model,
    timm_tower,
    torchvision_tower,
)

NO_WEIGHTS, PUBLISHED = "none", "default"


def build_tower(
    name: str,
    weights: str,
    size: tuple[int, int],
    readout: str = "mean",
    sizes: Mapping[str, int] | None = None,
    seed: int = 0,
    revision: str = "",
) -> tuple[ImageTower, tuple[int, int]]:
    """A tower by its name.

    Args:
        name: `"tiny"`, a small CLIP; `"timm:"` and a model of timm; a torchvision backbone out of
            `BACKBONES`; or a CLIP of transformers, by its name or its folder.
        weights: `"default"`: as published; `"none"`: random; or, of a torchvision backbone, a file.
        size: width and height of the photos, pixels; (0, 0) for the model's own.
        readout: of a CLIP: the `"mean"` of its tokens, or its `"class"` token.
        sizes: of a tiny CLIP (see `TINY_SIZES`), those that differ.
        seed: feeds random weights.
        revision: of a name of transformers: a commit.

    Returns:
        The tower, and the width and height that it reads.

    Raises:
        ValueError: for a combination that there is none of.
        FileNotFoundError, ConnectionError: when weights are neither here nor to be downloaded.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if name == TINY:
            return _tiny(weights, size, readout, sizes or {})
        if name.startswith(TIMM_PREFIX):
            return _timm(name.removeprefix(TIMM_PREFIX), weights, size)
        if name in BACKBONES:
            return _torchvision(name, weights, size)
    if weights != PUBLISHED:
        msg = f"Expected weights='default' for the CLIP {name!r}, but got {weights!r}"
        raise ValueError(msg)
    return _clip(name, revision, size, readout)


def _tiny(
    weights: str, size: tuple[int, int], readout: str, sizes: Mapping[str, int]
) -> tuple[ImageTower, tuple[int, int]]:
    if weights != NO_WEIGHTS:
        msg = f"Expected weights='train' or 'none' for a tiny CLIP, but got {weights!r}"
        raise ValueError(msg)
    if unknown := sorted(set(sizes) - set(TINY_SIZES)):
        msg = f"Expected sizes out of {list(TINY_SIZES)}, but got {unknown}"
        raise ValueError(msg)
    width, height = size if all(size) else (112, 64)
    facts = TowerFacts(CLIP, TINY, tiny_vision(sizes, width), readout)
    return make_tower(facts), (width, height)


def tiny_vision(sizes: Mapping[str, int], width: int) -> dict[str, int]:
    """The vision config of `tiny_clip` for the same sizes."""
    chosen = {**TINY_SIZES, **sizes}
    return {
        "hidden_size": chosen["hidden"],
        "intermediate_size": 4 * chosen["hidden"],
        "num_hidden_layers": chosen["layers"],
        "num_attention_heads": chosen["heads"],
        "image_size": width,
        "patch_size": chosen["patch"],
    }


def _clip(
    name: str, revision: str, size: tuple[int, int], readout: str
) -> tuple[ImageTower, tuple[int, int]]:
    encoder = load_clip(name, revision)
    vision = getattr(encoder.model, "vision_model", None)
    if not isinstance(vision, CLIPVisionModel):
        msg = f"Expected a CLIP with a vision transformer in {name!r}, got {type(vision).__name__}"
        raise ValueError(msg)
    native = (encoder.preprocessing.width, encoder.preprocessing.height)
    pixels = encoder.normalisation
    known = {k: v for k, v in vision.config.to_diff_dict().items() if _is_plain(k, v)}
    facts = TowerFacts(CLIP, name, known, readout, pixels.mean, pixels.std)
    return clip_tower(vision, facts), size if all(size) else native


def _is_plain(key: str, value: object) -> bool:
    """Whether an entry of a config is of the architecture, not of the file that it came from."""
    return isinstance(value, int | float | str) and key not in ("dtype", "transformers_version")


def _torchvision(
    name: str, weights: str, size: tuple[int, int]
) -> tuple[ImageTower, tuple[int, int]]:
    pixels = Normalisation.of("auto", weights)
    facts = TowerFacts(TORCHVISION, name, mean=pixels.mean, std=pixels.std)
    model = build_backbone(name, 1, weights)
    return torchvision_tower(model, facts), size if all(size) else (224, 224)


def _timm(name: str, weights: str, size: tuple[int, int]) -> tuple[ImageTower, tuple[int, int]]:
    from timm.data.config import resolve_model_data_config

    if weights not in (PUBLISHED, NO_WEIGHTS):
        msg = f"Expected weights 'default' or 'none' for timm:{name}, but got {weights!r}"
        raise ValueError(msg)
    plain = timm_model(name, {}, is_pretrained=False)
    config = resolve_model_data_config(plain)  # type: ignore[no-untyped-call]
    native = (int(config["input_size"][2]), int(config["input_size"][1]))
    chosen = size if all(size) else native
    is_resized = chosen != native and hasattr(plain, "patch_embed")
    arguments = {"img_size": [chosen[1], chosen[0]]} if is_resized else {}
    model = timm_model(name, arguments, is_pretrained=weights == PUBLISHED)
    facts = TowerFacts(TIMM, name, arguments, mean=config["mean"], std=config["std"])
    return timm_tower(model, facts), chosen
