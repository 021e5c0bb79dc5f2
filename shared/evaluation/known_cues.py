"""Photos whose cues are known, as a model sees them; what its answer loses when a cue goes.

Only the demo world knows its cues: its photos are painted again (`painted_cues`), and those that do
not come out as the processed photo has it are refused. A cue goes in two ways: it is covered with
the photo's mean colour, against as large an area elsewhere; or it was never painted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from shared.collection.demo_plan import DemoSettings, PlannedView
from shared.collection.painted_cues import CUES, find_cues, paintable, painted_file
from shared.evaluation.intervals import Floats, PlaceBootstrap, Sums, sum_by_place
from shared.evaluation.looking import Eye
from shared.evaluation.pointing import Mask, Measured, as_seen
from shared.processing.resize import ResizeSettings, small_jpeg
from shared.training.images import Bytes, Preprocessing
from shared.workers import side_by_side

SHIFTS = 8  # places, along and down a photo, that a mask is tried at elsewhere
ELSEWHERE = 3  # of which those that overlap least with the cue are covered
FALLS = ("covered", "elsewhere", "unpainted")


@dataclass(frozen=True)
class SeenCues:
    """A photo's cues as a model has them.

    Attributes:
        masks: (H, W) where each kind is, of the model's input.
        without: (H, W, 3) bytes, the photo as it would be without each kind.
    """

    masks: Mapping[str, Mask]
    without: Mapping[str, Bytes]


def seen_cues(
    photos: Mapping[str, Path],
    preprocessings: Mapping[str, Preprocessing],
    resize: ResizeSettings,
    settings: DemoSettings,
    processes: int | None = None,
) -> dict[str, dict[str, SeenCues]]:
    """The cues of painted photos, as each of some models has them.

    Args:
        photos: the files of 1-resize, by id; those whose cues cannot be known are left out.
        preprocessings: of the models, by name.
        resize: how 1-resize made them.
        settings: with which the world was painted.
        processes: how many paint side by side; None: one a processor.

    Returns:
        By model, then by id, in the order of `photos`.

    Raises:
        ValueError: for a photo that does not come out as its file has it.
    """
    views = paintable(photos, settings)
    work = partial(
        _seen, photos=photos, preprocessings=preprocessings, resize=resize, settings=settings
    )
    done = dict(side_by_side(work, [views[name] for name in photos if name in views], processes))
    return {
        model: {name: done[name][model] for name in photos if name in done}
        for model in preprocessings
    }


def _seen(
    view: PlannedView,
    photos: Mapping[str, Path],
    preprocessings: Mapping[str, Preprocessing],
    resize: ResizeSettings,
    settings: DemoSettings,
) -> tuple[str, dict[str, SeenCues]]:
    cues = find_cues(view, settings)
    if small_jpeg(cues.photo, resize) != photos[view.id].read_bytes():
        msg = (
            f"Expected {photos[view.id]} to be what 1-resize makes of {view.id} as it is painted "
            f"with {settings}, but it differs: give the settings of 1-data-collection/demo_world"
        )
        raise ValueError(msg)
    small = {
        kind: small_jpeg(painted_file(picture), resize) for kind, picture in cues.without.items()
    }
    return view.id, {
        model: SeenCues(
            {kind: as_seen(mask, resize, pixels) for kind, mask in cues.masks.items()},
            {kind: pixels.apply(data) for kind, data in small.items()},
        )
        for model, pixels in preprocessings.items()
    }


def falls(
    eye: Eye,
    images: Bytes,
    cues: Sequence[SeenCues],
    photos: pd.DataFrame,
    kinds: Sequence[str],
    min_area: float,
) -> pd.DataFrame:
    """By how much a country's log-probability falls when a cue goes.

    Args:
        eye: the model.
        images: (N, H, W, 3) bytes, its inputs.
        cues: of the N photos.
        photos: N rows indexed by id: `place`, and `code`, the country that is asked about.
        kinds: of cues.
        min_area: the share of the photo that a cue must have.

    Returns:
        A row a photo and cue: `photo, place, cue`, and the falls (nats): `covered`, `elsewhere`
        (an area of the same shape, mean of `ELSEWHERE`), `unpainted` (NaN of what is always
        painted).
    """
    rows = []
    for number, (name, row) in enumerate(photos.iterrows()):
        image, own = images[number], cues[number]
        for kind in kinds:
            mask = own.masks.get(kind)
            if mask is None or mask.mean() < min_area:
                continue
            tried = [image, covered(image, mask)]
            tried += [covered(image, moved) for moved in moved_masks(mask)]
            tried += [own.without[kind]] if kind in own.without else []
            said = eye.log_probabilities(np.stack(tried), str(row["code"]))
            fell = said[0] - said[1:]
            last = float(fell[-1]) if kind in own.without else float("nan")
            elsewhere = float(fell[1 : 1 + ELSEWHERE].mean())
            rows.append((str(name), row["place"], kind, float(fell[0]), elsewhere, last))
    return pd.DataFrame(rows, columns=["photo", "place", "cue", *FALLS])


def covered(image: Bytes, mask: Mask) -> Bytes:
    """(H, W, 3) a photo with a part in its mean colour."""
    found = np.array(image)
    found[mask] = np.rint(image.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
    return found


def moved_masks(mask: Mask) -> list[Mask]:
    """A mask moved elsewhere, around the edges: where it overlaps least with itself."""
    height, width = mask.shape
    steps = [
        (round(down * height / SHIFTS), round(along * width / SHIFTS))
        for down in range(SHIFTS)
        for along in range(SHIFTS)
    ]
    moved = [np.roll(mask, step, axis=(0, 1)) for step in steps[1:]]
    order = np.argsort([int((other & mask).sum()) for other in moved], kind="stable")
    return [moved[number] for number in order[:ELSEWHERE]]


def fall_figures(table: pd.DataFrame, bootstrap: PlaceBootstrap) -> dict[str, Measured]:
    """The mean falls of each cue, with intervals over places.

    Args:
        table: of `falls`.
        bootstrap: how places are drawn.

    Returns:
        By cue: `FALLS`, and `more` (covered less elsewhere).
    """
    found = {}
    for cue in [kind for kind in CUES if kind in set(table["cue"])]:
        own = table[table["cue"] == cue]
        codes, places = pd.factorize(own["place"], sort=True)
        values = {name: own[name].to_numpy(dtype=np.float64) for name in FALLS}
        values["n"] = np.ones(len(own))
        sums = {name: sum_by_place(codes, value, len(places)) for name, value in values.items()}
        found[cue] = Measured(len(own), bootstrap.intervals(sums, _mean_falls))
    return found


def _mean_falls(sums: Sums) -> dict[str, Floats]:
    means = {name: sums[name] / sums["n"] for name in FALLS}
    return {**means, "more": means["covered"] - means["elsewhere"]}
