"""The figures of contrastive training."""

from collections.abc import Collection, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from shared.countries import name_of

SEEN, UNSEEN = "tab:blue", "tab:orange"


def share_figure(shares: pd.Series, seen: Collection[str], title: str) -> Figure:
    """A bar a country: how often its photos are told by text, seen and unseen ones apart.

    Args:
        shares: of right guesses, by country code; NaN for countries without photos.
        seen: the countries that training saw.
        title: above the figure.
    """
    ordered = shares.dropna().sort_values(ascending=False)
    is_seen = [code in set(seen) for code in ordered.index]
    figure, axes = plt.subplots(figsize=(8, 3.4))
    bars = axes.bar(
        [name_of(str(code)) for code in ordered.index],
        100 * ordered.to_numpy(),
        color=[SEEN if known else UNSEEN for known in is_seen],
    )
    for bar, known in zip(bars, is_seen, strict=True):
        bar.set_hatch("" if known else "//")
    even = 100 / len(shares)
    axes.axhline(even, color="black", linestyle="--", linewidth=0.8)
    axes.set(ylabel="told by text, %", ylim=(0, 100))
    axes.tick_params(axis="x", rotation=60)
    plt.setp(axes.get_xticklabels(), ha="right", rotation_mode="anchor")
    marks = [Patch(color=SEEN), Patch(facecolor=UNSEEN, hatch="//"), axes.lines[0]]
    names = ["seen in training", "no photo seen", f"even guessing, {even:.1f} %"]
    axes.legend(marks, names, frameon=False)
    axes.set_title(title, fontsize=9)
    figure.tight_layout()
    return figure


def agreement_figure(vectors: ArrayLike, names: Sequence[str], title: str) -> Figure:
    """The cosine of each pair of classes' texts, as a matrix.

    Args:
        vectors: (K, D) of length 1.
        names: of the K classes.
        title: above the figure.
    """
    array = np.asarray(vectors, dtype=np.float64)
    figure, axes = plt.subplots(figsize=(6, 5.2))
    image = axes.imshow(array @ array.T, cmap="viridis", vmin=-1, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    figure.colorbar(image, label="cosine of the texts")
    axes.set_title(title, fontsize=8)
    figure.tight_layout()
    return figure
