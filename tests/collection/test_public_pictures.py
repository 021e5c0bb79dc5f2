import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from shared.collection.public.pictures import PictureFault, clean
from tests.collection.public_stand_ins import gps_exif, jpeg, png, segment


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_jpeg_without_metadata_stays_as_it_is() -> None:
    assert clean(jpeg(1)) == (jpeg(1), ".jpg")


def test_a_png_without_metadata_stays_as_it_is() -> None:
    assert clean(png(1)) == (png(1), ".png")


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
def test_segments_of_cameras_are_cut_out_and_the_rest_stays() -> None:
    plain = jpeg(3)
    extra = segment(0xE1, b"Exif\0\0secret") + segment(0xED, b"Photoshop secret")
    extra += segment(0xFE, b"secret comment") + segment(0xE2, b"MPF\0secret")
    assert clean(plain[:2] + extra + plain[2:])[0] == plain
    profile = segment(0xE2, b"ICC_PROFILE\0\x01\x01" + bytes(20))
    assert clean(plain[:2] + profile + plain[2:])[0] == plain[:2] + profile + plain[2:]


def test_a_second_picture_behind_the_first_is_left_out() -> None:
    other = jpeg(5, gps_exif(46.9, 7.4))
    assert clean(jpeg(4) + other)[0] == jpeg(4)


def test_a_progressive_jpeg_keeps_all_its_scans() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", progressive=True, exif=gps_exif(1, 2))
    data, _ = clean(file.getvalue())
    assert b"Exif" not in data
    assert np.array_equal(np.asarray(opened(data)), np.asarray(opened(file.getvalue())))


def test_text_and_exif_of_a_png_are_cut_out() -> None:
    file = io.BytesIO()
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "secret")
    image = Image.new("RGB", (8, 4), (1, 2, 3))
    image.save(file, "PNG", pnginfo=info, exif=gps_exif(46.9, 7.4))
    data, suffix = clean(file.getvalue())
    assert suffix == ".png"
    assert b"secret" not in data
    assert b"eXIf" not in data
    assert opened(data).tobytes() == image.tobytes()


def test_exif_of_a_webp_is_cut_out() -> None:
    file = io.BytesIO()
    image = Image.new("RGB", (8, 4), (200, 100, 50))
    image.save(file, "WEBP", lossless=True, exif=gps_exif(46.9, 7.4), xmp=b"<secret/>")
    data, suffix = clean(file.getvalue())
    assert suffix == ".webp"
    assert b"secret" not in data
    assert not opened(data).getexif()
    assert opened(data).convert("RGB").tobytes() == image.tobytes()


def test_a_picture_on_its_side_is_turned_before_exif_goes() -> None:
    exif = gps_exif(46.9, 7.4)
    exif[0x0112] = 6  # to be turned a quarter clockwise
    left, right = (250, 0, 0), (0, 0, 250)
    image = Image.new("RGB", (64, 32), left)
    image.paste(right, (32, 0, 64, 32))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, exif=exif)
    turned = opened(clean(file.getvalue())[0])
    assert turned.size == (32, 64)
    assert not turned.getexif()
    assert turned.getpixel((16, 8)) == pytest.approx(left, abs=12)
    assert turned.getpixel((16, 56)) == pytest.approx(right, abs=12)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the picture is empty"),
        (b"<html>404</html>", "no JPEG, PNG or WebP"),
        (b"GIF89a" + bytes(20), "no JPEG, PNG or WebP"),
    ],
)
def test_what_is_no_picture_is_passed_over(data: bytes, reason: str) -> None:
    with pytest.raises(PictureFault, match=reason):
        clean(data)
