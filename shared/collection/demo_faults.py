"""The faults that scraping brings, planted in the demo world at small rates.

Each id has its own draw, so a fault at one id moves no other. Later steps are not told: they have
to find them.
"""

import io
from collections.abc import Mapping

from PIL import Image, ImageEnhance, ImageFilter

from shared.collection.demo_draws import Draws

JPEG_QUALITY = 86

# Share of the views that have each fault.
FAULTS: Mapping[str, float] = {
    "black frame": 0.006,  # the page had not loaded
    "blur": 0.010,  # the panorama was still coarse
    "no record": 0.004,
    "no image": 0.004,
    "broken record": 0.004,
    "truncated image": 0.005,
    "near duplicate": 0.006,  # the page still showed an earlier place
    "odd format": 0.006,  # a screenshot as PNG in another aspect
    "turned": 0.008,  # stored on its side; EXIF says how to turn it
    "position in EXIF": 0.010,  # metadata that would give the answer away
}
REPEATED_PLACES = 0.01  # share of the places that were visited before


def fault_of(seed: int, name: str, rates: Mapping[str, float]) -> str:
    """The fault of a view, or "" for most."""
    left = Draws(seed, f"fault:{name}").unit()
    for fault, rate in rates.items():
        left -= rate
        if left < 0:
            return fault
    return ""


def check_rates(rates: Mapping[str, float]) -> None:
    """Hold the rates to known faults and to shares that leave most views sound.

    Raises:
        ValueError: an unknown fault, a negative rate, or a sum above a half.
    """
    unknown = sorted(set(rates) - set(FAULTS))
    if unknown:
        msg = f"Expected faults of {list(FAULTS)}, but got {unknown}"
        raise ValueError(msg)
    if min(rates.values(), default=0.0) < 0 or sum(rates.values()) > 0.5:
        msg = f"Expected rates of at least 0 that sum to at most 0.5, but got {dict(rates)}"
        raise ValueError(msg)


def faulty_image(image: Image.Image, fault: str, draws: Draws) -> Image.Image:
    """The picture as the fault leaves it."""
    if fault == "black frame":
        level = draws.whole(9)
        return Image.new("RGB", image.size, (level, level, level))
    if fault == "blur":
        radius = image.width / 640 * draws.between(3, 9)
        return image.filter(ImageFilter.BoxBlur(radius)).filter(ImageFilter.BoxBlur(radius / 2))
    if fault == "near duplicate":
        return ImageEnhance.Brightness(image).enhance(1.0 + 0.04 * draws.unit())
    return image


def encoded(image: Image.Image, fault: str, position: tuple[float, float], draws: Draws) -> bytes:
    """The bytes of the picture's file.

    Args:
        image: the picture.
        fault: what is wrong with it, or "".
        position: latitude and longitude, degrees, for a file that gives them away.
        draws: where a truncated file ends.
    """
    file = io.BytesIO()
    if fault == "odd format":
        image.save(file, "PNG", compress_level=1)
        return file.getvalue()
    exif = Image.Exif()
    if fault == "turned":
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6  # EXIF 2.32, 4.6.4: the top row is the right side
    if fault == "position in EXIF":
        exif[0x8825] = _gps(*position)
    quality = 70 if fault == "near duplicate" else JPEG_QUALITY
    image.save(file, "JPEG", quality=quality, **({"exif": exif} if len(exif) else {}))
    data = file.getvalue()
    if fault == "truncated image":
        return data[: int(len(data) * draws.between(0.2, 0.9))]
    return data


def broken_json(text: str, draws: Draws) -> str:
    """A record that was cut while it was written."""
    return text[: int(len(text) * draws.between(0.3, 0.9))]


def _gps(lat: float, lon: float) -> dict[int, object]:
    """The tags of a position (EXIF 2.32, 4.6.6): degrees, minutes, seconds."""

    def parts(value: float) -> tuple[float, float, float]:
        seconds = round(abs(value) * 3600)
        return float(seconds // 3600), float(seconds // 60 % 60), float(seconds % 60)

    return {1: "N" if lat >= 0 else "S", 2: parts(lat), 3: "E" if lon >= 0 else "W", 4: parts(lon)}
