"""Figures of what was collected: contact sheets, as JPEG, since grain makes large PNGs; maps."""

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import Image as ShownImage
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from shared.boundaries import world_outlines

THUMBNAIL = (216, 122)  # pixels
JPEG_QUALITY = 66


def contact_sheet(
    photos: Sequence[tuple[str, Path]],
    n_columns: int,
    title: str,
    size: tuple[float, float] = (9, 5),
) -> Figure:
    """Photos in rows, a label above each.

    Args:
        photos: labels and files, row by row; a truncated file is shown as far as it goes.
        n_columns: photos in a row.
        title: what stands above; of painted photos it has to say "synthetic".
        size: of the figure, inches.
    """
    n_rows = -(-len(photos) // n_columns)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=size, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (label, path) in zip(axes.flat, photos, strict=False):
        ax.imshow(_thumbnail(path))
        ax.set_title(label, fontsize=7, pad=2)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout(pad=0.4, rect=(0, 0, 1, 0.99))
    return figure


def as_jpeg(figure: Figure, dpi: int = 100) -> ShownImage:
    """The figure as a JPEG to show in a notebook; the figure itself is closed."""
    file = io.BytesIO()
    figure.savefig(file, format="jpeg", dpi=dpi, pil_kwargs={"quality": JPEG_QUALITY})
    plt.close(figure)
    return ShownImage(data=file.getvalue(), format="jpeg")  # type: ignore[no-untyped-call]


def world_map(title: str) -> tuple[Figure, Axes]:
    """Outlines of the world's countries to draw on; x is the longitude, y the latitude, degrees."""
    figure, axes = plt.subplots(figsize=(9, 4.3))
    world_outlines().plot(ax=axes, color="#e8e4da", edgecolor="#b5afa2", linewidth=0.4, zorder=0)
    axes.set(xlim=(-180, 180), ylim=(-60, 85), xlabel="longitude, °", ylabel="latitude, °")
    axes.set_title(title)
    axes.set_aspect("equal")
    figure.tight_layout()
    return figure, axes


def _thumbnail(path: Path) -> Image.Image:
    """The photo upright and small; what is missing of a truncated one is grey."""
    data = path.read_bytes() + b"\xff\xd9"  # an end mark, for files that have lost theirs
    with Image.open(io.BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    return ImageOps.fit(upright, THUMBNAIL)
