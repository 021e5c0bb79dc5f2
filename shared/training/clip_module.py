"""The Lightning module of contrastive training: photos and captions, drawn anew each epoch."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import lightning as L
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import MeanMetric

from shared.training.augment import augment, draw
from shared.training.batches import Batch
from shared.training.captions import CaptionStyle, captions
from shared.training.clip import ClipEncoder, image_features, text_features, tokens_of
from shared.training.clip_settings import ClipSettings
from shared.training.contrast import LARGEST_SCALE, contrastive_loss, gathered
from shared.training.module import as_floats
from shared.training.objectives import Classification
from shared.training.targets import is_real

BETAS, EPSILON = (0.9, 0.98), 1e-6  # of AdamW, as CLIP and PIGEON were trained


@dataclass(frozen=True)
class CaptionSource:
    """Captions for the photos of a training, by their number and the epoch.

    Attributes:
        facts: a row a photo, in the order of the numbers, indexed by id.
        places: the place of each photo.
        style: what the captions look like.
        seed: feeds the draws.
    """

    facts: pd.DataFrame
    places: Sequence[str]
    style: CaptionStyle
    seed: int

    def __len__(self) -> int:
        """The number of photos."""
        return len(self.facts)

    def of(self, rows: Sequence[int], epoch: int) -> list[str]:
        """The captions of photos in an epoch."""
        return captions(self.facts.iloc[list(rows)], self.style, self.seed, epoch)

    def keys(self, rows: Sequence[int], texts: Sequence[str]) -> Tensor:
        """(n, 2) whole numbers that stand for each photo's caption and place, in any process."""
        pairs = [
            [_key(text), _key(self.places[row])] for row, text in zip(rows, texts, strict=True)
        ]
        return torch.tensor(pairs, dtype=torch.int64)


@dataclass(frozen=True)
class Choices:
    """The classes among which validation photos are told by text alone.

    Attributes:
        names: K classes.
        prompts: of each, one or more.
    """

    names: Sequence[str]
    prompts: Sequence[Sequence[str]]


def groups_of(keys: Tensor, duplicates: str) -> Tensor:
    """(N,) numbers that are equal for duplicates.

    Args:
        keys: (N, 2) of `CaptionSource.keys`.
        duplicates: `"caption"`, or `"place"`: by caption or place, and what follows from both.
    """
    caption_rows = keys[:, 0].unique(return_inverse=True)[1].cpu().numpy()
    if duplicates == "caption":
        return torch.from_numpy(caption_rows).to(keys.device)
    place_rows = keys[:, 1].unique(return_inverse=True)[1].cpu().numpy()
    labels = _joined(caption_rows, place_rows)
    return torch.from_numpy(labels[caption_rows]).to(keys.device)


class TextModel(Protocol):
    """What is needed of a model to tell classes by text."""

    def text_embeddings(self, texts: Sequence[str]) -> Tensor:
        """(K, D) vectors of length 1."""


def class_embeddings(model: TextModel, prompts: Sequence[Sequence[str]]) -> Tensor:
    """(K, D) vectors of length 1: of each class the middle of its prompts.

    Args:
        model: embeds the texts.
        prompts: of K classes, at least one each.

    Raises:
        ValueError: for a class without a prompt.
    """
    without = [number for number, texts in enumerate(prompts) if not len(texts)]
    if without or not len(prompts):
        msg = f"Expected a prompt or more for each class, but there are none for {without[:5]}"
        raise ValueError(msg)
    vectors = model.text_embeddings([text for texts in prompts for text in texts])
    parts = vectors.split([len(texts) for texts in prompts])
    return F.normalize(torch.stack([part.mean(dim=0) for part in parts]), dim=1)


class ClipTraining(L.LightningModule):
    """A contrastive model in training.

    Args:
        encoder: the model, its tokenizer and how photos become its input.
        source: the captions of the training photos.
        choices: what validation photos are told among.
        settings: optimiser, schedule and loss.
    """

    def __init__(
        self, encoder: ClipEncoder, source: CaptionSource, choices: Choices, settings: ClipSettings
    ) -> None:
        super().__init__()
        self.encoder, self.model = encoder, encoder.model
        self.source, self.choices, self.settings = source, choices, settings
        self.measures = Classification(len(choices.names)).measures()
        self.train_loss, self.validation_loss = MeanMetric(), MeanMetric()
        self.class_vectors = torch.empty(0)
        if settings.gradient_checkpointing:
            self.model.activation_checkpointing_enable()  # type: ignore[operator]
        for name, parameter in self.model.named_parameters():
            is_kept = name.startswith({"vision": "vision_model", "text": "text_model"}.get(
                settings.frozen, "no tower"))  # fmt: skip
            parameter.requires_grad_(not is_kept)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of a batch. All its randomness follows from the seed, the epoch, its number."""
        torch.manual_seed(self._seed(batch) + 1 + batch.start)
        pixels = self.encoder.normalisation.apply(self._augmented(batch))
        rows = batch.targets.tolist()
        texts = self.source.of(rows, batch.epoch)
        tokens = tokens_of(self.encoder.tokenizer, texts, self.encoder.text_length)
        images = image_features(self.model, pixels)
        words = text_features(self.model, *(part.to(images.device) for part in tokens))
        keys = gathered(self.source.keys(rows, texts).to(images.device))
        loss = contrastive_loss(
            gathered(images),
            gathered(words),
            self.model.logit_scale.exp(),  # type: ignore[operator,union-attr]
            groups_of(keys, self.settings.duplicates),
            self.settings.repeats,
        )
        self.train_loss.update(loss.detach(), len(images))
        return loss

    def on_train_batch_end(self, *_: object) -> None:
        """Keep the scale where CLIP kept it."""
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=math.log(LARGEST_SCALE))  # type: ignore[operator,union-attr]

    def on_validation_epoch_start(self) -> None:
        """Embed the classes with the weights of this epoch."""
        self.class_vectors = class_embeddings(self.encoder, self.choices.prompts)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Tell the photos of a batch by text alone."""
        pixels = self.encoder.normalisation.apply(as_floats(batch.images))
        images = F.normalize(image_features(self.model, pixels).float(), dim=1)
        outputs = self.encoder.scale * images @ self.class_vectors.to(images.device).T
        rows = is_real(batch.targets)
        outputs, targets = outputs[rows], batch.targets[rows]
        if len(targets):
            self.validation_loss.update(F.cross_entropy(outputs, targets), len(targets))
            self.measures.update(outputs, targets)

    def on_validation_epoch_end(self) -> None:
        """Give the epoch's measures to the callbacks."""
        values: Mapping[str, Tensor] = self.measures.compute()
        for name, value in values.items():
            self.log(f"validation_{name}", value)
        self.log("validation_loss", self.validation_loss.compute())
        self.log("train_loss", self.train_loss.compute())
        self.log("scale", torch.tensor(self.encoder.scale))
        for measure in (self.measures, self.validation_loss, self.train_loss):
            measure.reset()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW; what has one axis or none is not decayed, as in CLIP."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        settings = self.settings
        groups = [
            {"params": [p for p in trained if p.ndim >= 2], "name": "matrices"},
            {"params": [p for p in trained if p.ndim < 2], "name": "vectors", "weight_decay": 0.0},
        ]
        optimizer = AdamW(
            groups, lr=settings.lr, betas=BETAS, eps=EPSILON, weight_decay=settings.weight_decay
        )
        n_steps = int(self.trainer.estimated_stepping_batches)
        share = partial(linear_share, n_steps=n_steps, warm_up=settings.warm_up)
        schedule = LambdaLR(optimizer, share)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _augmented(self, batch: Batch) -> Tensor:
        images, augmentation = as_floats(batch.images), self.settings.augmentation
        if augmentation.is_off:
            return images
        generator = torch.Generator().manual_seed(self._seed(batch))
        draws = draw(batch.total, augmentation, generator)
        part = draws.part(batch.start, batch.start + len(images), images.device)
        return augment(images, part, augmentation)

    def _seed(self, batch: Batch) -> int:
        """A seed of its own for each batch of each epoch."""
        return ((self.settings.seed * 100_003 + batch.epoch) * 1_000_003 + batch.number) % 2**62


def linear_share(step: int, n_steps: int, warm_up: float) -> float:
    """The share of the largest learning rate at a step: up in a line, then down in a line to 0.

    Args:
        step: from 0.
        n_steps: of the whole training.
        warm_up: the share of the steps that it goes up.
    """
    n_up = round(warm_up * n_steps)
    if step < n_up:
        return (step + 1) / (n_up + 1)
    return max(0.0, (n_steps - step) / max(1, n_steps - n_up))


def _joined(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """The component of each number of `first`, where rows join a number of either side."""
    n, m = int(first.max()) + 1, int(second.max()) + 1
    ones = np.ones(len(first), dtype=np.int8)
    graph = coo_array((ones, (first, second + n)), shape=(n + m, n + m))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _key(text: str) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
