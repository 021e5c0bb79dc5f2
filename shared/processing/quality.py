"""Which photos are worth learning from: measurements of each, and the reason why one is dropped.

Grey levels are 8 bits (0 to 255). Every measurement is made at one size: a photo of another size is
scaled to as many pixels first, because thresholds belong to a size (a photo's Laplacian variance at
1280 x 720 is a fraction of what it is at 320 x 180).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from shared.data_loader.files import digest_of, write_bytes
from shared.processing.decode import ImageRefusedError, Pixels, Reason, decode, read_header
from shared.processing.duplicates import as_numbers, difference_hash, first_of_near, near_pairs
from shared.processing.parallel import DoneLog, Entry, file_key, map_chunks
from shared.processing.resize import HasImage

VERSION = 1  # one more whenever the same photo gives other measurements
LOG_NAME = ".measurements.log"
MAX_MEGAPIXELS = 100.0

UNREADABLE = "unreadable"
FLAT = "low variance"
BLURRED = "blurred"
SAME_PHOTO = "same photo"
SAME_PLACE = "same place"
NEAR_DUPLICATE = "near duplicate"
REASONS = (UNREADABLE, FLAT, BLURRED, SAME_PHOTO, SAME_PLACE, NEAR_DUPLICATE)
DUPLICATES = (SAME_PHOTO, SAME_PLACE, NEAR_DUPLICATE)

MEASURED = ["width", "height", "variance", "laplacian", "dhash", "digest", "error"]


@dataclass(frozen=True, slots=True)
class Measure:
    """The size that photos are measured at, in pixels."""

    width: int = 320
    height: int = 180

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 9:
            msg = f"expected to measure at 9 x 9 pixels at least, got {self.width} x {self.height}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a photo must reach, at the measuring size.

    300 and 30 are Lost & Found's. At 320 x 180 they fit: of 6,441 real street photos 6 have less
    variance and 1 less Laplacian variance (the median is 3,800 and 600 to 2,400); the same photos
    blurred by a Gaussian of 1.5 pixels have a median Laplacian variance of 20 to 23, of 1 pixel 68
    to 84. `max_distance` is in bits of the 128-bit hash; -1 turns near duplicates off.
    """

    min_variance: float = 300.0
    min_laplacian: float = 30.0
    max_distance: int = 8


def measure_image(image: Pixels, measure: Measure) -> tuple[float, float, str]:
    """Measure a photo.

    Args:
        image: (H, W, 3) blue, green, red.
        measure: the size to measure at.

    Returns:
        The largest of the three channels' variances, the variance of the Laplacian of the grey
        levels (kernel 0 1 0 / 1 -4 1 / 0 1 0; grey levels squared, both), and the difference hash.
    """
    image = _at_size(image, measure)
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    # meanStdDev of 16-bit integers gives what float64 and numpy's var give, nine times as fast
    deviations = cv2.meanStdDev(image)[1]
    edges = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1]
    return float(deviations.max() ** 2), float(edges[0, 0] ** 2), difference_hash(grey)


def _at_size(image: Pixels, measure: Measure) -> Pixels:
    """The photo with as many pixels as the measuring size has, in its own aspect."""
    height, width = image.shape[:2]
    if (width, height) == (measure.width, measure.height):
        return image
    factor = (measure.width * measure.height / (width * height)) ** 0.5
    size = max(1, round(width * factor)), max(1, round(height * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def measure_pairs(
    pairs: Sequence[HasImage], folder: Path, measure: Measure, *, n_processes: int | None = None
) -> pd.DataFrame:
    """Measure the photos of pairs, as many at once as there are processors.

    Goes on where an earlier run stopped: `.measurements.log` in the folder has what was measured,
    with each file's size and modification time.

    Args:
        pairs: anything with `id` and `image`.
        folder: where the log is kept.
        measure: the size to measure at.
        n_processes: how many processes; 0 or `None` for one a processor.

    Returns:
        A row a pair, sorted by its index `id`: width, height (pixels of the file), variance,
        laplacian (NaN for unreadable photos), dhash, digest (of the file), error (empty for
        readable ones).
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = DoneLog(folder / LOG_NAME, {"version": VERSION, **asdict(measure)})
    log.rewrite(log.entries)
    sources = sorted((pair.id, pair.image) for pair in pairs)
    todo = [s for s in sources if log.entries.get(s[0], ([], None))[0] != file_key(s[1])]
    work = partial(_measure_chunk, measure=measure)
    for entries in map_chunks(work, todo, n_processes=n_processes, title="measure"):
        log.add(entries)
    rows = [log.entries[item][1] for item, _ in sources]
    index = pd.Index([item for item, _ in sources], name="id", dtype=object)
    types = {"width": int, "height": int, "variance": float, "laplacian": float}
    return pd.DataFrame(rows, index=index, columns=MEASURED).astype(types)


def _measure_chunk(chunk: Sequence[tuple[str, Path]], *, measure: Measure) -> dict[str, Entry]:
    return {item: (file_key(source), _measure_file(source, measure)) for item, source in chunk}


def _measure_file(source: Path, measure: Measure) -> list[Any]:
    """One row of measurements; a photo that cannot be read has an error in it."""
    width = height = 0
    digest = ""
    try:
        data = source.read_bytes()
        digest = digest_of(data)
        header = read_header(data)
        width, height = header.width, header.height
        if width * height > MAX_MEGAPIXELS * 1e6:
            raise ImageRefusedError(Reason.TOO_LARGE, f"{width} x {height}")
        variance, laplacian, dhash = measure_image(decode(data, header), measure)
    except (ImageRefusedError, OSError) as error:
        return [width, height, None, None, "", digest, str(error)]
    return [width, height, variance, laplacian, dhash, digest, ""]


def judge(measured: pd.DataFrame, records: pd.DataFrame, thresholds: Thresholds) -> pd.DataFrame:
    """Decide which photos are kept, and why the others are not.

    One reason a photo, the first of: unreadable, low variance, blurred, same photo (the same file),
    same place (the same coordinates and heading, or the same coordinates and no heading), near
    duplicate. Of duplicates the first id is kept, among the photos that earlier reasons have left:
    a black frame does not stand for its place. Views of one place in different headings are no
    duplicates.

    Args:
        measured: as of `measure_pairs`.
        records: as of `read_records`, with the same ids; `lat`, `lon` (degrees) and `heading` are
            used where there are such columns.
        thresholds: what a photo must reach.

    Returns:
        The rows of `measured`, with lat, lon, heading, `reason` (empty for kept photos) and
        `kept_instead` (the id that a duplicate duplicates, else empty).
    """
    table = measured.sort_index()
    for column in ("lat", "lon", "heading"):
        known = records[column] if column in records else pd.Series(np.nan, records.index)
        table[column] = pd.to_numeric(known.reindex(table.index), errors="coerce").astype(float)
    table["reason"] = ""
    table["kept_instead"] = ""
    table.loc[table["error"] != "", "reason"] = UNREADABLE
    _drop(table, table["variance"] < thresholds.min_variance, FLAT)
    _drop(table, table["laplacian"] < thresholds.min_laplacian, BLURRED)
    _drop_repeated(table, ["digest"], SAME_PHOTO)
    _drop_repeated(table, ["lat", "lon", "heading"], SAME_PLACE)
    if thresholds.max_distance >= 0:
        _drop_near(table, thresholds.max_distance)
    return table


def _drop(table: pd.DataFrame, is_bad: "pd.Series[bool]", reason: str) -> None:
    table.loc[is_bad & (table["reason"] == ""), "reason"] = reason


def _drop_repeated(table: pd.DataFrame, columns: list[str], reason: str) -> pd.Index:
    """Drop photos that have the same in all columns as an earlier kept photo has; their ids."""
    kept = table.loc[(table["reason"] == "") & table[columns[0]].notna(), columns]
    ids = pd.Series(kept.index, kept.index)
    first = ids.groupby([kept[column] for column in columns], dropna=False).transform("first")
    repeated = first[first != ids]
    table.loc[repeated.index, "reason"] = reason
    table.loc[repeated.index, "kept_instead"] = repeated
    return repeated.index


def _drop_near(table: pd.DataFrame, max_distance: int) -> None:
    # Equal hashes first: a thousand copies are a thousand rows here, half a million pairs below.
    equal = _drop_repeated(table, ["dhash"], NEAR_DUPLICATE)
    kept = table.index[table["reason"] == ""]
    pairs, _ = near_pairs(as_numbers(table.loc[kept, "dhash"].tolist()), max_distance)
    instead = first_of_near(len(kept), pairs)
    dropped = np.flatnonzero(instead >= 0)
    table.loc[kept[dropped], "reason"] = NEAR_DUPLICATE
    table.loc[kept[dropped], "kept_instead"] = kept[instead[dropped]].to_numpy()
    stands_for = table.loc[equal, "kept_instead"]
    dropped_too = stands_for.map(table["kept_instead"])
    table.loc[equal, "kept_instead"] = dropped_too.where(dropped_too != "", stands_for)


def count_reasons(judged: pd.DataFrame) -> Mapping[str, int]:
    """How many photos are kept, and how many each reason drops, in the order of the reasons."""
    counts = judged["reason"].value_counts()
    return {"kept": int(counts.get("", 0))} | {name: int(counts.get(name, 0)) for name in REASONS}


def write_quality(judged: pd.DataFrame, path: Path) -> Path:
    """Write the table as Parquet, a row a photo, sorted by id."""
    write_bytes(path, judged.sort_index().reset_index().to_parquet(index=False))
    return path
