"""Reading photo files: what is refused and why, and that what is read is right."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from shared.processing.decode import (
    ImageRefusedError,
    Pixels,
    Reason,
    decode,
    read_header,
    turn_upright,
)


def picture(width: int = 96, height: int = 64) -> Image.Image:
    """Smooth and coloured, no two corners alike."""
    y, x = np.mgrid[0:height, 0:width]
    red, green, blue = 255 * x / width, 255 * y / height, 255 * (1 - x / width)
    return Image.fromarray(np.stack([red, green, blue], axis=2).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def read(data: bytes) -> Pixels:
    header = read_header(data)
    return turn_upright(decode(data, header), header.orientation)


def as_bgr(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"))[..., ::-1]


def noisy_jpeg() -> bytes:
    grain = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    return encoded(Image.fromarray(cv2.blur(grain, (3, 3))), "JPEG", quality=90)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_applied_as_pillow_applies_it(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    data = encoded(picture(), kind, exif=exif.tobytes(), **options)
    expected = as_bgr(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert read(data).shape == expected.shape
    assert np.abs(read(data).astype(int) - expected).max() <= 6  # two JPEG decoders differ so much


def test_the_header_says_the_size_of_the_file() -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        header = read_header(encoded(picture(75, 41), kind))
        assert (header.format, header.width, header.height) == (kind, 75, 41)


def test_a_progressive_jpeg_is_read() -> None:
    data = encoded(picture(), "JPEG", progressive=True, quality=100)
    assert np.abs(read(data).astype(int) - as_bgr(picture())).max() <= 8


def test_bytes_after_the_end_of_a_jpeg_do_no_harm() -> None:
    data = encoded(picture(), "JPEG")
    np.testing.assert_array_equal(read(data + b"padding" * 100), read(data))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparent_parts_become_white(kind: str) -> None:
    image = Image.new("RGBA", (32, 16), (10, 20, 30, 255))
    image.paste((200, 0, 0, 0), (16, 0, 32, 16))
    pixels = read(encoded(image, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert pixels[8, 8].tolist() == [30, 20, 10]
    assert pixels[8, 24].tolist() == [255, 255, 255]


def test_half_transparent_black_becomes_the_middle_grey() -> None:
    image = Image.new("RGBA", (16, 16), (0, 0, 0, 128))
    assert read(encoded(image, "PNG"))[8, 8].tolist() == [127, 127, 127]


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1"])
def test_grey_and_palette_pngs_are_read_as_pillow_reads_them(mode: str) -> None:
    image = picture().convert("L" if mode == "LA" else mode).convert(mode)
    np.testing.assert_array_equal(read(encoded(image, "PNG")), as_bgr(image))


def test_sixteen_bits_keep_their_upper_eight() -> None:
    levels = np.array([[0, 255, 256, 32768, 65535]], np.uint16).repeat(4, axis=0)
    data = cv2.imencode(".png", levels)[1].tobytes()
    assert read(data)[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_cmyk_is_read_as_pillow_reads_it() -> None:
    data = encoded(picture().convert("CMYK"), "JPEG", quality=100)
    assert np.abs(read(data).astype(int) - as_bgr(picture())).max() <= 8


def test_a_reduced_jpeg_has_its_size_divided_and_rounded_up() -> None:
    data = encoded(picture(99, 65), "JPEG")
    header = read_header(data)
    for reduction, shape in ((1, (65, 99, 3)), (2, (33, 50, 3)), (4, (17, 25, 3)), (8, (9, 13, 3))):
        assert decode(data, header, reduction).shape == shape


def refusal(data: bytes) -> ImageRefusedError:
    with pytest.raises(ImageRefusedError) as error:
        read(data)
    return error.value


def test_every_cut_of_a_jpeg_is_refused() -> None:
    data = noisy_jpeg()
    for length in range(3, len(data) - 1, len(data) // 40):
        assert refusal(data[:length]).reason in (Reason.TRUNCATED, Reason.DAMAGED), length
    assert refusal(data[:-2]).reason == Reason.TRUNCATED


def test_a_cut_jpeg_with_an_end_mark_is_refused() -> None:
    data = noisy_jpeg()
    assert refusal(data[: len(data) // 2] + b"\xff\xd9").reason == Reason.DAMAGED


def test_a_jpeg_with_a_hole_is_refused() -> None:
    data = noisy_jpeg()
    middle = len(data) // 2
    assert refusal(data[:middle] + data[middle + 900 :]).reason == Reason.DAMAGED


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_every_cut_of_a_png_or_webp_is_refused(kind: str) -> None:
    data = encoded(picture(), kind)
    for length in range(16, len(data) - 1, max(1, len(data) // 25)):
        reason = refusal(data[:length]).reason
        assert reason in (Reason.TRUNCATED, Reason.DAMAGED, Reason.NOT_AN_IMAGE), length


def test_a_png_with_a_wrong_byte_is_refused() -> None:
    data = bytearray(encoded(picture(), "PNG"))
    data[len(data) // 2] ^= 0x40
    assert refusal(bytes(data)).reason == Reason.DAMAGED


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_refused(kind: str) -> None:
    frames = [Image.new("RGB", (32, 16), colour) for colour in ("red", "green", "blue")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert (refusal(data).reason, "3 frames" in str(refusal(data))) == (Reason.ANIMATED, True)


def test_an_empty_file_is_refused() -> None:
    assert str(refusal(b"")) == "empty file: expected an image, got 0 bytes"


@pytest.mark.parametrize("data", [b"<html>404</html>", b"{}", b"\x00" * 500, b"GIF89a" + b"\0" * 9])
def test_what_is_no_jpeg_png_or_webp_is_refused(data: bytes) -> None:
    error = refusal(data)
    assert error.reason == Reason.NOT_AN_IMAGE
    assert f"expected JPEG, PNG or WebP, got bytes that begin {data[:8]!r}" in str(error)


def test_damaged_exif_does_not_refuse_a_photo() -> None:
    data = encoded(picture(), "JPEG")
    exif = b"Exif\0\0MM\0*\xff\xff\xff\xff"
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    np.testing.assert_array_equal(read(data[:2] + segment + data[2:]), read(data))


def test_warnings_of_the_decoder_do_not_reach_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = noisy_jpeg()
    refusal(data[: len(data) // 2] + b"\xff\xd9")
    assert capfd.readouterr().err == ""
