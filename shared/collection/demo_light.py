"""Light and weather over a place of the demo world, the same for all views of one visit."""

from dataclasses import dataclass

from shared.collection.demo_draws import Colour, Draws


@dataclass(frozen=True)
class Light:
    """Light and weather of a view.

    Attributes:
        weather: "clear", "fair", "overcast", "rain", "haze" or "low sun".
        sun_deg: compass bearing of the sun.
        sun_height: tangent of its height above the horizon.
        strength: of its shadows, 0 to 1.
        haze: colour of the far distance.
        haze_m: the distance at which half of a colour is haze, m.
        top, low: colours of the sky, overhead and above the horizon.
        tint: what red, green and blue are multiplied by at the end.
        cloud: how much of the sky is covered, 0 to 1.
    """

    weather: str
    sun_deg: float
    sun_height: float
    strength: float
    haze: Colour
    haze_m: float
    top: Colour
    low: Colour
    tint: tuple[float, float, float]
    cloud: float


def make_light(seed: int, name: str, lat: float, dryness: float) -> Light:
    """Light and weather: drier land has more clear sky; the sun stands towards the equator."""
    draws = Draws(seed, f"light:{name}")
    weather = draws.weighted(
        {
            "clear": 3 + 4 * dryness,
            "fair": 5,
            "overcast": 4 - 2.5 * dryness,
            "rain": 2 - 1.8 * dryness,
            "haze": 1.2,
            "low sun": 1.6,
        }
    )
    tops: dict[str, tuple[Colour, Colour, float, float, float]] = {
        # overhead, above the horizon, strength of the sun, haze (m), clouds
        "clear": ((74, 132, 206), (190, 216, 234), 1.0, 700, 0.0),
        "fair": ((92, 148, 210), (198, 218, 232), 0.85, 600, 0.6),
        "overcast": ((166, 174, 184), (212, 216, 218), 0.1, 450, 1.0),
        "rain": ((122, 132, 146), (178, 184, 190), 0.0, 240, 1.0),
        "haze": ((178, 192, 204), (220, 220, 212), 0.3, 160, 0.0),
        "low sun": ((110, 138, 188), (246, 202, 150), 0.9, 450, 0.5),
    }
    top, low, strength, haze_m, cloud = tops[weather]
    top, low = draws.near(top, 12), draws.near(low, 8)
    height = draws.between(0.45, 1.5) if weather != "low sun" else draws.between(0.1, 0.25)
    gain = 0.92 if weather == "rain" else 1.0
    warm = 0.07 if weather == "low sun" else 0.0
    return Light(
        weather=weather,
        sun_deg=(180.0 if lat >= 0 else 0.0) + 75 * draws.middling(),
        sun_height=height,
        strength=strength,
        haze=low,
        haze_m=haze_m * draws.between(0.8, 1.25),
        top=top,
        low=low,
        tint=(gain * (1 + warm), gain, gain * (1 - warm)),
        cloud=cloud * draws.between(0.6, 1.0),
    )
