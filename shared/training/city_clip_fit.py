"""Training of the city CLIP, and the trained model, which embeds photos and any text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from shared.manifest import fingerprint as digest_of
from shared.paths import root
from shared.runs import versions
from shared.training import distributed
from shared.training.backbones import Normalisation
from shared.training.batches import Batches, Split, let_go
from shared.training.checkpoint import Checkpoint
from shared.training.city_clip_module import CityClipTraining
from shared.training.city_clip_net import CityClipNet, build_net, network_facts
from shared.training.city_clip_settings import CityClipSettings
from shared.training.epochs import Epochs
from shared.training.fit import (
    FINISHED,
    GO_ON,
    FitResult,
    choose_device,
    choose_precision,
    make_ready,
    make_trainer,
    quiet_lightning,
    result_of,
)
from shared.training.images import Bytes
from shared.training.text import (
    STAND_IN,
    TextEncoder,
    build_text_encoder,
    load_tokenizer,
    tokenizer_files,
)
from shared.training.writer import STATE, Task, Writer, fingerprint


@dataclass(frozen=True)
class CityTask:
    """What is learned.

    Attributes:
        task: the classes, in the partition's order, and what a checkpoint says of them.
        captions: (K,) the caption of each class; the tokenizer of a stand-in is trained on them.
    """

    task: Task
    captions: Sequence[str]


def fit_city_clip(
    city_task: CityTask,
    train: Split,
    validation: Split,
    settings: CityClipSettings,
    folder: Path,
    wandb_mode: str = "",
) -> FitResult:
    """Train, or go on, or find that it is done: as `fit` does for classes.

    Args:
        city_task: what is learned.
        train: the photos to learn from; targets are class, latitude, longitude.
        validation: the photos to choose the best epoch by.
        settings: everything else.
        folder: gets `best/`, `last/`, the log and the state.
        wandb_mode: see `Tracker`.
    """
    distributed.start()
    task = _with_origin(city_task, settings)
    mark = fingerprint(task, settings, (train, validation), __name__)
    plan = make_ready(folder, mark, settings.threads, settings.seed)
    if plan == FINISHED:
        return result_of(folder, was_done=True)
    device = choose_device(settings.accelerator)
    training = _training(task, city_task.captions, settings)
    encoder = training.encoder
    writer = CityWriter(task, settings, folder, mark, wandb_mode, plan == GO_ON, encoder)
    epochs = Epochs(
        folder / STATE,
        mark,
        writer.tracker,
        lambda epoch, values: writer.save("best", training.model, epoch, values),
        task.objective.monitor,
        task.objective.monitor_mode,
        settings.early_stopping_patience,
        settings.max_minutes,
    )
    place = (device, distributed.rank(), distributed.world_size())
    loaders = (
        Batches(train, settings.batch_size, settings.seed, *place),
        Batches(validation, 2 * settings.batch_size, None, *place),
    )
    with quiet_lightning():
        trainer = make_trainer(
            device,
            epochs,
            choose_precision(settings, device),
            settings.epochs,
            settings.gradient_clip,
        )
        trainer.fit(training, *loaders, ckpt_path=folder / STATE if plan == GO_ON else None)
    training.model.to("cpu")
    if distributed.is_main_process():
        writer.finish(training.model, epochs, validation)
    distributed.wait_for_all()
    return result_of(folder, was_done=False)


def _with_origin(city_task: CityTask, settings: CityClipSettings) -> Task:
    """The task with its captions and with what the text encoder's weights are."""
    source = settings.text_encoder
    folder = root() / source
    is_folder = source != STAND_IN and folder.is_dir()
    facts = {
        **city_task.task.facts,
        "class_captions": list(city_task.captions),
        "text_weights": digest_of(folder).digest if is_folder else source,
        "versions": versions(("transformers", "tokenizers")),
    }
    return replace(city_task.task, facts=facts)


def _training(task: Task, captions: Sequence[str], settings: CityClipSettings) -> CityClipTraining:
    """The module to train. Weights are downloaded by one process a machine."""
    with distributed.one_process_first():
        encoder = build_text_encoder(
            settings.text_encoder,
            captions,
            settings.text_length,
            settings.seed,
            settings.text_revision,
        )
        model = build_net(
            settings.backbone,
            settings.weights,
            encoder.network,
            len(captions),
            settings.projection,
            settings.dropout,
        )
    normalisation = Normalisation.of(settings.normalisation, settings.weights)
    return CityClipTraining(model, encoder, captions, task.objective, settings, normalisation)


class CityWriter(Writer):
    """Writes checkpoints that hold the tokenizer and what the network is made of."""

    def __init__(
        self,
        task: Task,
        settings: CityClipSettings,
        folder: Path,
        mark: str,
        wandb_mode: str,
        goes_on: bool,
        encoder: TextEncoder,
    ) -> None:
        self.files = tokenizer_files(encoder.tokenizer)
        self.network = network_facts(encoder.facts(), settings.projection, settings.dropout)
        super().__init__(task, settings, folder, mark, wandb_mode, goes_on)

    def _checkpoint(
        self, model: torch.nn.Module, epoch: int, values: Mapping[str, float]
    ) -> Checkpoint:
        return replace(super()._checkpoint(model, epoch, values), files=self.files)

    def _config(self) -> dict[str, Any]:
        return {**super()._config(), "network": self.network, "files": list(self.files)}


@dataclass(frozen=True)
class CityClip:
    """A trained model: it embeds photos and any text (the protocol `ImageTextModel`).

    Attributes:
        checkpoint: the model, with the seen cities as its classes.
        encoder: makes tokens of texts.
    """

    checkpoint: Checkpoint
    encoder: TextEncoder

    @classmethod
    def load(cls, folder: Path) -> "CityClip":
        """Read the checkpoint of a folder.

        Raises:
            FileNotFoundError: when the folder holds none.
            ValueError: when it is of another kind.
        """
        checkpoint = Checkpoint.load(folder)
        net = checkpoint.model
        if not isinstance(net, CityClipNet):
            task = checkpoint.config["task"]
            msg = f"Expected a model of 3-training/city_clip in {folder}, but it is of {task}"
            raise ValueError(msg)
        facts = checkpoint.config["network"]["text"]
        encoder = TextEncoder(
            net.texts, load_tokenizer(folder), int(facts["length"]), bool(facts["is_stand_in"])
        )
        return cls(checkpoint, encoder)

    @property
    def net(self) -> CityClipNet:
        """The network."""
        model = self.checkpoint.model
        if not isinstance(model, CityClipNet):
            msg = f"Expected the network of cities, but got {type(model).__name__}"
            raise TypeError(msg)
        return model

    @property
    def scale(self) -> float:
        """The factor that makes logits of cosine similarities."""
        return float(self.net.scale.detach())

    def image_embeddings(self, images: Bytes, batch_size: int = 256) -> Tensor:
        """(N, D) float32 vectors of length 1 on the CPU.

        Args:
            images: (N, H, W, 3) bytes of the size that the checkpoint's preprocessing says; may
                be a memory map.
            batch_size: photos at a time.

        Raises:
            ValueError: for images of another size.
        """
        self.checkpoint.check_images(images)
        net, device = self._ready()
        normalisation = Normalisation(**self.checkpoint.config["normalisation"])
        found = [torch.empty(0, net.class_vectors.shape[1])]
        for start in range(0, len(images), batch_size):
            chosen = np.array(images[start : start + batch_size])
            with torch.no_grad():
                pixels = torch.from_numpy(chosen).to(device).permute(0, 3, 1, 2).float() / 255
                vectors = net.embed_images(normalisation.apply(pixels))
                found.append(F.normalize(vectors.float(), dim=1).cpu())
            let_go(images)
        return torch.cat(found)

    def text_embeddings(self, texts: Sequence[str], batch_size: int = 256) -> Tensor:
        """(K, D) float32 vectors of length 1 on the CPU, of K texts; too long ones are cut."""
        net, device = self._ready()
        found = [torch.empty(0, net.class_vectors.shape[1])]
        for start in range(0, len(texts), batch_size):
            tokens, mask = self.encoder.tokens(texts[start : start + batch_size])
            with torch.no_grad():
                vectors = net.embed_texts(tokens.to(device), mask.to(device))
                found.append(F.normalize(vectors.float(), dim=1).cpu())
        return torch.cat(found)

    def _ready(self) -> tuple[CityClipNet, torch.device]:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return self.net.to(device).eval(), device
