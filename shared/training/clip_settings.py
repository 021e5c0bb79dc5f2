"""The settings of a contrastive training, checked when they are made."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from shared.training.augment import Augmentation
from shared.training.contrast import REPEATS
from shared.training.settings import PRECISIONS

DUPLICATES = ("caption", "place")
FROZEN = ("none", "vision", "text")


@dataclass(frozen=True)
class ClipSettings:
    """All that a contrastive training depends on beside its data and its model.

    Attributes:
        epochs: how many times each training photo is seen, at most.
        batch_size: photos a step, of all GPUs together: each is told from all the others.
        lr: the largest learning rate.
        weight_decay: of AdamW; not of biases, norms, single vectors and the scale.
        warm_up: the share of the steps in which the rate rises in a line; then it falls in one.
        repeats: what duplicates of a batch are to each other (see `contrastive_loss`).
        duplicates: photos are duplicates when their captions are equal (`"caption"`), or when
            these are or the photos show one place (`"place"`).
        frozen: the tower that keeps its weights: `"none"`, `"vision"` or `"text"`.
        gradient_checkpointing: compute activations again in the backward pass, to save memory.
        gradient_clip: the largest norm of the gradient; 0 for none.
        early_stopping_patience: stop after this many epochs without a better score; 0: never.
        augmentation: of the training photos.
        precision: `"32"`, `"bf16-mixed"`, `"16-mixed"`, or `"auto"`: bfloat16 where a GPU has it.
        threads: CPU threads, shared among the processes of a machine.
        seed: feeds every random draw.
        max_minutes: stop after the epoch in which this time runs out; 0: no limit.
        accelerator: `"auto"`, `"cpu"` or `"gpu"`.
    """

    epochs: int = 20
    batch_size: int = 32
    lr: float = 1e-3
    weight_decay: float = 1e-3
    warm_up: float = 0.1
    repeats: str = "mask"
    duplicates: str = "place"
    frozen: str = "none"
    gradient_checkpointing: bool = False
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
            "repeats": REPEATS,
            "duplicates": DUPLICATES,
            "frozen": FROZEN,
            "precision": PRECISIONS,
            "accelerator": ("auto", "cpu", "gpu"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                msg = f"Expected {name} to be one of {allowed}, but got {getattr(self, name)!r}"
                raise ValueError(msg)
        if self.epochs < 1 or self.threads < 1 or self.batch_size < 2:
            msg = (
                "Expected at least one epoch, one thread and two photos a batch, but got "
                f"{self.epochs}, {self.threads} and {self.batch_size}"
            )
            raise ValueError(msg)
        if self.lr <= 0 or not 0 <= self.warm_up < 1:
            msg = f"Expected lr above 0 and warm_up from 0 to below 1: {self.lr}, {self.warm_up}"
            raise ValueError(msg)

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> "ClipSettings":
        """The settings among the parameters of a notebook, which have the same names.

        Args:
            parameters: the notebook's `globals()`; the augmentation is `augment_crop`,
                `augment_rotation` and `augment_colour`.

        Raises:
            ValueError: when one is missing.
        """
        own = [each.name for each in fields(cls) if each.name != "augmentation"]
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
