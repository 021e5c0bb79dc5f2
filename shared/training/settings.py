"""The settings of a training, checked when they are made."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from shared.training.augment import Augmentation
from shared.training.backbones import BACKBONES

SCHEDULES = ("step", "cosine", "one-cycle")
PRECISIONS = ("auto", "32", "bf16-mixed", "16-mixed")


@dataclass(frozen=True)
class FitSettings:
    """All that a training depends on beside its data.

    Attributes:
        backbone, weights, normalisation: see `build_backbone` and `Normalisation`.
        epochs: how many times each training photo is seen, at most.
        batch_size: photos a step, of all GPUs together.
        lr: the largest learning rate of the head.
        backbone_lr_factor: the backbone's rate, as a share of the head's. A network that starts
            from random weights has nothing to keep: its rate is the head's.
        frozen_blocks: how many of the backbone's first blocks stay as they are (`blocks_of`).
        probe_first: begin with a head that is fitted to the pretrained backbone's features.
        weight_decay: of AdamW.
        schedule, schedule_every, schedule_factor: see `build_schedule`.
        gradient_clip: the largest norm of the gradient; 0 for none.
        early_stopping_patience: stop after this many epochs without a better score; 0: never.
        augmentation: of the training photos.
        precision: `"32"`, `"bf16-mixed"`, `"16-mixed"`, or `"auto"`: what is fastest for the
            backbone on the device.
        threads: CPU threads, shared among the processes of a machine. Another count gives other
            rounding, hence slightly other results.
        seed: feeds every random draw.
        max_minutes: stop after the epoch in which this time runs out; 0: no limit.
        accelerator: `"auto"`, `"cpu"` or `"gpu"`.
    """

    backbone: str = "mobilenet_v3_small"
    weights: str = "none"
    normalisation: str = "auto"
    epochs: int = 20
    batch_size: int = 32
    lr: float = 2e-3
    backbone_lr_factor: float = 0.1
    frozen_blocks: int = 0
    probe_first: bool = False
    weight_decay: float = 1e-2
    schedule: str = "step"
    schedule_every: int = 10
    schedule_factor: float = 0.1
    gradient_clip: float = 1.0
    early_stopping_patience: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: str = "auto"
    threads: int = 2
    seed: int = 0
    max_minutes: float = 0.0
    accelerator: str = "auto"

    def __post_init__(self) -> None:
        """Check what can be checked without data."""
        choices = {
            "backbone": BACKBONES,
            "schedule": SCHEDULES,
            "precision": PRECISIONS,
            "accelerator": ("auto", "cpu", "gpu"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                msg = f"Expected {name} to be one of {allowed}, but got {getattr(self, name)!r}"
                raise ValueError(msg)
        for name in ("epochs", "batch_size", "threads", "schedule_every"):
            if getattr(self, name) < 1:
                msg = f"Expected {name} of at least 1, but got {getattr(self, name)}"
                raise ValueError(msg)
        if self.frozen_blocks < 0:
            msg = f"Expected frozen_blocks of at least 0, but got {self.frozen_blocks}"
            raise ValueError(msg)
        if self.lr <= 0 or self.backbone_lr_factor < 0:
            msg = f"Expected a positive lr, but got {self.lr} (backbone: {self.backbone_lr_factor})"
            raise ValueError(msg)

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> "FitSettings":
        """The settings among the parameters of a notebook, which have the same names.

        Args:
            parameters: the notebook's `globals()`; the augmentation is `augment_crop`,
                `augment_rotation` and `augment_colour`.

        Raises:
            ValueError: when one is missing.
        """
        own = [field.name for field in fields(cls) if field.name != "augmentation"]
        switches = [f"augment_{name}" for name in ("crop", "rotation", "colour")]
        missing = [name for name in [*own, *switches] if name not in parameters]
        if missing:
            msg = f"Expected the parameters {missing} in the notebook, but they are not there"
            raise ValueError(msg)
        augmentation = Augmentation(*(parameters[name] for name in switches))
        return cls(**{name: parameters[name] for name in own}, augmentation=augmentation)

    def as_dict(self) -> dict[str, object]:
        """The settings as plain values, for a checkpoint and a log."""
        return asdict(self)
