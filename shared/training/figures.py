"""Figures of a training: what augmentation does to photos, and how the measures went."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

from shared.data_loader import dataset_settings
from shared.processing.maps import figure_note
from shared.training import distributed
from shared.training.augment import Augmentation, augment, draw
from shared.training.batches import Split
from shared.training.images import Bytes
from shared.training.module import as_floats

_SHOWN = {
    "train_loss": "training",
    "validation_loss": "validation",
    "median_km": "median",
    "mean_km": "mean",
}
PANEL_IN = 1.2  # width of one photo: small, since the picture is committed with the notebook


def augmented_grid(
    images: Bytes, labels: Sequence[str], settings: Augmentation, seed: int, title: str, n: int = 3
) -> Figure:
    """Photos in the first column, and what the network is shown of them in the others.

    Args:
        images: (N, H, W, 3) bytes.
        labels: what stands beside each photo.
        settings: what is on.
        seed: of the draws.
        title: above the figure.
        n: how many draws are shown of each.
    """
    generator = torch.Generator().manual_seed(seed)
    pixels = as_floats(torch.from_numpy(np.array(images)))
    columns = [pixels]
    for _ in range(n):
        columns.append(augment(pixels, draw(len(pixels), settings, generator), settings))
    height_in = PANEL_IN * len(images) * images.shape[1] / images.shape[2]
    figure, axes = plt.subplots(len(images), n + 1, figsize=(PANEL_IN * (n + 1), height_in + 0.6))
    for row, label in enumerate(labels):
        for column, shown in enumerate(columns):
            place = np.atleast_2d(axes)[row, column]
            place.imshow(shown[row].permute(1, 2, 0).numpy(), aspect="auto")
            place.set(xticks=[], yticks=[])
        np.atleast_2d(axes)[row, 0].set_ylabel(label)
    np.atleast_2d(axes)[0, 0].set_title("photo", fontsize=9)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    return figure


def augmentation_examples(
    dataset: str, split: Split, labels: Sequence[str], settings: Augmentation, seed: int, n: int = 3
) -> Figure | None:
    """`augmented_grid` of photos spread over a list; None where a data set's may not be shown.

    Args:
        dataset: the data set, which says whether its photos may be shown.
        split: the photos.
        labels: (M,) what stands beside each photo.
        settings: what is on.
        seed: of the draws.
        n: how many photos.
    """
    if not dataset_settings(dataset).show_photos:
        print("The photos of this data set are not ours to show.")  # noqa: T201 - in notebooks
        return None
    chosen = np.linspace(0, len(split) - 1, n).astype(int)
    shown = [labels[int(row)] for row in chosen]
    rows = chosen if split.rows is None else split.rows[chosen]
    return augmented_grid(split.images[rows], shown, settings, seed, figure_note(dataset))


def learning_curves(history: Sequence[Mapping[str, Any]], best_epoch: int, title: str) -> Figure:
    """The loss of both parts, and the measures of the validation photos, by epoch.

    Accuracies and distances have a panel each, where a task has them.

    Args:
        history: a record an epoch, as in `metrics.jsonl`.
        best_epoch: is marked by a line.
        title: above the figure.
    """
    epochs = [record["step"] + 1 for record in history]
    panels = [
        ("loss", 1.0, ("train_loss", "validation_loss"), None),
        ("validation accuracy, %", 100.0, ("top1", "top3", "top5", "balanced"), (0, 100)),
        ("validation distance, km", 1.0, ("median_km", "mean_km"), (0, None)),
    ]
    drawn = []
    for label, factor, wanted, limits in panels:
        columns = {m: m if m.endswith("loss") else f"validation_{m}" for m in wanted}
        columns = {m: column for m, column in columns.items() if column in history[0]}
        if columns:
            drawn.append((label, factor, columns, limits))
    figure, all_axes = plt.subplots(1, len(drawn), figsize=(4.5 * len(drawn), 3.2), squeeze=False)
    for axes, (label, factor, columns, limits) in zip(all_axes[0], drawn, strict=True):
        for name, column in columns.items():
            values = [factor * record[column] for record in history]
            axes.plot(epochs, values, marker=".", label=_SHOWN.get(name, name))
        axes.set(xlabel="epoch", ylabel=label, ylim=limits)
        axes.axvline(best_epoch + 1, color="grey", linewidth=0.8, linestyle=":")
        axes.legend(frameon=False)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, in the main process alone, under its name when it is whole."""
    if not distributed.is_main_process():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.png")
    figure.savefig(temporary, dpi=100)
    temporary.replace(path)
