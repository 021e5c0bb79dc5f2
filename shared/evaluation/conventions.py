"""The conventions by which published distances and scores were computed, each under a name.

Every paper measures a little differently: how large the Earth is, whether a guess at exactly 25 km
is within 25 km, whether scores are rounded, what is done with photos without a label. Each row
below is what the code of that publication does, so that a figure can be put beside theirs; ours is
`"default"`. A sphere of 6378.137 km gives distances 0.112 % longer than one of 6371.0088 km; the
great circle is off the WGS84 geodesic by at most 0.6 %.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.geo import EARTH_RADIUS_KM, GEOSCORE_DECAY_KM

EQUATORIAL_RADIUS_KM = 6378.137  # WGS84's semi-major axis
ROUND_RADIUS_KM = 6371.0
MILE_KM = 1.609344  # the international mile
SURFACES = ("sphere", "WGS84")
MISSING_POINTS = ("refuse", "drop", "zero")
MISSING_LABELS = ("skip", "wrong", "match")
GEOCODERS = ("sphere", "plane")
COUNTRY_SOURCES = ("gazetteer", "polygon")
# GeoGuessr's own map: 0.99866017 per 1/1000 of the scale; the world's scale is 2,000 km.
GEOBENCH_DECAY_KM = -2000 / (1000 * math.log(0.99866017))  # 1491.73


@dataclass(frozen=True)
class Convention:
    """How distances, shares, scores and accuracies are computed.

    Attributes:
        source: whose it is, and what is peculiar.
        surface: `"sphere"` (haversine) or `"WGS84"` (geodesic).
        radius_km: of the sphere.
        degree_rad: a degree, in radians.
        includes_edge: whether a guess at exactly r km counts as within r (`<=` against `<`).
        decay_km: where the score has fallen to 1/e.
        rounds_score: whether the score of each photo is rounded before the mean.
        full_score_km: guesses at most this far have all 5,000 points.
        missing_points: photos without a guess: `"refuse"` (an error), `"drop"` (not counted) or
            `"zero"` (no points, within no radius; in no mean or median of distances).
        missing_labels: photos without a label, for the accuracies of areas: `"skip"` (not
            counted), `"wrong"`, or `"match"` (an empty label equals an empty guess).
        writes_nan: whether a missing part of a label is written `NaN` inside its key.
        loses_namibia: whether the country code NA is read as a missing value.
        compares_names: whether names are compared alone, without the areas they lie in.
        geocoder: how the gazetteer's nearest place is found: on the `"sphere"`, or in the
            `"plane"` of degrees, as reverse_geocoder does it.
        country_from: what tells the country of a guess: the nearest place of the `"gazetteer"`,
            or the `"polygon"` that it lies in.
        truth_is_centre: whether the truth is the centre of the true class, not the photo's place.
        unit_km: the unit that was published.
    """

    source: str
    surface: str = "sphere"
    radius_km: float = EARTH_RADIUS_KM
    degree_rad: float = math.pi / 180
    includes_edge: bool = False
    decay_km: float = GEOSCORE_DECAY_KM
    rounds_score: bool = False
    full_score_km: float = 0.0
    missing_points: str = "refuse"
    missing_labels: str = "skip"
    writes_nan: bool = False
    loses_namibia: bool = False
    compares_names: bool = False
    geocoder: str = "sphere"
    country_from: str = "gazetteer"
    truth_is_centre: bool = False
    unit_km: float = 1.0

    def __post_init__(self) -> None:
        """Check the words."""
        choices = (
            ("surface", SURFACES),
            ("missing_points", MISSING_POINTS),
            ("missing_labels", MISSING_LABELS),
            ("geocoder", GEOCODERS),
            ("country_from", COUNTRY_SOURCES),
        )
        for name, known in choices:
            if getattr(self, name) not in known:
                msg = f"Expected {name} to be one of {known}, but got {getattr(self, name)!r}"
                raise ValueError(msg)
        if not (self.radius_km > 0 and self.decay_km > 0 and self.unit_km > 0):
            msg = f"Expected a radius, a decay and a unit above 0 km, but got {self}"
            raise ValueError(msg)


CONVENTIONS: Mapping[str, Convention] = MappingProxyType(
    {
        "default": Convention("this project: mean Earth radius, `<`, unrounded"),
        "wgs84": Convention("this project, on the ellipsoid", surface="WGS84"),
        "osv5m": Convention(
            "OSV-5M, metrics/utils.py: photos without a label count as wrong (its mask never "
            "fires), cities without a sub-region never match, Namibia's code is lost",
            radius_km=ROUND_RADIUS_KM,
            missing_labels="wrong",
            writes_nan=True,
            loses_namibia=True,
            geocoder="plane",
        ),
        "osv5m-classification": Convention(
            "OSV-5M, models/classification/utils_global.py: `<=`, a degree of ten decimals",
            radius_km=ROUND_RADIUS_KM,
            degree_rad=0.01745329252,
            includes_edge=True,
        ),
        "osv5m-game": Convention(
            "OSV-5M, game/: names are compared alone, and empty equals empty",
            radius_km=ROUND_RADIUS_KM,
            missing_labels="match",
            compares_names=True,
            geocoder="plane",
        ),
        "plonk": Convention(
            "PLONK: as OSV-5M; guesses that are NaN are dropped without a word",
            radius_km=ROUND_RADIUS_KM,
            missing_points="drop",
            missing_labels="wrong",
            writes_nan=True,
            loses_namibia=True,
            geocoder="plane",
        ),
        "pigeon": Convention(
            "PIGEON, preprocessing/geo_utils.py: equatorial radius, scores rounded per photo, "
            "country by polygon",
            radius_km=EQUATORIAL_RADIUS_KM,
            rounds_score=True,
            country_from="polygon",
        ),
        "geoclip": Convention("GeoCLIP, train/eval.py", surface="WGS84", includes_edge=True),
        "g3": Convention("G3 (IndexSearch.py) and GeoRanker", surface="WGS84"),
        "geovista": Convention(
            "GeoVista: as ours; its distance is to the geocoded address of an answer in words"
        ),
        "geobench": Convention(
            "geobench on the world map: GeoGuessr's own decay, rounded, 25 m are full marks, "
            "refusals have no points",
            decay_km=GEOBENCH_DECAY_KM,
            rounds_score=True,
            full_score_km=0.025,
            missing_points="zero",
        ),
        "lost-and-found": Convention(
            "Lost & Found: mean and median of the great circle; the radius is not told, so ours"
        ),
        "geoguessrai": Convention(
            "GeoGuessrAI: miles (radius 3958.8), from the centre of the true cell",
            radius_km=3958.8 * MILE_KM,
            truth_is_centre=True,
            unit_km=MILE_KM,
        ),
    }
)


def convention_of(convention: str | Convention) -> Convention:
    """A convention, or the one of a name.

    Raises:
        ValueError: for a name that is not one of `CONVENTIONS`.
    """
    if isinstance(convention, Convention):
        return convention
    if convention not in CONVENTIONS:
        msg = f"Expected a convention of {sorted(CONVENTIONS)}, but got {convention!r}"
        raise ValueError(msg)
    return CONVENTIONS[convention]
