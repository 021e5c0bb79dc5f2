"""An image backbone that learns the cities first, for want of a pretrained one.

From nothing, the contrast of a few thousand photos with their captions is too weak a teacher for
an image network. A classifier of the same photos and cities is a better one; the contrast then
starts from its backbone. It sees the training photos alone, so nothing of a held-out city or of a
validation photo enters.
"""

import os
from dataclasses import fields, replace
from pathlib import Path

from shared.training.batches import Split
from shared.training.checkpoint import MODEL
from shared.training.city_clip_fit import CityTask
from shared.training.city_clip_settings import CityClipSettings
from shared.training.fit import fit
from shared.training.settings import FitSettings
from shared.training.smoothing import HaversineSmoothing, PlaceClassification

TRAIN = "train"  # in place of a name of weights
SMOOTHING_KM = 300.0  # of the targets: neighbouring cities are half right
PHOTO_FACTS = ("training_photos", "validation_photos", "split", "held_out_photos")


def with_backbone(
    settings: CityClipSettings,
    city_task: CityTask,
    splits: tuple[Split, Split],
    folder: Path,
    epochs: int,
    lr: float,
    wandb_mode: str = "",
) -> CityClipSettings:
    """The settings with weights to start from: their own, or those of a backbone trained here.

    Args:
        settings: of the contrast; `weights` may be `"train"`.
        city_task: what is learned: its classes are those of the backbone too.
        splits: the photos to learn from, and those to choose the best epoch by.
        folder: gets the backbone's checkpoints; a finished training is not repeated.
        epochs: how often the backbone sees each photo.
        lr: its largest learning rate.
        wandb_mode: see `Tracker`.

    Raises:
        ValueError: when the task has no classes.
    """
    if settings.weights != TRAIN:
        return settings
    task = city_task.task
    if task.partition is None:
        msg = f"Expected a task with cities as classes, but {task.name!r} has none"
        raise ValueError(msg)
    smooth = HaversineSmoothing.named("normalised", SMOOTHING_KM)
    facts = {name: task.facts[name] for name in PHOTO_FACTS if name in task.facts}
    first = replace(
        task,
        name="city_backbone",
        objective=PlaceClassification(task.partition.centres, smooth),
        facts=facts,
    )
    result = fit(first, *splits, _classifier(settings, epochs, lr), folder, wandb_mode)
    # Relative, so that the checkpoint and its fingerprint are the same wherever the clone lies.
    return replace(settings, weights=os.path.relpath(result.best / MODEL))


def _classifier(settings: CityClipSettings, epochs: int, lr: float) -> FitSettings:
    """Settings of a network from random weights, on the same device with the same crops."""
    known = {each.name: getattr(settings, each.name) for each in fields(FitSettings)}
    return FitSettings(
        **{
            **known,
            "weights": "none",
            "epochs": epochs,
            "batch_size": 32,
            "lr": lr,
            "frozen_blocks": 0,
            "weight_decay": 0.05,
            "schedule": "one-cycle",
            "early_stopping_patience": 0,
        }
    )
