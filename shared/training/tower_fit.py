"""Towers that are learned before their heads are: on countries, and then on captions by contrast.

Both are trainings of their own, in folders of their own below `towers/`, known by fingerprints: all
seeds and steps of an ablation share one tower, as they would share published weights.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import CLIPVisionModel

from shared.data_loader.places import locked
from shared.partitions import countries_partition
from shared.paths import data_folder
from shared.training import distributed
from shared.training.backbones import BACKBONES
from shared.training.batches import Split
from shared.training.captions import CaptionStyle
from shared.training.checkpoint import Checkpoint
from shared.training.clip import ClipEncoder, load_clip
from shared.training.clip_data import build_encoder, clip_data
from shared.training.clip_fit import ClipTask, fit_clip
from shared.training.clip_prompts import named
from shared.training.clip_settings import ClipSettings
from shared.training.features import weights_digest
from shared.training.fit import FitResult, fit
from shared.training.geocell import model_of
from shared.training.geocell_net import GeocellHead, GeocellNetwork
from shared.training.headings import N_HEADING, ViewFeatures
from shared.training.images import Bytes, Preprocessing
from shared.training.inputs import Lists, PhotoList, facts_of
from shared.training.objectives import Classification
from shared.training.settings import FitSettings
from shared.training.tower_net import CLIP, ImageTower, clip_tower, copy_tower
from shared.training.writer import Task

ASKED = "A Street View photo in {country}."  # what the contrastive training is judged by
Images = tuple[Bytes, Bytes]  # of the training list and the validation list


@dataclass(frozen=True)
class TowerSettings(FitSettings):
    """Settings of a training whose `backbone` is the name of any tower."""

    def __post_init__(self) -> None:
        """Check what can be checked, but for the name."""
        FitSettings(**{**vars(self), "backbone": BACKBONES[0]})


def towers_folder(dataset: str, name: str, settings: Mapping[str, Any]) -> Path:
    """Where a tower is trained: a folder for each name and its settings."""
    text = json.dumps(settings, sort_keys=True, default=str)
    plain = "".join(c if c.isalnum() else "-" for c in name).lower()
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    return data_folder("3-training", dataset) / "towers" / f"{plain}-{mark}"


def fit_tower(
    tower: ImageTower,
    lists: Lists,
    images: Images,
    preprocessing: Preprocessing,
    settings: TowerSettings,
    folder: Path,
    wandb_mode: str = "",
) -> tuple[ImageTower, FitResult]:
    """A tower that has learned to tell the training photos' countries.

    Args:
        tower: with the weights to begin from; it is not changed.
        lists: the photos: all that have a country, with coordinates or without.
        images: of both lists.
        preprocessing: how photos became these images.
        settings: of the training; its augmentation too.
        folder: of the training.
        wandb_mode: see `Tracker`.
    """
    codes = sorted(set(lists.train.records["country_code"].astype(str)))
    size = (preprocessing.width, preprocessing.height)
    head = GeocellHead("all", "one", augmentation=settings.augmentation)
    task = Task(
        "geocell_tower",
        Classification(len(codes)),
        countries_partition(codes),
        preprocessing,
        lists.digests,
        facts_of(lists.train, lists.validation),
        GeocellNetwork(tower, size, head),
    )
    parts = zip((lists.train, lists.validation), images, strict=True)
    train, validation = (_country_split(part, pixels, codes) for part, pixels in parts)
    # The network augments by itself: the loop knows features alone.
    plain = replace(settings, augmentation=GeocellHead().augmentation)
    with _in_turn(folder):
        result = fit(task, train, validation, plain, folder, wandb_mode)
    part = model_of(Checkpoint.load(result.best)).net.part
    return copy_tower(cast(ImageTower, part)), result


def fit_tower_to_captions(
    tower: ImageTower,
    lists: Lists,
    dataset: str,
    images: Images,
    preprocessing: Preprocessing,
    style: CaptionStyle,
    settings: ClipSettings,
    folder: Path,
    sizes: Mapping[str, int] | None = None,
    revision: str = "",
    wandb_mode: str = "",
) -> tuple[ImageTower, FitResult]:
    """A CLIP's vision tower that has learned which caption belongs to which photo.

    Args:
        tower: the vision tower to begin from; it is not changed. The text tower is that of the same
            CLIP; of a tiny one it begins from random weights.
        lists: the photos.
        dataset: whose regions and surroundings are told.
        images: of both lists.
        preprocessing: how photos became these images.
        style: of the captions.
        settings: of the training.
        folder: of the training.
        sizes: of a tiny CLIP.
        revision: of a name of transformers.
        wandb_mode: see `Tracker`.

    Raises:
        ValueError: for a tower that is no CLIP's.
    """
    if tower.facts.kind != CLIP:
        msg = (
            f"Expected the vision tower of a CLIP to learn from captions, but {tower.facts.name} "
            f"is of {tower.facts.kind}: set pretraining=False, or choose a CLIP as the tower"
        )
        raise ValueError(msg)
    data = clip_data(lists, dataset, [], style, settings.seed)
    size = (preprocessing.width, preprocessing.height)
    encoder, _ = build_encoder(
        tower.facts.name, data.source, size, preprocessing.fit, dict(sizes or {}), revision
    )
    clip_tower(_vision(encoder), tower.facts).load_state_dict(tower.state_dict())
    choices = data.choices(named(data.seen, ASKED))
    origin = f"tower {weights_digest(tower)}"
    task = ClipTask(encoder, origin, data.source, choices, lists.digests, data.facts)
    with _in_turn(folder):
        result = fit_clip(task, *data.splits(*images), settings, folder, wandb_mode)
    best = load_clip(str(result.best))
    return copy_tower(clip_tower(_vision(best), tower.facts)), result


def _vision(encoder: ClipEncoder) -> CLIPVisionModel:
    return cast(CLIPVisionModel, encoder.model.vision_model)


def _in_turn(folder: Path) -> AbstractContextManager[None]:
    """One training at a time in a folder: trials side by side share the tower that one learns.

    Processes of one training on several GPUs go through together.
    """
    return locked(str(folder)) if distributed.world_size() == 1 else nullcontext()


def _country_split(part: PhotoList, images: Bytes, codes: list[str]) -> Split:
    """Photos of known countries with their numbers; headings are not told."""
    own = part.records["country_code"].astype(str)
    known = part.only(own.isin(codes).to_numpy())
    numbers = np.searchsorted(codes, known.records["country_code"].astype(str)).astype(np.int64)
    headings = np.zeros((len(images), N_HEADING), dtype=np.float32)
    joined = cast(NDArray[Any], ViewFeatures(images, headings))
    return known.split(joined, torch.from_numpy(numbers))
