import io
import json

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from shared.collection.demo_draws import Draws
from shared.collection.demo_faults import broken_json, encoded, fault_of, faulty_image

POSITION = (-33.8688, 151.2093)


@pytest.fixture
def picture() -> Image.Image:
    """Red above, blue below, with noise."""
    noise = np.random.default_rng(0).integers(0, 40, (90, 160, 3), dtype=np.uint8)
    noise[:45, :, 0] += 200
    noise[45:, :, 2] += 200
    return Image.fromarray(noise)


def saved(picture: Image.Image, fault: str) -> bytes:
    return encoded(picture, fault, POSITION, Draws(0, "spoil"))


def test_a_black_frame_shows_nothing(picture: Image.Image) -> None:
    black = np.asarray(faulty_image(picture, "black frame", Draws(0, "spoil")))
    assert black.shape == (90, 160, 3)
    assert black.max() < 10
    assert black.std() == 0


def test_a_blurred_picture_has_lost_its_edges(picture: Image.Image) -> None:
    blurred = faulty_image(picture, "blur", Draws(0, "spoil"))
    before, after = (np.diff(np.asarray(p, float), axis=1).std() for p in (picture, blurred))
    assert after < before / 3


def test_a_near_duplicate_is_other_bytes_and_nearly_the_same_picture(picture: Image.Image) -> None:
    changed = faulty_image(picture, "near duplicate", Draws(0, "spoil"))
    data = saved(changed, "near duplicate")
    assert data != saved(picture, "")
    with Image.open(io.BytesIO(data)) as reread:
        apart = np.abs(np.asarray(reread, float) - np.asarray(picture, float))
    assert apart.mean() < 12


def test_a_truncated_file_has_lost_its_end(picture: Image.Image) -> None:
    whole, cut = saved(picture, ""), saved(picture, "truncated image")
    assert whole.startswith(cut)
    assert 0.15 < len(cut) / len(whole) < 0.95
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    with Image.open(io.BytesIO(whole)) as image:
        image.load()
    with (
        pytest.raises(OSError, match=r"truncated|unrecognized"),
        Image.open(io.BytesIO(cut)) as image,
    ):
        image.load()


def test_a_turned_photo_is_upright_once_its_exif_is_obeyed(picture: Image.Image) -> None:
    with Image.open(io.BytesIO(saved(picture, "turned"))) as image:
        assert image.size == (90, 160)
        assert image.getexif()[274] == 6
        upright = np.asarray(ImageOps.exif_transpose(image), float)
    assert upright.shape == (90, 160, 3)
    assert upright[:40, :, 0].mean() > upright[:40, :, 2].mean() + 100
    assert upright[50:, :, 2].mean() > upright[50:, :, 0].mean() + 100


def test_a_position_in_exif_is_the_true_one(picture: Image.Image) -> None:
    with Image.open(io.BytesIO(saved(picture, "position in EXIF"))) as image:
        gps = image.getexif().get_ifd(0x8825)
    degrees = [float(d) + float(m) / 60 + float(s) / 3600 for d, m, s in (gps[2], gps[4])]
    assert (gps[1], gps[3]) == ("S", "E")
    assert degrees == pytest.approx([33.8688, 151.2093], abs=0.0003)


def test_sound_photos_have_no_metadata_and_odd_ones_are_png(picture: Image.Image) -> None:
    with Image.open(io.BytesIO(saved(picture, ""))) as image:
        assert (image.format, len(image.getexif())) == ("JPEG", 0)
    with Image.open(io.BytesIO(saved(picture, "odd format"))) as image:
        assert image.format == "PNG"


def test_a_broken_record_is_no_json() -> None:
    text = json.dumps({"coordinates": [1.5, 2.5], "place": "x"})
    for n in range(20):
        with pytest.raises(json.JSONDecodeError):
            json.loads(broken_json(text, Draws(n, "spoil")))


def test_a_fault_moves_with_its_id_alone() -> None:
    rates = {"blur": 0.3, "turned": 0.3}
    faults = {name: fault_of(0, name, rates) for name in ("a", "b", "c", "d", "e", "f", "g", "h")}
    assert set(faults.values()) == {"", "blur", "turned"}
    assert fault_of(0, "d", rates) == faults["d"]
    assert fault_of(0, "d", {}) == ""
