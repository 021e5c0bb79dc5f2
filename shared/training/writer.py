"""What is written of a training: its fingerprint, its checkpoints and its log."""

import ast
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

import shared
from shared.partitions import Partition
from shared.runs import Tracker, commit, versions
from shared.source_code import modules_used
from shared.training import distributed
from shared.training.backbones import UNCHANGED, Normalisation
from shared.training.batches import Split
from shared.training.checkpoint import Checkpoint, read_config
from shared.training.epochs import Epochs
from shared.training.images import Preprocessing
from shared.training.model_card import origin_facts, write_card
from shared.training.objectives import Objective
from shared.training.settings import FitSettings
from shared.training.state import load_state
from shared.training.targets import classes_of
from shared.training.temperature import fit_temperature

STATE = "state.safetensors"
WORDS = ("shared/training/model_card.py",)  # for people: they change no result


class Network(Protocol):
    """A part that is trained on the features of a frozen backbone."""

    def build(self, n_outputs: int) -> nn.Module:
        """The part, with a linear layer as its last."""

    def whole(self, model: nn.Module) -> nn.Module:
        """What predicts photos, pixels in 0..1, by itself: the backbone and the part."""

    def logits(self, model: nn.Module, split: Split) -> NDArray[np.float32]:
        """The outputs of such a whole for features."""

    def facts(self) -> dict[str, Any]:
        """Plain values from which `Checkpoint.load` makes the whole again."""


@dataclass(frozen=True)
class Task:
    """What is learned, and what a checkpoint says of it.

    Attributes:
        name: `"country"`, `"region"` or `"coordinates"`.
        objective: the loss and the measures.
        partition: the classes, in the order of the outputs; None for a task without classes.
        preprocessing: how photos became the cached images.
        lists: the digest of each list that the training reads, by its step.
        facts: more for `config.json`, such as the number of photos left out.
        network: what is trained where that is not a backbone but a part that reads features.
    """

    name: str
    objective: Objective
    partition: Partition | None
    preprocessing: Preprocessing
    lists: Mapping[str, str]
    facts: Mapping[str, Any]
    network: Network | None = None

    @property
    def classes(self) -> list[str]:
        """The codes of the classes, in the order of the outputs."""
        return [] if self.partition is None else self.partition.codes


def fingerprint(
    task: Task, settings: FitSettings, splits: Sequence[Split], trainer: str = "shared.training.fit"
) -> str:
    """A digest of all that decides the result: settings, targets, classes, versions and code.

    Args:
        task: what is learned.
        settings: everything else.
        splits: the photos to learn from, and those to choose the best epoch by.
        trainer: the module that trains; it, the objective's and the network's modules and what
            they import count as code.
    """
    modules = [trainer, type(task.objective).__module__]
    modules += [] if task.network is None else [type(task.network).__module__]
    parts = {
        "settings": settings.as_dict(),
        "weights": _digest_of_weights(settings.weights),
        "task": [task.name, type(task.objective).__name__, task.objective.facts()],
        "classes": task.classes,
        "preprocessing": task.preprocessing.as_dict(),
        "lists": dict(task.lists),
        "facts": dict(task.facts),
        "network": None if task.network is None else task.network.facts(),
        "targets": targets_digest(splits),
        "versions": versions(),
        "code": training_code(modules),
    }
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def training_code(modules: Sequence[str]) -> dict[str, str]:
    """Digests of the files of `shared/training` that modules stand on, by path.

    What other rooms make of photos and lists shows in the targets and the lists' digests.
    """
    package = Path(shared.__file__).parent
    found = modules_used([ast.parse(f"import {name}") for name in modules], package, at_import=True)
    room = f"{package.name}/training/"
    return {path: k for path, k in found.items() if path.startswith(room) and path not in WORDS}


def targets_digest(splits: Sequence[Split]) -> str:
    """The sha256 of what is to be learned of each photo, and of which photos."""
    digest = hashlib.sha256()
    for split in splits:
        rows = np.arange(len(split.images)) if split.rows is None else split.rows
        for part in (split.targets.cpu().numpy(), np.asarray(rows)):
            digest.update(f"{part.dtype} {part.shape}\n".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


class Writer:
    """Writes checkpoints and the log, in the main process; does nothing in the others."""

    def __init__(
        self,
        task: Task,
        settings: FitSettings,
        folder: Path,
        mark: str,
        wandb_mode: str,
        goes_on: bool,
    ) -> None:
        self.task, self.settings, self.folder, self.mark = task, settings, folder, mark
        self.tracker: Tracker | None = None
        if not distributed.is_main_process():
            return
        keep_until = None
        if goes_on:
            keep_until = load_state(folder / STATE)["epoch"]
            for left in folder.glob(".tmp*"):  # safetensors was killed while it wrote
                left.unlink()
        self.tracker = Tracker(
            folder, self._config(), wandb_mode=wandb_mode, keep_until=keep_until, name=task.name
        )
        if task.partition is not None:
            pairs = zip(task.partition.codes, task.partition.names, strict=True)
            rows = [[i, *pair] for i, pair in enumerate(pairs)]
            self.tracker.log_table("classes", ["class", "code", "name"], rows)

    def save(self, name: str, model: nn.Module, epoch: int, values: Mapping[str, float]) -> None:
        """Write a checkpoint folder."""
        self._write(self._checkpoint(model, epoch, values), name)

    def finish(self, model: nn.Module, epochs: Epochs, validation: Split) -> None:
        """Write the last checkpoint, which says that the training is done, and close the log.

        Both checkpoints of a task with classes get their temperature from the validation photos.
        """
        if self.tracker is None:
            return
        record = self.tracker.records()[-1]
        measures = {k: v for k, v in record.items() if k != "step"}
        last = self._checkpoint(model, int(record["step"]), measures)
        if self.task.partition is not None:
            best = Checkpoint.load(self.folder / "best")
            self._write(calibrated(best, validation, self.task.network), "best")
            last = calibrated(last, validation, self.task.network)
        self._write(last, "last")
        for name in ("best", "last"):
            facts = read_config(self.folder / name)
            self.tracker.log_artifact(
                self.folder / name, f"{self.task.name}-{name}", "checkpoint", facts
            )
        summary = {f"best_{epochs.monitor}": epochs.best_score, "best_epoch": epochs.best_epoch}
        self.tracker.finish(summary)
        (self.folder / STATE).unlink(missing_ok=True)

    def _write(self, checkpoint: Checkpoint, name: str) -> None:
        """Write a checkpoint folder, and the card that tells people what it is."""
        checkpoint.save(self.folder / name)
        names = checkpoint.partition.names if checkpoint.partition is not None else []
        write_card(checkpoint.config, names, self.folder / name)

    def _checkpoint(self, model: nn.Module, epoch: int, values: Mapping[str, float]) -> Checkpoint:
        config = {**self._config(), "epoch": epoch, "measures": dict(values)}
        if self.task.network is not None:
            model = self.task.network.whole(model)
        return Checkpoint(model, config, self.task.partition)

    def _config(self) -> dict[str, Any]:
        task, settings = self.task, self.settings
        normalisation = Normalisation.of(settings.normalisation, settings.weights)
        network: dict[str, Any] = {}
        if task.network is not None:  # a frozen backbone normalises by itself
            network, normalisation = {"network": task.network.facts()}, UNCHANGED
        return {
            "task": task.name,
            "head": task.objective.head(),
            "backbone": settings.backbone,
            **network,
            "classes": task.classes,
            "preprocessing": task.preprocessing.as_dict(),
            "normalisation": asdict(normalisation),
            "lists": dict(task.lists),
            **origin_facts(self.folder),
            "parameters": settings.as_dict(),
            "objective": task.objective.facts(),
            "seed": settings.seed,
            "facts": dict(task.facts),
            "versions": versions(),
            **commit(),
            "fingerprint": self.mark,
        }


def calibrated(
    checkpoint: Checkpoint, validation: Split, network: Network | None = None
) -> Checkpoint:
    """The checkpoint with the temperature that fits the validation photos, or their features."""
    if network is None:
        logits = checkpoint.logits(validation.images, validation.rows)
    else:
        logits = network.logits(checkpoint.model, validation)
    classes = classes_of(validation.targets).numpy()
    return checkpoint.with_temperature(round(fit_temperature(logits, classes), 6))


def _digest_of_weights(weights: str) -> str:
    """The name of the weights, or the digest of a file of weights."""
    if weights in ("default", "none"):
        return weights
    path = Path(weights)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
