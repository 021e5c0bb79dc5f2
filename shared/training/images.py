"""Images decoded once: all photos of a list as one memory-mapped array of bytes.

An image is `(height, width, 3)` RGB, uint8. The cache is a `.npy` file named by the digest of its
list and by the preprocessing, so a changed list or size makes a new file and leaves the old alone.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.processing.decode import ImageRefusedError, decode, read_header, turn_upright
from shared.processing.parallel import map_chunks
from shared.processing.scaling import ResizeSettings, resize_image

logger = logging.getLogger(__name__)

Bytes = NDArray[np.uint8]
ANY_ENLARGEMENT = 1e9  # what is too small was refused by 1-resize; here sizes only differ


class HasImage(Protocol):
    """What is needed of a pair."""

    @property
    def image(self) -> Path:
        """Its photo."""


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the input of a model.

    Attributes:
        width: pixels.
        height: pixels.
        fit: `"crop"` fills the size and cuts what stands out on both sides; `"pad"` fits inside
            the size, with black bars.
    """

    width: int
    height: int
    fit: str = "crop"

    def __post_init__(self) -> None:
        """Check the size and the fit."""
        self._as_resize()

    @property
    def name(self) -> str:
        """The part of a cache's file name that says this preprocessing."""
        return f"{self.width}x{self.height}-{self.fit}"

    def as_dict(self) -> dict[str, object]:
        """The fields, for a checkpoint's `config.json`."""
        return asdict(self)

    def read(self, path: Path) -> Bytes:
        """Read a photo at this size, by the code of 1-resize.

        Returns:
            (height, width, 3) bytes, RGB, upright.

        Raises:
            FileNotFoundError: when there is no such file.
            ValueError: when it cannot be read as an image.
        """
        try:
            return self.apply(Path(path).read_bytes())
        except ImageRefusedError as error:
            raise _unreadable(path, error) from error

    def apply(self, data: bytes) -> Bytes:
        """A photo at this size, from the bytes of its file: what `read` does, without a file.

        Returns:
            (height, width, 3) bytes, RGB, upright.

        Raises:
            ImageRefusedError: when it cannot be read as an image.
        """
        return np.ascontiguousarray(resize_image(data, self._as_resize())[..., ::-1])

    def _as_resize(self) -> ResizeSettings:
        return ResizeSettings(self.width, self.height, self.fit, max_enlargement=ANY_ENLARGEMENT)


def read_image(path: Path) -> Bytes:
    """Read a photo at its own size.

    Returns:
        (height, width, 3) bytes, RGB, turned as its EXIF orientation says.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it cannot be read as an image.
    """
    data = Path(path).read_bytes()
    try:
        header = read_header(data)
        image = turn_upright(decode(data, header), header.orientation)
    except ImageRefusedError as error:
        raise _unreadable(path, error) from error
    return np.ascontiguousarray(image[..., ::-1])


def _unreadable(path: Path, error: ImageRefusedError) -> ValueError:
    return ValueError(
        f"Expected a readable photo in {path}, but it is {error}. "
        "2-data-processing/4-filter takes such photos out of the list."
    )


def cache_path(preprocessing: Preprocessing, list_digest: str, folder: Path) -> Path:
    """Where the decoded images of a list lie."""
    return folder / f"{list_digest}-{preprocessing.name}.npy"


def cache_images(
    pairs: Sequence[HasImage],
    preprocessing: Preprocessing,
    list_digest: str,
    folder: Path,
    n_processes: int | None = None,
) -> Bytes:
    """The images of a list as one array on disk: decoded now, or opened when that was done before.

    The array is written under a temporary name and renamed when it is whole, so that a file with
    the final name is complete; what a killed run left is made anew.

    Args:
        pairs: N pairs, in the order of the list.
        preprocessing: the size, and how photos are brought to it.
        list_digest: the digest of the list, which names the file.
        folder: where the file lies.
        n_processes: how many processes decode; one for each processor by default.

    Returns:
        (N, height, width, 3) bytes, read-only, mapped into memory: pages come from disk when they
        are looked at, so it may be larger than memory.

    Raises:
        ValueError: when an image cannot be read, or a file of that name has another shape.
    """
    path = cache_path(preprocessing, list_digest, folder)
    shape = (len(pairs), preprocessing.height, preprocessing.width, 3)
    if not path.exists():
        _write_cache(pairs, preprocessing, path, n_processes)
    images: Bytes = np.load(path, mmap_mode="r", allow_pickle=False)
    if images.shape != shape or images.dtype != np.uint8:
        msg = (
            f"Expected {shape} bytes in {path}, but found {images.shape} {images.dtype}. "
            "Remove the file: it is made again."
        )
        raise ValueError(msg)
    return images


def _write_cache(
    pairs: Sequence[HasImage], preprocessing: Preprocessing, path: Path, n_processes: int | None
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    shape = (len(pairs), preprocessing.height, preprocessing.width, 3)
    np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape).flush()
    work = partial(_decode_chunk, preprocessing, temporary)
    photos = [(row, pair.image) for row, pair in enumerate(pairs)]
    try:
        for _ in map_chunks(work, photos, n_processes=n_processes, title="decoding"):
            pass
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    logger.info("Decoded %d photos into %s", len(pairs), path)


def _remove_leftovers(path: Path) -> None:
    """Remove what killed runs left, but nothing of a notebook that runs beside this one."""
    for left in path.parent.glob(f"{path.name}.*.part"):
        try:
            os.kill(int(left.name.split(".")[-2]), 0)  # asks whether the process lives
        except (ProcessLookupError, ValueError):
            left.unlink(missing_ok=True)
        except PermissionError:
            continue


def _decode_chunk(
    preprocessing: Preprocessing, path: Path, photos: Sequence[tuple[int, Path]]
) -> int:
    """Write photos into their rows of the array that all processes share through its file."""
    images = np.load(path, mmap_mode="r+", allow_pickle=False)
    for row, photo in photos:
        images[row] = preprocessing.read(photo)
    images.flush()
    return len(photos)
