"""What happens after each epoch: the log, the best checkpoint, and the state to go on from."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from tqdm import tqdm

from shared.runs import Tracker
from shared.training.distributed import first_says

logger = logging.getLogger(__name__)

GROUPS = ("backbone", "head")  # of the optimiser, where they have no names of their own
SaveBest = Callable[[int, dict[str, float]], None]


class Epochs(Callback):
    """Writes after each epoch, stops early, and remembers where it was.

    The order matters: first the log and the best checkpoint, then the state. A kill in between
    leaves the state of the epoch before, from which the same epoch is computed again.

    Args:
        state: the file to go on from.
        fingerprint: written into the state, so that no other training goes on from it.
        tracker: the log, in the main process; None in the others.
        save_best: writes the best checkpoint, given the epoch and its measures.
        monitor, mode: which measure says what is best, and whether `"max"` or `"min"` is.
        patience: epochs without a better one before training stops; 0: never.
        max_minutes: 0 for no limit.
    """

    def __init__(
        self,
        state: Path,
        fingerprint: str,
        tracker: Tracker | None,
        save_best: SaveBest,
        monitor: str,
        mode: str,
        patience: int = 0,
        max_minutes: float = 0.0,
    ) -> None:
        self.state, self.fingerprint = state, fingerprint
        self.tracker, self.save_best = tracker, save_best
        self.monitor, self.sign = monitor, 1.0 if mode == "max" else -1.0
        self.patience, self.max_minutes = patience, max_minutes
        self.best_epoch, self.best_score, self.is_over = -1, 0.0, False
        self.bar: tqdm[Any] | None = None
        self.began = self.epoch_began = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training must know."""
        names = ("best_epoch", "best_score", "is_over")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what was known."""
        for name, value in state_dict.items():
            setattr(self, name, value)

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say which training the state belongs to."""
        checkpoint["fingerprint"] = self.fingerprint

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Show the progress; a training that had stopped early stays stopped."""
        trainer.should_stop = self.is_over
        if self.tracker is not None:
            self.bar = tqdm(
                total=trainer.max_epochs, initial=trainer.current_epoch, desc="epochs", unit="epoch"
            )

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take the time."""
        self.epoch_began = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log, keep the best, decide whether to stop, and save the state."""
        epoch = trainer.current_epoch
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        score = values[self.monitor]
        is_better = self.best_epoch < 0 or self.sign * (score - self.best_score) > 0
        if is_better:
            self.best_epoch, self.best_score = epoch, score
        if self.tracker is not None:
            self._write(trainer, self.tracker, epoch, values, is_better)
        is_late = bool(self.max_minutes) and self._minutes() >= self.max_minutes
        is_stuck = bool(self.patience) and epoch - self.best_epoch >= self.patience
        self.is_over = bool(first_says(int(is_late or is_stuck)))
        trainer.should_stop = trainer.should_stop or self.is_over
        trainer.save_checkpoint(self.state)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Close the progress bar."""
        if self.bar is not None:
            self.bar.close()

    def _write(
        self,
        trainer: L.Trainer,
        tracker: Tracker,
        epoch: int,
        values: dict[str, float],
        is_better: bool,
    ) -> None:
        groups = trainer.optimizers[0].param_groups
        names = [group.get("name", name) for group, name in zip(groups, GROUPS, strict=True)]
        rates = {f"lr_{name}": group["lr"] for name, group in zip(names, groups, strict=True)}
        tracker.log({**values, **rates}, epoch)
        seconds = time.monotonic() - self.epoch_began
        # Apart from the measures, which are the same in every run of the same training.
        tracker.log({"seconds": round(seconds, 3)}, epoch, stream="timing")
        if is_better:
            self.save_best(epoch, values)
        shown = {name.removeprefix("validation_"): f"{value:.3f}" for name, value in values.items()}
        if self.bar is not None:
            self.bar.set_postfix(shown, refresh=False)
            self.bar.update(1)
        logger.info("epoch %d in %.1f s: %s", epoch, seconds, shown)

    def _minutes(self) -> float:
        return (time.monotonic() - self.began) / 60
