"""The photos of a data list to small ones of one size: in parallel, and going on after a kill.

An output is upright, has no metadata, and is the same bytes every time.
"""

import csv
import io
import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2

from shared.data_loader.files import write_bytes
from shared.data_loader.listing_cache import forget
from shared.processing.decode import ImageRefusedError, Reason
from shared.processing.parallel import DoneLog, Entry, file_key, map_chunks
from shared.processing.scaling import ResizeSettings, resize_image

__all__ = [
    "ResizeReport",
    "ResizeSettings",
    "resize_file",
    "resize_image",
    "resize_pairs",
    "settings_of",
    "small_jpeg",
]

logger = logging.getLogger(__name__)

VERSION = 1  # one more whenever the same settings give other bytes
LOG_NAME = ".resize.log"  # a cache: what else lies in the folder depends on the photos alone
REFUSED_NAME = "refused.csv"
BYTES_PER_PIXEL = 8  # no photo file is larger than its pixels at 16 bits with transparency


class HasImage(Protocol):
    """What is needed of a pair."""

    @property
    def id(self) -> str:
        """The stem that names the pair."""

    @property
    def image(self) -> Path:
        """Its photo."""


@dataclass(frozen=True, slots=True)
class ResizeReport:
    """What `resize_pairs` did: photos made now, kept from an earlier run, and refused."""

    images: tuple[Path, ...]  # every output, by id
    n_made: int
    n_kept: int
    refused: Mapping[str, tuple[str, str]]  # id: (reason, detail)
    refused_csv: Path

    @property
    def reasons(self) -> dict[str, int]:
        """How many photos each reason refused, the most frequent first."""
        counts = Counter(reason for reason, _ in self.refused.values())
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def resize_file(source: Path, target: Path, settings: ResizeSettings) -> int:
    """Write the small JPEG of a photo, whole or not at all; its size in bytes.

    Raises:
        ImageRefusedError: the photo is absent, unreadable, too large, too small or animated.
    """
    limit = settings.max_megapixels * 1e6 * BYTES_PER_PIXEL
    try:
        if (size := source.stat().st_size) > limit:
            raise ImageRefusedError(Reason.TOO_LARGE, f"a file of {size} bytes")
        data = source.read_bytes()
    except OSError as error:
        raise ImageRefusedError(Reason.ABSENT, error.strerror or str(error)) from error
    small = small_jpeg(data, settings)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    # `write_bytes` of the data-loader takes twice as long, 8 % of it all
    part.write_bytes(small)
    part.replace(target)
    return len(small)


def small_jpeg(data: bytes, settings: ResizeSettings) -> bytes:
    """The small JPEG of a photo, as this step writes it and as using a model makes it in memory.

    Raises:
        ImageRefusedError: the photo is unreadable, too large, too small or animated.
    """
    image = resize_image(data, settings)
    quality = [cv2.IMWRITE_JPEG_QUALITY, settings.quality]
    return cv2.imencode(".jpg", image, quality)[1].tobytes()


def resize_pairs(
    pairs: Sequence[HasImage],
    folder: Path,
    settings: ResizeSettings,
    *,
    n_processes: int | None = None,
) -> ResizeReport:
    """Resize the photos of pairs to `<folder>/<id>.jpg`, as many at once as there are processors.

    Goes on where an earlier run stopped: an output stays when the log says that it was made with
    these settings from a file of the same size and modification time. Outputs that this step made
    for pairs no longer named are removed. What cannot be used is not written, but listed in
    `refused.csv`.

    Args:
        pairs: anything with `id` and `image`.
        folder: where the small photos go.
        settings: size, fit and limits.
        n_processes: how many processes; 0 or `None` for one a processor.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in folder.glob(".*.part"):  # of a run that was killed
        part.unlink(missing_ok=True)
    sources = {pair.id: pair.image for pair in pairs}
    log = DoneLog(folder / LOG_NAME, {"version": VERSION, **asdict(settings)})
    for item in log.known.difference(sources):
        _target(folder, item).unlink(missing_ok=True)
    kept = _still_good(log, folder, sources)
    log.rewrite(kept)
    todo = [(item, source) for item, source in sorted(sources.items()) if item not in kept]
    work = partial(_resize_chunk, folder=folder, settings=settings)
    for entries in map_chunks(work, todo, n_processes=n_processes, title="resize"):
        log.add(entries)
    forget(str(folder))
    return _report(log.entries, folder, n_kept=len(kept))


def settings_of(folder: Path) -> ResizeSettings | None:
    """The settings with which the photos of a folder were made small; None where that is unknown.

    Args:
        folder: where this step writes.
    """
    path = folder / LOG_NAME
    if not path.is_file():
        return None
    with path.open(encoding="utf-8") as log:
        header = json.loads(log.readline())
    return ResizeSettings(**{field.name: header[field.name] for field in fields(ResizeSettings)})


def _resize_chunk(
    chunk: Sequence[tuple[str, Path]], *, folder: Path, settings: ResizeSettings
) -> dict[str, Entry]:
    """Resize a few photos; for each what it was made from, and its size or why it was refused."""
    entries: dict[str, Entry] = {}
    for item, source in chunk:
        key = file_key(source)  # before it is read: a photo that changes meanwhile is done again
        target = _target(folder, item)
        try:
            entries[item] = key, resize_file(source, target, settings)
        except ImageRefusedError as error:
            target.unlink(missing_ok=True)  # one of an earlier input or of other settings
            entries[item] = key, [error.reason, error.detail]
    return entries


def _target(folder: Path, item: str) -> Path:
    return folder / f"{item}.jpg"


def _still_good(log: DoneLog, folder: Path, sources: Mapping[str, Path]) -> dict[str, Entry]:
    """The entries of photos that have not changed and whose outputs have the logged size."""
    with os.scandir(folder) as files:
        sizes = {file.name: file.stat().st_size for file in files if file.name.endswith(".jpg")}
    good = {}
    for item, source in sources.items():
        key, made = log.entries.get(item, ([], None))
        expected = made if isinstance(made, int) else None
        if key and sizes.get(f"{item}.jpg") == expected and key == file_key(source):
            good[item] = key, made
    return good


def _report(entries: Mapping[str, Entry], folder: Path, n_kept: int) -> ResizeReport:
    made = sorted(item for item, (_, value) in entries.items() if isinstance(value, int))
    refused = {
        item: (str(value[0]), str(value[1]))
        for item, (_, value) in sorted(entries.items())
        if not isinstance(value, int)
    }
    path = folder / REFUSED_NAME
    _write_csv(path, ((item, *why) for item, why in refused.items()))
    images = tuple(_target(folder, item) for item in made)
    return ResizeReport(images, len(entries) - n_kept, n_kept, refused, path)


def _write_csv(path: Path, rows: Iterable[Sequence[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "reason", "detail"])
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())
