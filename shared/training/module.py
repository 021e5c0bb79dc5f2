"""The Lightning module: bytes to floats, augmentation, network, loss, measures, optimiser."""

import math
from collections.abc import Mapping
from functools import partial

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, StepLR
from torchmetrics import MeanMetric

from shared.training.augment import augment, draw
from shared.training.backbones import Normalisation, blocks_of, head_of
from shared.training.batches import Batch
from shared.training.objectives import Objective
from shared.training.settings import FitSettings
from shared.training.targets import is_real

WARM_UP = 0.25  # share of the steps in which "one-cycle" raises the learning rate


def as_floats(images: Tensor) -> Tensor:
    """(N, H, W, 3) bytes as (N, 3, H, W) floats in 0..1, channels last in memory.

    What is floats already, which are features, stays as it is.
    """
    if images.is_floating_point():
        return images
    return images.permute(0, 3, 1, 2).float() / 255


class Training(L.LightningModule):
    """One backbone that is trained for one objective.

    Args:
        model: the network, with its head.
        objective: the loss and the measures.
        settings: augmentation, optimiser and schedule.
        normalisation: of the pixels; None for features.
        backbone_lr_factor: the backbone's learning rate, as a share of the head's.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        settings: FitSettings,
        normalisation: Normalisation | None,
        backbone_lr_factor: float,
    ) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)
        self.objective = objective
        self.settings = settings
        self.normalisation = normalisation
        self.backbone_lr_factor = backbone_lr_factor
        self.measures = objective.measures()
        self.train_loss, self.validation_loss = MeanMetric(), MeanMetric()
        self._frozen = blocks_of(self.backbone)[: settings.frozen_blocks]
        for block in self._frozen:
            block.requires_grad_(requires_grad=False)

    @property
    def backbone(self) -> nn.Module:
        """What the frozen blocks are counted in: the network, where it is nothing else."""
        return self.model

    def train(self, mode: bool = True) -> "Training":
        """As in torch, but frozen blocks keep the statistics of their batch norms."""
        super().train(mode)
        for block in self._frozen:
            block.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """The outputs for (N, 3, H, W) pixels in 0..1, or for features."""
        if self.normalisation is not None:
            images = self.normalisation.apply(images)
        outputs: Tensor = self.model(images)
        return outputs

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of a batch. All its randomness follows from the seed, the epoch, its number."""
        images = self.augmented(batch)
        # Dropout draws from torch's own generator: seeded here, a resumed epoch draws the same.
        torch.manual_seed(self._seed(batch) + 1 + batch.start)
        loss = self.objective.loss(self(images), batch.targets)
        self.train_loss.update(loss.detach(), len(images))
        return loss

    def augmented(self, batch: Batch) -> Tensor:
        """The (n, 3, H, W) pixels in 0..1 of a batch, as the network is shown them in training."""
        images, augmentation = as_floats(batch.images), self.settings.augmentation
        if augmentation.is_off:
            return images
        generator = torch.Generator().manual_seed(self._seed(batch))
        draws = draw(batch.total, augmentation, generator)
        stop = batch.start + len(images)
        return augment(images, draws.part(batch.start, stop, images.device), augmentation)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Count the measures of a batch."""
        outputs = self(as_floats(batch.images)).float()
        rows = is_real(batch.targets)
        outputs, targets = outputs[rows], batch.targets[rows]
        if len(targets):
            self.validation_loss.update(self.objective.loss(outputs, targets), len(targets))
            self.measures.update(outputs, targets)

    def on_validation_epoch_end(self) -> None:
        """Give the epoch's measures to the callbacks."""
        values: Mapping[str, Tensor] = self.measures.compute()
        for name, value in values.items():
            self.log(f"validation_{name}", value)
        self.log("validation_loss", self.validation_loss.compute())
        self.log("train_loss", self.train_loss.compute())
        self.measures.reset()
        self.validation_loss.reset()
        self.train_loss.reset()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, with a smaller rate for the backbone than for its new head."""
        settings = self.settings
        head = {id(p) for p in head_of(self.model).parameters()}
        groups = [
            {
                "params": [
                    parameter
                    for parameter in self.model.parameters()
                    if parameter.requires_grad and id(parameter) not in head
                ]
            },
            {"params": list(head_of(self.model).parameters())},
        ]
        rates = [settings.lr * self.backbone_lr_factor, settings.lr]
        optimizer = AdamW(
            [{**group, "lr": rate} for group, rate in zip(groups, rates, strict=True)],
            weight_decay=settings.weight_decay,
        )
        n_steps = int(self.trainer.estimated_stepping_batches)
        schedule, interval = build_schedule(optimizer, settings, n_steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": interval},
        }

    def _seed(self, batch: Batch) -> int:
        """A seed of its own for each batch of each epoch."""
        return ((self.settings.seed * 100_003 + batch.epoch) * 1_000_003 + batch.number) % 2**62


def build_schedule(
    optimizer: Optimizer, settings: FitSettings, n_steps: int
) -> tuple[LRScheduler, str]:
    """How the learning rate changes, and whether it does so by `"epoch"` or by `"step"`.

    `"step"` multiplies it every `schedule_every` epochs, `"cosine"` lowers it to zero,
    `"one-cycle"` raises it over the first quarter of the steps and then lowers it to zero.
    """
    if settings.schedule == "step":
        return StepLR(optimizer, settings.schedule_every, settings.schedule_factor), "epoch"
    share = WARM_UP if settings.schedule == "one-cycle" else 0.0
    return LambdaLR(optimizer, partial(share_of_rate, n_steps=n_steps, warm_up=share)), "step"


def share_of_rate(step: int, n_steps: int, warm_up: float) -> float:
    """The share of the largest learning rate at a step: up in a line, then down in half a cosine.

    torch's own OneCycleLR divides by zero when there are four steps or fewer.

    Args:
        step: from 0.
        n_steps: of the whole training.
        warm_up: the share of the steps that it goes up; from a twenty-fifth.
    """
    n_up = round(warm_up * n_steps)
    if step < n_up:
        return 1 / 25 + (1 - 1 / 25) * step / n_up
    return 0.5 * (1 + math.cos(math.pi * (step - n_up) / max(1, n_steps - n_up)))
