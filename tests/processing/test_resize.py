"""Small photos of one size: geometry, metadata, refusals, and going on after a kill."""

import contextlib
import hashlib
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from shared.processing import resize as resize_module
from shared.processing.decode import ImageRefusedError, Reason
from shared.processing.resize import (
    LOG_NAME,
    ResizeSettings,
    resize_file,
    resize_image,
    resize_pairs,
)

SMALL = ResizeSettings(width=32, height=18)


@dataclass(frozen=True)
class Photo:
    id: str
    image: Path


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """A smooth made photo."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def write_photos(folder: Path, n: int, size: tuple[int, int] = (64, 36)) -> list[Photo]:
    folder.mkdir(parents=True, exist_ok=True)
    photos = [Photo(f"photo_{i:03d}", folder / f"photo_{i:03d}.jpg") for i in range(n)]
    for i, photo in enumerate(photos):
        photo.image.write_bytes(encoded(scene(*size, seed=i)))
    return photos


def contents(folder: Path) -> dict[str, str]:
    """Digests of all files that are not hidden."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".")
    }


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize(
    "size", [(1280, 720), (640, 610), (235, 224), (320, 180), (181, 1000), (2561, 1441)]
)
def test_every_output_has_the_size_asked_for(size: tuple[int, int], fit: str) -> None:
    assert resize_image(encoded(scene(*size)), ResizeSettings(fit=fit)).shape == (180, 320, 3)


def test_the_fast_path_is_within_40_db_of_pillows_full_decode_and_box_filter() -> None:
    data = encoded(scene(1280, 720), quality=95)
    exact = Image.open(io.BytesIO(data)).resize((320, 180), Image.Resampling.BOX)
    ours = resize_image(data, ResizeSettings())[..., ::-1].astype(float)
    error = ((ours - np.asarray(exact, float)) ** 2).mean()
    assert 10 * np.log10(255**2 / error) > 40


def test_crop_cuts_both_sides_evenly() -> None:
    image = Image.new("RGB", (800, 180), "red")  # 240 too many on each side
    image.paste("lime", (240, 0, 560, 180))
    pixels = resize_image(encoded(image, "PNG"), ResizeSettings())
    assert (pixels == [0, 255, 0]).all()


def test_pad_shows_the_whole_photo_with_black_beside_it() -> None:
    image = Image.new("RGB", (180, 180), "lime")
    pixels = resize_image(encoded(image, "PNG"), ResizeSettings(fit="pad"))
    assert (pixels[:, 70:250] == [0, 255, 0]).all()
    assert not pixels[:, :70].any()
    assert not pixels[:, 250:].any()


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_the_aspect_is_kept(fit: str) -> None:
    canvas = np.zeros((900, 1200, 3), np.uint8)
    cv2.circle(canvas, (600, 450), 240, (255, 255, 255), -1)
    disc = resize_image(encoded(Image.fromarray(canvas), "PNG"), ResizeSettings(fit=fit))
    ys, xs = np.nonzero(disc[..., 0] > 127)
    assert abs(np.ptp(xs) - np.ptp(ys)) <= 1


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_a_photo_on_its_side_gives_what_the_upright_one_gives(fit: str) -> None:
    upright = scene(1280, 720)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    on_side = encoded(upright.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif.tobytes())
    settings = ResizeSettings(fit=fit)
    expected = resize_image(encoded(upright, "PNG"), settings).astype(int)
    assert np.abs(resize_image(on_side, settings) - expected).max() <= 1


def test_position_camera_and_profile_are_left_behind(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Secret camera"
    exif.get_ifd(0x8825).update({1: "N", 2: (50.0, 5.0, 0.0), 3: "E", 4: (14.0, 25.0, 0.0)})
    raw = tmp_path / "raw.jpg"
    raw.write_bytes(
        encoded(scene(640, 360), exif=exif, icc_profile=b"profile" * 20, comment=b"written by me")
    )
    with Image.open(raw) as image:
        assert dict(image.getexif().get_ifd(0x8825))[1] == "N"  # it is there to be lost
    resize_file(raw, tmp_path / "small.jpg", ResizeSettings())
    with Image.open(tmp_path / "small.jpg") as image:
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert not image.getexif()
    data = (tmp_path / "small.jpg").read_bytes()
    assert not re.search(rb"Exif|Secret|profile|written", data)


def test_quality_decides_the_bytes(tmp_path: Path) -> None:
    raw = tmp_path / "raw.jpg"
    raw.write_bytes(encoded(scene(640, 360)))
    sizes = [
        resize_file(raw, tmp_path / f"{quality}.jpg", ResizeSettings(quality=quality))
        for quality in (30, 60, 95)
    ]
    assert sizes == [(tmp_path / f"{quality}.jpg").stat().st_size for quality in (30, 60, 95)]
    assert sizes == sorted(set(sizes))


def test_a_photo_is_enlarged_only_so_far() -> None:
    settings = ResizeSettings(max_enlargement=2.0)
    assert resize_image(encoded(scene(160, 90)), settings).shape == (180, 320, 3)
    with pytest.raises(
        ImageRefusedError, match=r"too small: 159 x 90 would be enlarged 2.01 times"
    ):
        resize_image(encoded(scene(159, 90)), settings)


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    bomb = encoded(Image.new("1", (20_000, 20_000)), "PNG")
    assert len(bomb) < 100_000
    start = time.perf_counter()
    with pytest.raises(ImageRefusedError) as error:
        resize_image(bomb, ResizeSettings())
    assert error.value.reason == Reason.TOO_LARGE
    assert time.perf_counter() - start < 0.5


def test_a_file_larger_than_any_photo_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "raw.jpg").open("wb") as file:
        file.truncate(900_000_000)  # takes no place on the disk
    with pytest.raises(ImageRefusedError, match="too large: a file of 900000000 bytes"):
        resize_file(tmp_path / "raw.jpg", tmp_path / "small.jpg", ResizeSettings())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"fit": "stretch"}, "fit: expected 'crop' or 'pad', got 'stretch'"),
        ({"width": 0}, "at least 1 x 1 pixels, got 0 x 180"),
        ({"quality": 101}, "quality: expected a JPEG quality of 1 to 100, got 101"),
        ({"max_enlargement": 0.5}, "max_enlargement of at least 1"),
    ],
)
def test_settings_out_of_range_are_errors(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResizeSettings(**wrong)  # type: ignore[arg-type]


def test_refused_photos_are_counted_listed_and_not_written(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "raw", 5)
    photos[1].image.write_bytes(photos[1].image.read_bytes()[:-40])
    photos[2].image.write_bytes(b"")
    photos[3].image.unlink()
    report = resize_pairs(photos, tmp_path / "small", SMALL, n_processes=1)
    assert report.reasons == {"absent": 1, "empty file": 1, "truncated": 1}
    assert [path.name for path in report.images] == ["photo_000.jpg", "photo_004.jpg"]
    assert sorted(contents(tmp_path / "small")) == [
        "photo_000.jpg",
        "photo_004.jpg",
        "refused.csv",
    ]
    lines = report.refused_csv.read_text().splitlines()
    assert lines[0] == "id,reason,detail"
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["photo_001", "truncated"],
        ["photo_002", "empty file"],
        ["photo_003", "absent"],
    ]


def test_one_process_and_two_write_the_same_bytes(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "raw", 12)
    photos[5].image.write_bytes(b"no photo")
    resize_pairs(photos, tmp_path / "one", SMALL, n_processes=1)
    resize_pairs(photos[::-1], tmp_path / "two", SMALL, n_processes=2)
    assert len(contents(tmp_path / "one")) == 12
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids that are resized from now on, in this process."""
    done: list[str] = []
    original = resize_module.resize_file

    def resize_and_note(source: Path, target: Path, settings: ResizeSettings) -> int:
        done.append(target.stem)
        return original(source, target, settings)

    monkeypatch.setattr(resize_module, "resize_file", resize_and_note)
    return done


def run_again(photos: Sequence[Photo], folder: Path, settings: ResizeSettings = SMALL) -> None:
    resize_pairs(photos, folder, settings, n_processes=1)


def test_a_second_run_does_only_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, small = write_photos(tmp_path / "raw", 6), tmp_path / "small"
    photos[5].image.write_bytes(b"no photo")
    run_again(photos, small)
    before = contents(small)
    done = counted(monkeypatch)

    run_again(photos, small)
    assert done == []
    assert contents(small) == before

    photos[0].image.write_bytes(encoded(scene(64, 36, seed=99)))  # another photo
    (small / "photo_001.jpg").unlink()  # an output is lost
    (small / "photo_002.jpg").write_bytes(b"half")  # or spoilt
    photos[5].image.write_bytes(encoded(scene(64, 36, seed=5)))  # a refused one is mended
    run_again(photos, small)
    assert done == ["photo_000", "photo_001", "photo_002", "photo_005"]
    after = contents(small)
    assert {name for name in after if after[name] != before.get(name)} == {
        "photo_000.jpg",
        "photo_005.jpg",
        "refused.csv",
    }


def test_other_settings_do_everything_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, small = write_photos(tmp_path / "raw", 3), tmp_path / "small"
    run_again(photos, small)
    done = counted(monkeypatch)
    run_again(photos, small, ResizeSettings(width=16, height=9))
    assert len(done) == 3
    with Image.open(small / "photo_000.jpg") as image:
        assert image.size == (16, 9)


def test_a_photo_that_is_refused_later_leaves_no_old_output(tmp_path: Path) -> None:
    photos, small = write_photos(tmp_path / "raw", 2), tmp_path / "small"
    run_again(photos, small)
    photos[1].image.write_bytes(b"no photo any more")
    run_again(photos, small)
    assert sorted(contents(small)) == ["photo_000.jpg", "refused.csv"]


def test_only_what_this_step_made_is_removed(tmp_path: Path) -> None:
    photos, small = write_photos(tmp_path / "raw", 3), tmp_path / "small"
    run_again(photos, small)
    (small / "mine.jpg").write_bytes(b"put here by a person")
    (small / ".photo_000.jpg.1.part").write_bytes(b"of a run that was killed")
    run_again(photos[:1], small, ResizeSettings(width=16, height=9))
    left = sorted(path.name for path in small.iterdir())
    assert left == [LOG_NAME, "mine.jpg", "photo_000.jpg", "refused.csv"]


def test_a_log_cut_in_the_middle_of_a_line_is_read_up_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, small = write_photos(tmp_path / "raw", 4), tmp_path / "small"
    run_again(photos, small)
    run_again(photos, small)  # sorts the log by id
    log = small / LOG_NAME
    log.write_bytes(log.read_bytes()[:-9])
    done = counted(monkeypatch)
    run_again(photos, small)
    assert done == ["photo_003"]


KILLED = """
import sys
from pathlib import Path
from types import SimpleNamespace
from shared.processing.resize import ResizeSettings, resize_pairs
raw, small = map(Path, sys.argv[1:])
photos = [SimpleNamespace(id=path.stem, image=path) for path in sorted(raw.iterdir())]
resize_pairs(photos, small, ResizeSettings(), n_processes=2)
"""


@pytest.mark.slow
def test_killed_in_the_middle_nothing_is_half_and_the_next_run_completes(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "raw", 300, size=(1280, 720))
    small, whole = tmp_path / "small", tmp_path / "whole"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "raw"), str(small)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(small.glob("photo_*.jpg"))[40:] and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = list(small.glob("photo_*.jpg"))
    assert 0 < len(done) < 300
    for path in done:
        with Image.open(path) as image:
            image.load()  # raises where it is cut
    _wait_for_workers(small)

    report = resize_pairs(photos, small, ResizeSettings())
    resize_pairs(photos, whole, ResizeSettings())
    assert report.n_made + report.n_kept == 300
    assert contents(small) == contents(whole)
    assert not list(small.glob(".*.part"))


def _wait_for_workers(small: Path) -> None:
    """Until the killed run's workers have ended: they have the folder in their command."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not any(os.fsencode(small) in command for command in _commands()):
            return
        time.sleep(0.1)
    pytest.fail("workers of the killed run are still there after 20 s")


def _commands() -> list[bytes]:
    """The command lines of all processes, where the machine says."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes())
    return found
