import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from shared.predict.photos import is_small, model_input, name_photos
from shared.processing.decode import ImageRefusedError, Reason
from shared.processing.resize import small_jpeg
from shared.processing.scaling import ResizeSettings
from shared.training.images import Preprocessing
from tests.predict.conftest import SMALL, encoded, scene

INPUT = Preprocessing(64, 36)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def refusal(source: object, resize: ResizeSettings = SMALL) -> ImageRefusedError:
    with pytest.raises(ImageRefusedError) as caught:
        model_input(source, resize, INPUT)  # type: ignore[arg-type]
    return caught.value


def test_a_photo_of_the_pipeline_and_its_original_have_the_same_pixels(tmp_path: Path) -> None:
    original = encoded(scene("FR", 1))
    small = tmp_path / "small.jpg"
    small.write_bytes(small_jpeg(original, SMALL))
    expected = INPUT.read(small)  # what training caches
    assert np.array_equal(model_input(original, SMALL, INPUT), expected)
    assert np.array_equal(model_input(small, SMALL, INPUT), expected)


def test_only_what_1_resize_writes_counts_as_small() -> None:
    image = Image.fromarray(scene("FR", 1, 160, 90))
    assert is_small(small_jpeg(encoded(scene("FR", 1)), SMALL), SMALL)
    assert not is_small(encoded(scene("FR", 1)), SMALL)  # of another size
    assert not is_small(saved(image, "PNG"), SMALL)
    assert not is_small(saved(image, "JPEG", quality=60), SMALL)  # of another quality


def test_path_text_bytes_image_and_array_are_the_same_photo(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(scene("JP", 2), ".png"))
    expected = model_input(path, SMALL, INPUT)
    for source in (str(path), path.read_bytes(), Image.open(path), scene("JP", 2)):
        assert np.array_equal(model_input(source, SMALL, INPUT), expected)


def test_orientation_is_applied_and_the_position_is_not_looked_at() -> None:
    upright = Image.fromarray(scene("CZ", 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # EXIF 2.32: the picture is shown turned by 90 degrees clockwise
    exif.get_ifd(0x8825)[1] = "N"  # a position
    exif.get_ifd(0x8825)[2] = (48.0, 0.0, 0.0)
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    plain = model_input(saved(upright, "PNG"), SMALL, INPUT).astype(int)
    marked = model_input(saved(turned, "PNG", exif=exif), SMALL, INPUT).astype(int)
    assert np.abs(marked - plain).max() <= 3
    asleep = model_input(saved(turned, "PNG"), SMALL, INPUT).astype(int)
    assert np.abs(asleep - plain).max() > 30
    opened = Image.open(io.BytesIO(saved(turned, "PNG", exif=exif)))
    assert np.abs(model_input(opened, SMALL, INPUT).astype(int) - plain).max() <= 3


def test_grey_16_bits_transparent_and_cmyk_are_read() -> None:
    rgb = scene("FR", 4)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    expected = model_input(np.repeat(grey[..., None], 3, axis=2), SMALL, INPUT).astype(int)
    deep = grey.astype(np.uint16) << 8
    for source in (grey, saved(Image.fromarray(grey), "PNG"), deep, Image.fromarray(deep)):
        assert np.abs(model_input(source, SMALL, INPUT).astype(int) - expected).max() <= 1
    clear = np.zeros((90, 160, 4), np.uint8)  # wholly transparent is white, as on a page
    for source in (clear, Image.fromarray(clear)):
        assert model_input(source, SMALL, INPUT).min() >= 250
    white = Image.new("CMYK", (160, 90), (0, 0, 0, 0))
    assert model_input(white, SMALL, INPUT).min() >= 250
    assert model_input(saved(white, "JPEG"), SMALL, INPUT).min() >= 250


def test_what_cannot_be_used_is_refused_by_name(tmp_path: Path) -> None:
    rgb = Image.fromarray(scene("FR", 5))
    whole = saved(rgb, "JPEG")
    frames = {"save_all": True, "append_images": [rgb.rotate(180)]}
    few = ResizeSettings(160, 90, max_megapixels=0.05)
    cases: list[tuple[object, ResizeSettings, Reason]] = [
        (b"", SMALL, Reason.EMPTY),
        (whole[: len(whole) // 2], SMALL, Reason.TRUNCATED),
        (b"a text", SMALL, Reason.NOT_AN_IMAGE),
        (saved(rgb, "TIFF"), SMALL, Reason.NOT_AN_IMAGE),
        (saved(rgb, "GIF", **frames), SMALL, Reason.ANIMATED),
        (saved(rgb, "PNG", **frames), SMALL, Reason.ANIMATED),
        (saved(rgb, "WEBP", **frames), SMALL, Reason.ANIMATED),
        (Image.open(io.BytesIO(saved(rgb, "GIF", **frames))), SMALL, Reason.ANIMATED),
        (whole, few, Reason.TOO_LARGE),
        (rgb, few, Reason.TOO_LARGE),
        (np.asarray(rgb), few, Reason.TOO_LARGE),
        (rgb.resize((16, 9)), SMALL, Reason.TOO_SMALL),
        (rgb.convert("F"), SMALL, Reason.NOT_AN_IMAGE),
        (np.zeros((9, 9, 2), np.uint8), SMALL, Reason.NOT_AN_IMAGE),
        (np.zeros((90, 160, 3), np.float32), SMALL, Reason.NOT_AN_IMAGE),
        (tmp_path / "none.jpg", SMALL, Reason.ABSENT),
    ]
    assert [refusal(source, resize).reason for source, resize, _ in cases] == [c[2] for c in cases]
    assert "a TIFF, which is not read. Save it as JPEG or PNG" in refusal(saved(rgb, "TIFF")).detail


def test_a_file_of_too_many_bytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.truncate(2_000_000)  # a hole: it takes no room
    found = refusal(path, ResizeSettings(160, 90, max_megapixels=0.1))
    assert (found.reason, found.detail) == (Reason.TOO_LARGE, "a file of 2000000 bytes")


def test_a_folder_stands_for_its_photos_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("10.jpg", "9.JPG", "b/1.png", ".hidden/2.jpg", "notes.txt", "x.gif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [photo.name for photo in name_photos(tmp_path)] == [
        "9.JPG",
        "10.jpg",
        "b/1.png",
        "x.gif",
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"Expected photos .*in .*empty"):
        name_photos(tmp_path / "empty")
    with pytest.raises(TypeError, match="got int"):
        name_photos([3])  # type: ignore[list-item]
