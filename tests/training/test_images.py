import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from shared.training.images import Preprocessing, cache_images, cache_path, read_image


@dataclass(frozen=True)
class Photo:
    image: Path


def write_photo(path: Path, width: int, height: int, seed: int = 0) -> Photo:
    rng = np.random.default_rng(seed)
    pixels = cv2.resize(rng.integers(0, 256, (4, 6, 3)).astype(np.uint8), (width, height))
    Image.fromarray(pixels).save(path, quality=95)
    return Photo(path)


def test_cached_images_are_those_that_pillow_decodes(tmp_path: Path) -> None:
    photos = [write_photo(tmp_path / f"{n}.jpg", 32, 18, n) for n in range(5)]
    images = cache_images(photos, Preprocessing(32, 18), "d" * 32, tmp_path / "cache", 1)
    assert images.shape == (5, 18, 32, 3)
    for row, photo in enumerate(photos):
        expected = np.asarray(Image.open(photo.image).convert("RGB"))
        assert np.abs(images[row].astype(int) - expected).max() <= 2


def test_two_processes_write_the_same_file_as_one(tmp_path: Path) -> None:
    photos = [write_photo(tmp_path / f"{n}.jpg", 40, 30, n) for n in range(9)]
    for n in (1, 2):
        cache_images(photos, Preprocessing(16, 9), "d" * 32, tmp_path / str(n), n)
    name = cache_path(Preprocessing(16, 9), "d" * 32, Path()).name
    assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_a_cache_is_opened_again_without_its_photos(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.jpg", 32, 18)
    first = np.array(cache_images([photo], Preprocessing(16, 9), "d" * 32, tmp_path, 1))
    photo.image.unlink()
    again = cache_images([photo], Preprocessing(16, 9), "d" * 32, tmp_path, 1)
    assert isinstance(again, np.memmap)
    assert np.array_equal(first, again)


def test_another_list_or_size_leaves_an_old_cache_alone(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.jpg", 32, 18)
    for preprocessing, digest in (
        (Preprocessing(16, 9), "a" * 32),
        (Preprocessing(16, 9), "b" * 32),
        (Preprocessing(16, 9, "pad"), "a" * 32),
    ):
        cache_images([photo], preprocessing, digest, tmp_path / "cache", 1)
    names = sorted(path.name for path in (tmp_path / "cache").iterdir())
    digests = ("a" * 32, "a" * 32, "b" * 32)
    fits = ("16x9-crop", "16x9-pad", "16x9-crop")
    assert names == [f"{d}-{f}.npy" for d, f in zip(digests, fits, strict=True)]


def test_an_unreadable_photo_is_named_and_leaves_no_cache(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    with pytest.raises(ValueError, match=r"readable photo in .*bad\.jpg.*4-filter"):
        cache_images([Photo(tmp_path / "bad.jpg")], Preprocessing(16, 9), "d", tmp_path / "c", 1)
    assert list((tmp_path / "c").iterdir()) == []


def test_what_a_killed_run_left_is_removed_but_not_what_another_writes(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.jpg", 32, 18)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(timeout=60)
    folder = tmp_path / "c"
    folder.mkdir()
    for process_id in (dead.pid, os.getppid()):
        (folder / f"d-16x9-crop.npy.{process_id}.part").write_bytes(b"half")
    cache_images([photo], Preprocessing(16, 9), "d", folder, 1)
    expected = ["d-16x9-crop.npy", f"d-16x9-crop.npy.{os.getppid()}.part"]
    assert sorted(path.name for path in folder.iterdir()) == expected


def test_a_cache_of_another_length_is_refused(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.jpg", 32, 18)
    cache_images([photo], Preprocessing(16, 9), "d", tmp_path, 1)
    with pytest.raises(ValueError, match=r"Expected \(2, 9, 16, 3\) bytes in"):
        cache_images([photo, photo], Preprocessing(16, 9), "d", tmp_path, 1)


def test_crop_keeps_the_middle_and_pad_adds_black(tmp_path: Path) -> None:
    # Left half red, middle green, right blue, each a third of 90 x 30.
    pixels = np.zeros((30, 90, 3), np.uint8)
    for third in range(3):
        pixels[:, 30 * third : 30 * third + 30, third] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    cropped = Preprocessing(30, 30, "crop").read(tmp_path / "a.png")
    assert np.array_equal(cropped, np.broadcast_to([0, 255, 0], (30, 30, 3)))
    padded = Preprocessing(90, 90, "pad").read(tmp_path / "a.png")
    assert not padded[:30].any()
    assert not padded[60:].any()
    assert np.array_equal(padded[30:60], pixels)


def test_read_image_turns_as_exif_says(tmp_path: Path) -> None:
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16, 0] = 255  # red on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise, so left becomes top
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95, exif=exif)
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (32, 16, 3)
    assert image[4, 8, 0] > 200
    assert image[28, 8, 0] < 50


def test_an_unknown_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="'crop' or 'pad'"):
        Preprocessing(16, 9, "stretch")
