"""The Lightning module of the cities: photos and captions of a batch, each told from the others."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import ReduceLROnPlateau

from shared.training.backbones import Normalisation
from shared.training.batches import Batch
from shared.training.city_clip_net import CityClipNet
from shared.training.city_clip_settings import PLATEAU, CityClipSettings
from shared.training.contrast import contrastive_loss, gathered
from shared.training.module import Training, build_schedule
from shared.training.objectives import Objective
from shared.training.targets import classes_of
from shared.training.text import TextEncoder

KEPT = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")  # of the plateau's state


class CityClipTraining(Training):
    """Both encoders and their heads in training.

    Args:
        model: the network; its text part is that of `encoder`.
        encoder: makes tokens of captions.
        captions: (K,) the caption of each class.
        objective: measures the validation photos, told among the captions.
        settings: augmentation, optimiser, schedule and loss.
        normalisation: of the pixels.
    """

    def __init__(
        self,
        model: CityClipNet,
        encoder: TextEncoder,
        captions: Sequence[str],
        objective: Objective,
        settings: CityClipSettings,
        normalisation: Normalisation,
    ) -> None:
        self.net, self.city_settings = [model], settings  # in a list: the base registers it
        self.pixels = normalisation
        super().__init__(model, objective, settings, normalisation, 1.0)
        self.encoder = encoder
        tokens, mask = encoder.tokens(captions)
        numbers = {text: number for number, text in enumerate(dict.fromkeys(captions))}
        groups = torch.tensor([numbers[text] for text in captions])
        for name, value in (("tokens", tokens), ("mask", mask), ("groups", groups)):
            self.register_buffer(name, value, persistent=False)
        self.tokens: Tensor
        self.mask: Tensor
        self.groups: Tensor
        self.plateau: ReduceLROnPlateau | None = None
        self._plateau_state: Mapping[str, Any] = {}

    @property
    def backbone(self) -> nn.Module:
        """Frozen blocks are counted in the image backbone."""
        return self.net[0].images

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The contrastive loss of the photos and captions of all processes."""
        model = self.net[0]
        images = self.pixels.apply(self.augmented(batch))
        # Dropout draws from torch's own generator: seeded here, a resumed epoch draws the same.
        torch.manual_seed(self._seed(batch) + 1 + batch.start)
        photos = model.embed_images(images)
        classes = classes_of(batch.targets)
        # Each class of the batch is read once, however many of its photos are there.
        read, which = torch.unique(classes, return_inverse=True)
        captions = model.embed_texts(self.tokens[read], self.mask[read])[which]
        loss = contrastive_loss(
            gathered(photos.float()),
            gathered(captions.float()),
            model.scale,
            gathered(self.groups[classes]),
            self.city_settings.repeats,
        )
        self.train_loss.update(loss.detach(), len(images))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Read the captions with the weights of this epoch."""
        model = self.net[0]
        with torch.no_grad():
            vectors = model.embed_texts(self.tokens, self.mask)
            model.class_vectors.copy_(F.normalize(vectors.float(), dim=1))

    def on_validation_epoch_end(self) -> None:
        """Give the measures to the callbacks, and the loss to the plateau."""
        # Here and not by Lightning, which steps it after the state was saved: a resumed training
        # would then have missed a step.
        if self.plateau is not None:
            self.plateau.step(float(self.validation_loss.compute()))
        super().on_validation_epoch_end()
        self.log("scale", self.net[0].scale.detach())

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with a rate for each encoder and one for the heads and the scale."""
        model, settings = self.net[0], self.city_settings
        heads = [*model.image_head.parameters(), *model.text_head.parameters(), model.log_scale]
        parts = {
            "image": (model.images.parameters(), settings.image_lr),
            "text": (model.texts.parameters(), settings.text_lr),
            "head": (heads, settings.lr),
        }
        groups = [
            {"name": name, "params": [p for p in params if p.requires_grad], "lr": rate}
            for name, (params, rate) in parts.items()
        ]
        optimizer = AdamW(groups, weight_decay=settings.weight_decay)
        if settings.schedule == PLATEAU:
            self.plateau = ReduceLROnPlateau(
                optimizer, factor=settings.schedule_factor, patience=settings.schedule_patience
            )
            self.plateau.load_state_dict({**self.plateau.state_dict(), **self._plateau_state})
            return {"optimizer": optimizer}  # type: ignore[typeddict-item]
        n_steps = int(self.trainer.estimated_stepping_batches)
        schedule, interval = build_schedule(optimizer, settings, n_steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": interval},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep where the plateau is."""
        if self.plateau is not None:
            state = self.plateau.state_dict()
            checkpoint["plateau"] = {name: state[name] for name in KEPT}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there; the optimiser is made later."""
        self._plateau_state = checkpoint.get("plateau", {})
