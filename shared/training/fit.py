"""Training, from nothing to a checkpoint: on a CPU, a GPU or several, and on again after a kill."""

import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch

from shared.runs import read_records
from shared.training import distributed
from shared.training.backbones import Normalisation, build_backbone
from shared.training.batches import Batches, Split
from shared.training.checkpoint import read_config
from shared.training.epochs import Epochs
from shared.training.module import Training
from shared.training.probing import probe_head
from shared.training.settings import FitSettings
from shared.training.state import SafetensorsIO, load_state
from shared.training.unfolding import is_folded, unfold_batch_norms
from shared.training.writer import STATE, Task, Writer, fingerprint

logger = logging.getLogger(__name__)

ANEW, GO_ON, FINISHED = 0, 1, 2
FOR_STATISTICS = 256  # photos that folded batch norms get their statistics from
CHATTY = ("lightning.pytorch", "lightning.fabric")  # loggers that advertise and repeat themselves


@dataclass(frozen=True)
class FitResult:
    """What a training left.

    Attributes:
        best, last: checkpoint folders.
        history: the measures of each epoch, in order.
        best_epoch: the epoch of the best checkpoint, from 0.
        was_done: whether the training had been finished before, so that nothing was computed.
    """

    best: Path
    last: Path
    history: list[dict[str, Any]]
    best_epoch: int
    was_done: bool


def fit(
    task: Task,
    train: Split,
    validation: Split,
    settings: FitSettings,
    folder: Path,
    wandb_mode: str = "",
) -> FitResult:
    """Train, or go on, or find that it is done.

    The folder belongs to one fingerprint of settings, lists and code. With the same one, a killed
    training goes on from its last whole epoch and a finished one is not repeated; with another,
    what lies there is removed and training starts anew.

    Args:
        task: what is learned.
        train: the photos to learn from.
        validation: the photos to choose the best epoch by.
        settings: everything else.
        folder: gets `best/`, `last/`, the log and the state.
        wandb_mode: see `Tracker`.

    Returns:
        Where the checkpoints are, and the measures of each epoch.
    """
    distributed.start()
    mark = fingerprint(task, settings, (train, validation))
    plan = make_ready(folder, mark, settings.threads, settings.seed)
    if plan == FINISHED:
        return result_of(folder, was_done=True)
    device = choose_device(settings.accelerator)
    training = _training(task, settings, train)
    loaders = _loaders(train, validation, settings, device)
    writer = Writer(task, settings, folder, mark, wandb_mode, plan == GO_ON)
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
    with quiet_lightning():
        precision = choose_precision(settings, device)
        trainer = make_trainer(device, epochs, precision, settings.epochs, settings.gradient_clip)
        trainer.fit(training, *loaders, ckpt_path=folder / STATE if plan == GO_ON else None)
    training.model.to("cpu")
    if distributed.is_main_process():
        writer.finish(training.model, epochs, validation)
    distributed.wait_for_all()
    return result_of(folder, was_done=False)


def choose_device(accelerator: str) -> torch.device:
    """The device of this process.

    Raises:
        ValueError: when a GPU is asked for and there is none.
    """
    has_gpu = torch.cuda.is_available()
    if accelerator == "gpu" and not has_gpu:
        msg = "Expected a GPU for accelerator='gpu', but torch sees none: use 'auto' or 'cpu'"
        raise ValueError(msg)
    if accelerator == "cpu" or not has_gpu:
        return torch.device("cpu")
    return torch.device("cuda", distributed.local_rank())


def choose_precision(settings: FitSettings, device: torch.device) -> str:
    """The precision for `"auto"`: what was fastest where it was measured.

    GPU: bfloat16 where the GPU has it, else float16. CPU with bfloat16 instructions: 1.7 to 2 times
    as fast for ResNets, and slower than float32 for MobileNets (docs of the project, section 9).
    """
    if settings.precision != "auto":
        return settings.precision
    if device.type == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16-mixed" if has_bf16 else "16-mixed"
    has_bf16 = bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    return "bf16-mixed" if has_bf16 and settings.backbone.startswith("resnet") else "32"


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep warnings and errors of Lightning; leave out its notices and its advice on workers."""
    levels = {name: logging.getLogger(name).level for name in CHATTY}
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*does not have many workers.*")
            warnings.filterwarnings("ignore", ".*LeafSpec.*")
            # torchmetrics has summed over the processes by then.
            warnings.filterwarnings("ignore", ".*sync_dist=True.*")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def make_ready(
    folder: Path,
    mark: str,
    threads: int,
    seed: int,
    read: Callable[[Path], Mapping[str, Any]] = read_config,
) -> int:
    """Find out whether to start anew, to go on, or that all is done; make the folder ready for it.

    Args:
        folder: of the training; what lies there is removed when training starts anew.
        mark: the fingerprint of the training.
        threads: CPU threads, shared among the processes of a machine.
        seed: for torch, NumPy and Python.
        read: reads what a checkpoint says of itself, with its `fingerprint`.

    Returns:
        `ANEW`, `GO_ON` or `FINISHED`, the same in every process.
    """
    own = _plan(folder, mark, read) if distributed.is_main_process() else ANEW
    plan = distributed.first_says(own)
    if plan == FINISHED:
        logger.info("Already trained with these parameters, lists and code: %s", folder)
        return plan
    if distributed.is_main_process() and plan == ANEW:
        shutil.rmtree(folder, ignore_errors=True)
    distributed.wait_for_all()
    torch.set_num_threads(max(1, threads // distributed.local_world_size()))
    L.seed_everything(seed, verbose=False)
    return plan


def _plan(folder: Path, mark: str, read: Callable[[Path], Mapping[str, Any]]) -> int:
    """Whether to start anew, to go on, or to do nothing."""
    if (folder / "last").is_dir() and (folder / "best").is_dir():
        return FINISHED if read(folder / "last").get("fingerprint") == mark else ANEW
    if (folder / STATE).is_file():
        return GO_ON if load_state(folder / STATE).get("fingerprint") == mark else ANEW
    return ANEW


def result_of(
    folder: Path, was_done: bool, read: Callable[[Path], Mapping[str, Any]] = read_config
) -> FitResult:
    """What a finished training left in its folder; `read` as of `make_ready`."""
    history = read_records(folder / "metrics.jsonl")
    best_epoch = int(read(folder / "best")["epoch"])
    return FitResult(folder / "best", folder / "last", history, best_epoch, was_done)


def _training(task: Task, settings: FitSettings, train: Split) -> Training:
    """The module to train. Default weights are downloaded by one process a machine."""
    if task.network is not None:
        if not settings.augmentation.is_off or settings.probe_first:
            msg = "Expected no augmentation and no probe_first: features were computed before"
            raise ValueError(msg)
        model = task.network.build(task.objective.n_outputs)
        return Training(model, task.objective, settings, None, 1.0)
    with distributed.one_process_first():
        model = build_backbone(settings.backbone, task.objective.n_outputs, settings.weights)
    # Random weights have nothing to keep, so the backbone learns as fast as the head.
    factor = 1.0 if settings.weights == "none" else settings.backbone_lr_factor
    normalisation = Normalisation.of(settings.normalisation, settings.weights)
    if settings.weights not in ("none", "default") and is_folded(model):
        logger.info("The weights' batch norms are folded: taken apart, to be trained on")
        unfold_batch_norms(model, normalisation.apply(_first_photos(train)))
    if settings.probe_first:
        probe_head(model, train, normalisation, task.objective)
    return Training(model, task.objective, settings, normalisation, factor)


def _first_photos(split: Split) -> torch.Tensor:
    """(N, 3, H, W) pixels in 0..1 of photos spread over a split."""
    rows = np.arange(len(split.images)) if split.rows is None else split.rows
    spread = rows[np.linspace(0, len(rows) - 1, min(len(rows), FOR_STATISTICS)).astype(int)]
    return torch.from_numpy(split.images[spread]).permute(0, 3, 1, 2).float() / 255


def _loaders(
    train: Split, validation: Split, settings: FitSettings, device: torch.device
) -> tuple[Batches, Batches]:
    place = (device, distributed.rank(), distributed.world_size())
    return (
        Batches(train, settings.batch_size, settings.seed, *place),
        Batches(validation, 2 * settings.batch_size, None, *place),
    )


def make_trainer(
    device: torch.device, epochs: Epochs, precision: str, n_epochs: int, gradient_clip: float
) -> L.Trainer:
    """The trainer of this process, which writes its state without pickles.

    Args:
        device: of this process.
        epochs: what happens after each epoch.
        precision: as Lightning names it.
        n_epochs: how many, at most.
        gradient_clip: the largest norm of the gradient; 0 for none.
    """
    n_local, n_all = distributed.local_world_size(), distributed.world_size()
    return L.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=n_local,
        num_nodes=n_all // n_local,
        strategy="ddp" if n_all > 1 else "auto",
        precision=precision,  # type: ignore[arg-type]
        max_epochs=n_epochs,
        gradient_clip_val=gradient_clip or None,
        deterministic="warn",
        callbacks=[epochs],
        plugins=[SafetensorsIO()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
