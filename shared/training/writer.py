"""What is written of a training: its fingerprint, its checkpoints and its log."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from shared.partitions import Partition
from shared.runs import Tracker, commit, versions
from shared.training import distributed
from shared.training.backbones import Normalisation
from shared.training.checkpoint import Checkpoint, read_config
from shared.training.epochs import Epochs
from shared.training.images import Preprocessing
from shared.training.objectives import Objective
from shared.training.settings import FitSettings
from shared.training.state import load_state

STATE = "state.safetensors"


@dataclass(frozen=True)
class Task:
    """What is learned, and what a checkpoint says of it.

    Attributes:
        name: `"country"`.
        objective: the loss and the measures.
        partition: the classes, in the order of the outputs.
        preprocessing: how photos became the cached images.
        lists: the digest of each list that the training reads, by its step.
        facts: more for `config.json`, such as the number of photos left out.
    """

    name: str
    objective: Objective
    partition: Partition
    preprocessing: Preprocessing
    lists: Mapping[str, str]
    facts: Mapping[str, Any]


def fingerprint(task: Task, settings: FitSettings) -> str:
    """A digest of all that decides the result: settings, lists, classes, versions and code."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        code.update(path.read_bytes())
    parts = {
        "settings": settings.as_dict(),
        "weights": _digest_of_weights(settings.weights),
        "task": [task.name, type(task.objective).__name__, task.objective.facts()],
        "classes": task.partition.codes,
        "preprocessing": task.preprocessing.as_dict(),
        "lists": dict(task.lists),
        "facts": dict(task.facts),
        "versions": versions(),
        "code": code.hexdigest(),
    }
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


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
        self.tracker = Tracker(
            folder, self._config(), wandb_mode=wandb_mode, keep_until=keep_until, name=task.name
        )
        names = task.partition.names
        rows = [[i, *pair] for i, pair in enumerate(zip(task.partition.codes, names, strict=True))]
        self.tracker.log_table("classes", ["class", "code", "name"], rows)

    def save(self, name: str, model: nn.Module, epoch: int, values: Mapping[str, float]) -> None:
        """Write a checkpoint folder."""
        config = {**self._config(), "epoch": epoch, "measures": dict(values)}
        Checkpoint(model, config, self.task.partition).save(self.folder / name)

    def finish(self, model: nn.Module, epochs: Epochs) -> None:
        """Write the last checkpoint, which says that the training is done, and close the log."""
        if self.tracker is None:
            return
        last = self.tracker.records()[-1]
        measures = {k: v for k, v in last.items() if k != "step"}
        self.save("last", model, int(last["step"]), measures)
        for name in ("best", "last"):
            facts = read_config(self.folder / name)
            self.tracker.log_artifact(
                self.folder / name, f"{self.task.name}-{name}", "checkpoint", facts
            )
        summary = {f"best_{epochs.monitor}": epochs.best_score, "best_epoch": epochs.best_epoch}
        self.tracker.finish(summary)
        (self.folder / STATE).unlink(missing_ok=True)

    def _config(self) -> dict[str, Any]:
        task, settings = self.task, self.settings
        normalisation = Normalisation.of(settings.normalisation, settings.weights)
        return {
            "task": task.name,
            "backbone": settings.backbone,
            "classes": task.partition.codes,
            "preprocessing": task.preprocessing.as_dict(),
            "normalisation": asdict(normalisation),
            "lists": dict(task.lists),
            "parameters": settings.as_dict(),
            "objective": task.objective.facts(),
            "seed": settings.seed,
            "facts": dict(task.facts),
            "versions": versions(),
            **commit(),
            "fingerprint": self.mark,
        }


def _digest_of_weights(weights: str) -> str:
    """The name of the weights, or the digest of a file of weights."""
    if weights in ("default", "none"):
        return weights
    path = Path(weights)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
