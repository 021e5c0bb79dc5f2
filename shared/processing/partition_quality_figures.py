"""Figures of the partitions' quality page: oracle errors, sizes, and evenness. Kilometres."""

from collections.abc import Sequence

import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import TABLEAU_COLORS

from shared.geo import Floats
from shared.processing.partition_quality import RADII_KM, PartitionQuality

# Ten colours, and the same again in dashes.
LINES = cycler(linestyle=["-", "--"]) * cycler(color=list(TABLEAU_COLORS))


def draw_oracle_errors(axes: Axes, qualities: Sequence[PartitionQuality]) -> None:
    """The share of test photos within a distance of the point of their class, a curve each.

    Args:
        axes: where to draw; x is the distance, km, logarithmic.
        qualities: the partitions to compare.
    """
    axes.set_prop_cycle(LINES)
    for quality in qualities:
        _step(axes, quality.photos["oracle_km"].to_numpy(), quality.name)
    for radius in RADII_KM:
        axes.axvline(radius, color="0.8", linewidth=0.8, zorder=0)
    axes.set(xlabel="oracle error, km", ylabel="share of test photos", xscale="log")
    axes.set(xlim=(1, 20_000), ylim=(0, 1))
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def draw_evenness(axes: Axes, qualities: Sequence[PartitionQuality]) -> None:
    """The share of training photos in the largest classes, a curve each.

    Args:
        axes: where to draw; x is the number of classes, the largest first, logarithmic.
        qualities: the partitions to compare.
    """
    axes.set_prop_cycle(LINES)
    for quality in qualities:
        counts = np.sort(quality.classes.loc[quality.classes["is_known"], "train"])[::-1]
        share = np.cumsum(counts) / counts.sum()
        axes.plot(np.arange(1, len(share) + 1), share, drawstyle="steps-mid", label=quality.name)
    axes.set(xlabel="classes, the largest first", ylabel="share of training photos")
    axes.set(xscale="log", ylim=(0, 1))
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def draw_areas(axes: Axes, qualities: Sequence[PartitionQuality]) -> None:
    """The share of known classes up to an area, a curve for each partition whose areas are known.

    Args:
        axes: where to draw; x is the area, km2, logarithmic.
        qualities: the partitions to compare; those without areas are passed over.
    """
    axes.set_prop_cycle(LINES)
    for quality in qualities:
        areas = quality.classes.loc[quality.classes["is_known"], "area_km2"].dropna().to_numpy()
        if len(areas):
            _step(axes, areas, f"{quality.name} ({len(areas):,})")
    axes.set(xlabel="area of the class, km²", ylabel="share of classes", xscale="log", ylim=(0, 1))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _step(axes: Axes, values: Floats, label: str) -> None:
    ordered = np.sort(values)
    share = (np.arange(len(ordered)) + 1) / max(len(ordered), 1)
    axes.step(ordered, share, where="post", label=label)
