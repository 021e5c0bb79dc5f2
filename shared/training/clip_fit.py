"""Contrastive training, from nothing or from pretrained weights, to a folder of transformers."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from shared.runs import Tracker, commit, versions
from shared.training import distributed
from shared.training.batches import Batches, Split
from shared.training.captions import CaptionStyle
from shared.training.clip import ClipEncoder, clip_facts
from shared.training.clip_module import CaptionSource, Choices, ClipTraining
from shared.training.clip_settings import ClipSettings
from shared.training.epochs import Epochs
from shared.training.fit import (
    FINISHED,
    GO_ON,
    FitResult,
    choose_device,
    make_ready,
    make_trainer,
    quiet_lightning,
    result_of,
)
from shared.training.model_card import origin_facts
from shared.training.state import load_state
from shared.training.writer import STATE, targets_digest, training_code

MONITOR = "validation_top1"
PACKAGES = ("torch", "lightning", "transformers", "tokenizers", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class ClipTask:
    """What is learned, and what a checkpoint says of it.

    Attributes:
        encoder: the model before its training.
        origin: where its weights are from: a name and revision, a digest, or that they are random.
        source: captions of the training photos.
        choices: what validation photos are told among after each epoch.
        lists: the digest of each list that the training reads, by its step.
        facts: more for `captions.json`, such as the classes that the training saw.
    """

    encoder: ClipEncoder
    origin: str
    source: CaptionSource
    choices: Choices
    lists: Mapping[str, str]
    facts: Mapping[str, Any]


def fit_clip(
    task: ClipTask,
    train: Split,
    validation: Split,
    settings: ClipSettings,
    folder: Path,
    wandb_mode: str = "",
) -> FitResult:
    """Train, or go on, or find that it is done: as `fit` does for classes.

    Args:
        task: what is learned.
        train: the photos to learn from; their targets are their numbers in `task.source`.
        validation: the photos to choose the best epoch by; their targets are numbers of
            `task.choices`.
        settings: everything else.
        folder: gets `best/`, `last/`, the log and the state.
        wandb_mode: see `Tracker`.
    """
    distributed.start()
    mark = clip_fingerprint(task, settings, (train, validation))
    plan = make_ready(folder, mark, settings.threads, settings.seed, clip_facts)
    if plan == FINISHED:
        return result_of(folder, was_done=True, read=clip_facts)
    device = choose_device(settings.accelerator)
    writer = ClipWriter(task, settings, folder, mark, wandb_mode, plan == GO_ON)
    epochs = Epochs(
        folder / STATE,
        mark,
        writer.tracker,
        lambda epoch, values: writer.save("best", epoch, values),
        MONITOR,
        "max",
        settings.early_stopping_patience,
        settings.max_minutes,
    )
    training = ClipTraining(task.encoder, task.source, task.choices, settings)
    place = (device, distributed.rank(), distributed.world_size())
    loaders = (
        Batches(train, settings.batch_size, settings.seed, *place),
        Batches(validation, 2 * settings.batch_size, None, *place),
    )
    with quiet_lightning():
        trainer = make_trainer(
            device, epochs, _precision(settings, device), settings.epochs, settings.gradient_clip
        )
        trainer.fit(training, *loaders, ckpt_path=folder / STATE if plan == GO_ON else None)
    training.model.to("cpu")
    if distributed.is_main_process():
        writer.finish(epochs)
    distributed.wait_for_all()
    return result_of(folder, was_done=False, read=clip_facts)


def clip_fingerprint(task: ClipTask, settings: ClipSettings, splits: Sequence[Split]) -> str:
    """A digest of all that decides the result: settings, captions, lists, versions and code."""
    told = task.source.facts.to_csv() + "\n".join(task.source.places)
    parts = {
        **_task_facts(task),
        "settings": settings.as_dict(),
        "captions": hashlib.sha256(told.encode()).hexdigest(),
        "choices": [list(task.choices.names), [list(p) for p in task.choices.prompts]],
        "versions": versions(PACKAGES),
        "targets": targets_digest(splits),
        "code": training_code([__name__]),
    }
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class ClipWriter:
    """Writes checkpoints and the log, in the main process; does nothing in the others."""

    def __init__(
        self,
        task: ClipTask,
        settings: ClipSettings,
        folder: Path,
        mark: str,
        wandb_mode: str,
        goes_on: bool,
    ) -> None:
        self.task, self.settings, self.folder, self.mark = task, settings, folder, mark
        self.tracker: Tracker | None = None
        if not distributed.is_main_process():
            return
        keep_until = load_state(folder / STATE)["epoch"] if goes_on else None
        for left in folder.glob(".tmp*") if goes_on else ():
            left.unlink()  # safetensors was killed while it wrote
        self.tracker = Tracker(
            folder, self._facts(), wandb_mode=wandb_mode, keep_until=keep_until, name="contrastive"
        )

    def save(self, name: str, epoch: int, values: Mapping[str, float]) -> None:
        """Write the model as it is now."""
        facts = {**self._facts(), "epoch": epoch, "measures": dict(values)}
        replace(self.task.encoder, facts=facts).save(self.folder / name)

    def finish(self, epochs: Epochs) -> None:
        """Write the last checkpoint, which says that the training is done, and close the log."""
        if self.tracker is None:
            return
        record = self.tracker.records()[-1]
        measures = {k: v for k, v in record.items() if k != "step"}
        self.save("last", int(record["step"]), measures)
        for name in ("best", "last"):
            facts = clip_facts(self.folder / name)
            self.tracker.log_artifact(
                self.folder / name, f"contrastive-{name}", "checkpoint", facts
            )
        summary = {f"best_{epochs.monitor}": epochs.best_score, "best_epoch": epochs.best_epoch}
        self.tracker.finish(summary)
        (self.folder / STATE).unlink(missing_ok=True)

    def _facts(self) -> dict[str, Any]:
        return {
            "task": "contrastive",
            **_task_facts(self.task),
            **origin_facts(self.folder),
            "parameters": self.settings.as_dict(),
            "seed": self.settings.seed,
            "versions": versions(PACKAGES),
            **commit(),
            "fingerprint": self.mark,
        }


def _task_facts(task: ClipTask) -> dict[str, Any]:
    encoder = task.encoder
    return {
        "origin": task.origin,
        "model": encoder.model.config.to_diff_dict(),  # type: ignore[union-attr,operator]
        "preprocessing": encoder.preprocessing.as_dict(),
        "normalisation": vars(encoder.normalisation),
        "style": _style_facts(task.source.style),
        "lists": dict(task.lists),
        "facts": dict(task.facts),
    }


def _style_facts(style: CaptionStyle) -> dict[str, Any]:
    return {
        **vars(style),
        "extras": dict(style.extras),
        "chances": dict(style.chances),
        "excludes": [list(pair) for pair in style.excludes],
    }


def _precision(settings: ClipSettings, device: torch.device) -> str:
    """For `"auto"`: bfloat16 on GPUs that have it, float16 on others, float32 on CPUs."""
    if settings.precision != "auto":
        return settings.precision
    if device.type == "cpu":
        return "32"
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16-mixed" if has_bf16 else "16-mixed"
