"""Do maps of what a model looked at fall on known cues? The pointing game, and the energy on them.

A map wins where its largest value lies on a cue, or within a tolerance of it (Zhang et al., 2016,
Top-down Neural Attention by Excitation Backprop, arXiv 1608.00507). Chance is the share
of the photo that is as near to the cue. The energy is the share of the map's positive part on the
cue (Wang et al., 2020, Score-CAM, arXiv 1910.01279); chance is the cue's area.

Masks and maps are (H, W), of the size of a model's input.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from shared.evaluation.intervals import Floats, Interval, PlaceBootstrap, Sums, sum_by_place
from shared.evaluation.looking import Map
from shared.processing.resize import ResizeSettings, resize_image
from shared.training.images import Preprocessing

Mask = NDArray[np.bool_]

TOLERANCE = 15 / 500  # of the photo's width: 15 pixels of PASCAL's 500 in the paper
COVERED = 0.25  # share of a pixel that a cue must cover to count as there
ANY = "any cue"
CENTRE = "centre"
COLUMNS = ("photo", "place", "method", "cue", "hit", "chance", "energy", "area")


@dataclass(frozen=True)
class Round:
    """What one map of one photo did for one cue.

    Attributes:
        hit: 1 where the largest value is on the cue or near it; a share where several are largest.
        chance: the share of the photo that is on the cue or near it.
        energy: the share of the map's positive part on the cue; of an empty map the cue's area.
        area: the share of the photo on the cue.
    """

    hit: float
    chance: float
    energy: float
    area: float


@dataclass(frozen=True)
class Measured:
    """Figures over some photos.

    Attributes:
        photos: how many.
        figures: the intervals, by name.
    """

    photos: int
    figures: Mapping[str, Interval]

    def __getitem__(self, name: str) -> Interval:
        """A figure."""
        return self.figures[name]

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {"photos": self.photos, **{k: one.as_dict() for k, one in self.figures.items()}}


Game = Mapping[str, Mapping[str, Measured]]  # by method, then by cue


def play(scores: Map, mask: Mask, tolerance: float = TOLERANCE) -> Round:
    """One round of the pointing game.

    Args:
        scores: (H, W) map.
        mask: (H, W) where the cue is.
        tolerance: how far from it still counts, in widths of the photo.

    Raises:
        ValueError: for a map of another size than the mask.
    """
    if scores.shape != mask.shape or scores.ndim != 2:
        msg = f"Expected a map and a mask of one (H, W), but got {scores.shape} and {mask.shape}"
        raise ValueError(msg)
    near = widened(mask, round(tolerance * mask.shape[1]))
    largest = scores == scores.max()
    positive = np.maximum(scores.astype(np.float64), 0.0)
    total = float(positive.sum())
    area = float(mask.mean())
    return Round(
        hit=float(near[largest].mean()),
        chance=float(near.mean()),
        energy=float(positive[mask].sum()) / total if total > 0 else area,
        area=area,
    )


def widened(mask: Mask, pixels: int) -> Mask:
    """Where a mask is no further than so many pixels, (H, W)."""
    if pixels < 1 or not mask.any():
        return mask
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    found: Mask = away <= pixels + 1e-4
    return found


def centre_map(height: int, width: int) -> Map:
    """(H, W) a map that knows nothing: the nearer to the middle, the larger."""
    y = (np.arange(height) + 0.5) / height - 0.5
    x = (np.arange(width) + 0.5) / width - 0.5
    found: Map = np.exp(-8 * (x[None] ** 2 + y[:, None] ** 2)).astype(np.float32)
    return found


def as_seen(mask: Mask, resize: ResizeSettings, preprocessing: Preprocessing) -> Mask:
    """A mask as a model has it: it takes the way of the photo that it belongs to.

    Args:
        mask: (H, W) of the collected photo.
        resize: how 1-resize makes photos small.
        preprocessing: how the model brings them to its size.

    Returns:
        (height, width) of the model's input: pixels of which the cue covers `COVERED` or more.
    """
    small = resize_image(_png(np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)), resize)
    shares = preprocessing.apply(_png(small))[..., 0]
    found: Mask = shares >= COVERED * 255
    return found


def rounds(
    maps: Mapping[str, Sequence[Map]],
    masks: Sequence[Mapping[str, Mask]],
    photos: pd.DataFrame,
    cues: Iterable[str],
    min_area: float,
    tolerance: float = TOLERANCE,
) -> pd.DataFrame:
    """All rounds of all methods: of each photo with each cue that it shows.

    Args:
        maps: of each method a map of each of N photos.
        masks: of each photo the masks of its cues, as the model has them.
        photos: N rows indexed by id, with `place`.
        cues: which kinds of masks are cues; together they are `"any cue"`.
        min_area: the share of the photo that a cue must have to be looked for.
        tolerance: as of `play`.

    Returns:
        A row a round, with `COLUMNS`.
    """
    kinds = list(cues)
    rows = []
    for number, (name, place) in enumerate(zip(photos.index, photos["place"], strict=True)):
        own = dict(masks[number])
        known = [own[kind] for kind in kinds if kind in own]
        if known:
            own[ANY] = np.logical_or.reduce(known)
        for cue, mask in own.items():
            if mask.mean() < min_area:
                continue
            for method, some in maps.items():
                found = play(some[number], mask, tolerance)
                rows.append((name, place, method, cue, *vars(found).values()))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def game(table: pd.DataFrame, bootstrap: PlaceBootstrap) -> dict[str, dict[str, Measured]]:
    """The figures of each method and cue, with intervals over places.

    Args:
        table: of `rounds`.
        bootstrap: how places are drawn.

    Returns:
        By method, then by cue: `hit`, `chance`, `lift` (hit less chance), `energy`, `area` and
        `focus` (energy over area).
    """
    found: dict[str, dict[str, Measured]] = {}
    for method, some in table.groupby("method", sort=False):
        found[str(method)] = {
            str(cue): Measured(len(own), bootstrap.intervals(_sums(own), _figures))
            for cue, own in some.groupby("cue", sort=False)
        }
    return found


def gain(
    table: pd.DataFrame, method: str, baseline: str, cue: str, bootstrap: PlaceBootstrap
) -> dict[str, Interval]:
    """The figures of a method less those of another on the same photos, paired.

    Args:
        table: of `rounds`.
        method: the one.
        baseline: the other.
        cue: on which cue.
        bootstrap: how places are drawn.
    """
    own, other = (
        table[(table["method"] == name) & (table["cue"] == cue)].sort_values("photo")
        for name in (method, baseline)
    )
    return bootstrap.differences(_sums(own), _sums(other), _figures)


def _sums(table: pd.DataFrame) -> dict[str, Floats]:
    codes, places = pd.factorize(table["place"], sort=True)
    values = {name: table[name].to_numpy(dtype=np.float64) for name in COLUMNS[4:]}
    values["n"] = np.ones(len(table))
    return {name: sum_by_place(codes, value, len(places)) for name, value in values.items()}


def _figures(sums: Sums) -> dict[str, Floats]:
    with np.errstate(invalid="ignore", divide="ignore"):
        means = {name: sums[name] / sums["n"] for name in COLUMNS[4:]}
        return {
            **means,
            "lift": means["hit"] - means["chance"],
            "focus": means["energy"] / means["area"],
        }


def _png(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return file.getvalue()
