"""The settings of the cities' contrastive training; their defaults are those published."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from shared.training.contrast import REPEATS
from shared.training.settings import FitSettings

PLATEAU = "plateau"
# Settings of a classifier that have no meaning here.
WITHOUT_MEANING: Mapping[str, Any] = {"probe_first": False, "backbone_lr_factor": 1.0}


@dataclass(frozen=True)
class CityClipSettings(FitSettings):
    """All that a training depends on beside its data, and beside what `FitSettings` holds.

    The defaults of the networks, the learning rates, the weight decay, the schedule and the epochs
    are those of restricted geoclip (Figueroa, Gottlieb, Holland and Pogolian, 2024); the width and
    the dropout of the heads, which its report does not tell, are ours.

    Attributes:
        lr: of the projection heads and the scale.
        image_lr, text_lr: of the two encoders.
        schedule: of `FitSettings`, or `"plateau"`: the rates are multiplied by `schedule_factor`
            when the validation loss has not fallen for more than `schedule_patience` epochs.
        text_encoder, text_revision, text_length: see `build_text_encoder`.
        projection: width of the common space.
        dropout: of the projection heads.
        repeats: what photos with the same caption are to each other (`contrastive_loss`).
    """

    backbone: str = "resnet50"
    weights: str = "default"
    epochs: int = 6
    lr: float = 1e-3
    image_lr: float = 1e-4
    text_lr: float = 1e-5
    weight_decay: float = 1e-3
    schedule: str = PLATEAU
    schedule_factor: float = 0.8
    schedule_patience: int = 1
    text_encoder: str = "distilbert-base-uncased"
    text_revision: str = ""
    text_length: int = 32
    projection: int = 256
    dropout: float = 0.1
    repeats: str = "soft"

    def __post_init__(self) -> None:
        """Check what can be checked without data."""
        known = {each.name: getattr(self, each.name) for each in fields(FitSettings)}
        if self.schedule == PLATEAU:
            known["schedule"] = "step"
        FitSettings(**known)
        if self.repeats not in REPEATS:
            msg = f"Expected repeats to be one of {REPEATS}, but got {self.repeats!r}"
            raise ValueError(msg)
        if min(self.image_lr, self.text_lr) < 0 or self.batch_size < 2:
            msg = (
                "Expected learning rates of at least 0 and two photos a batch or more, but got "
                f"image_lr={self.image_lr}, text_lr={self.text_lr}, batch_size={self.batch_size}"
            )
            raise ValueError(msg)
        if min(self.projection, self.text_length) < 2 or not 0 <= self.dropout < 1:
            msg = (
                "Expected projection and text_length of at least 2 and dropout from 0 to below 1, "
                f"but got {self.projection}, {self.text_length} and {self.dropout}"
            )
            raise ValueError(msg)

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> "CityClipSettings":
        """The settings among the parameters of a notebook, which have the same names."""
        found = super().of({**WITHOUT_MEANING, **parameters})
        return found if isinstance(found, cls) else cls(**vars(found))
