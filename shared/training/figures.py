"""Figures of a training: what augmentation does to photos, and how the measures went."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

from shared.training.augment import Augmentation, augment, draw
from shared.training.images import Bytes
from shared.training.module import as_floats

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


def learning_curves(history: Sequence[Mapping[str, Any]], best_epoch: int, title: str) -> Figure:
    """The loss of both parts, and the measures of the validation photos, by epoch.

    Args:
        history: a record an epoch, as in `metrics.jsonl`.
        best_epoch: is marked by a line.
        title: above the figure.
    """
    epochs = [record["step"] + 1 for record in history]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
    for name, label in (("train_loss", "training"), ("validation_loss", "validation")):
        left.plot(epochs, [record[name] for record in history], marker=".", label=label)
    left.set(xlabel="epoch", ylabel="loss, nats")
    measures = [m for m in ("top1", "top3", "top5", "balanced") if f"validation_{m}" in history[0]]
    for name in measures:
        values = [100 * record[f"validation_{name}"] for record in history]
        right.plot(epochs, values, marker=".", label=name)
    right.set(xlabel="epoch", ylabel="validation accuracy, %", ylim=(0, 100))
    for axes in (left, right):
        axes.axvline(best_epoch + 1, color="grey", linewidth=0.8, linestyle=":")
        axes.legend(frameon=False)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    return figure
