"""Published results, each with its protocol, so that they are never taken for one.

Sources are named a row. A model of ours is put beside a row by that row's convention; that the
photos, the training data and what counts as known differ, no convention can mend, so the protocol
is printed with every row. Shares are between 0 and 1, distances km.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from shared.evaluation.distances import distance_figures, distance_km

RADII = ("within_1", "within_25", "within_200", "within_750", "within_2500")


@dataclass(frozen=True)
class Published:
    """A published result.

    Attributes:
        name: of the model.
        test: which photos: `"im2gps3k"`, `"osv5m"` and so on.
        protocol: what was asked, of what, after what training.
        convention: how distances were counted: a name of `conventions.CONVENTIONS`.
        figures: by the names of `distances.distance_figures`, and `country`, `region`, `area`,
            `city`, `top_1` and so on.
    """

    name: str
    test: str
    protocol: str
    convention: str
    figures: Mapping[str, float] = field(default_factory=dict)


def _shares(*values: float | None) -> dict[str, float]:
    """Percentages within the five radii as shares; None where not told."""
    return {n: round(v / 100, 6) for n, v in zip(RADII, values, strict=True) if v is not None}


LOST_AND_FOUND = (
    "its own GeoGuessr photos, 130 x 80, random split by photo, 70/20/10; 332,786 photos"
)
FLICKR = "3,000 Flickr photos (Im2GPS3k), trained on millions of Flickr photos (MP-16)"
STREETS = "210,122 Mapillary photos at least 1 km from training, one a sequence"
PIGEON_TEST = "5,000 held-out GeoGuessr places, four views each"
PUBLISHED: tuple[Published, ...] = (
    Published(
        "Lost & Found, country",
        "lost-and-found",
        f"{LOST_AND_FOUND}; EfficientNet-B1, augmented",
        "lost-and-found",
        {"top_1": 0.6496, "top_5": 0.8839, "balanced_accuracy": 0.3973},
    ),
    Published(
        "Lost & Found, country, mapped",
        "lost-and-found",
        "79,000 photos mapped to the multiplayer distribution, 320 x 180, not augmented",
        "lost-and-found",
        {"top_1": 0.5835, "top_3": 0.8161, "top_5": 0.8911, "balanced_accuracy": 0.5748},
    ),
    Published(
        "Lost & Found, region",
        "lost-and-found",
        LOST_AND_FOUND,
        "lost-and-found",
        {"top_1": 0.2005, "top_5": 0.4153, "balanced_accuracy": 0.0845, "median_km": 385.55},
    ),
    Published(
        "Lost & Found, coordinates",
        "lost-and-found",
        LOST_AND_FOUND,
        "lost-and-found",
        {"mean_km": 1815.74, "median_km": 706.76},
    ),
    Published(
        "PIGEON",
        "pigeon",
        PIGEON_TEST,
        "pigeon",
        {
            "country": 0.9196,
            "median_km": 44.35,
            "mean_km": 251.6,
            "geo_score": 4525,
            **_shares(5.36, 40.36, 78.28, 94.52, 98.56),
        },
    ),
    Published("GeoCLIP", "im2gps3k", FLICKR, "geoclip", _shares(14.1, 34.5, 50.7, 69.7, 83.8)),
    Published(
        "PIGEOTTO",
        "im2gps3k",
        "3,000 Flickr photos; trained on 4.5 million Flickr and landmark photos",
        "pigeon",
        _shares(11.3, 36.7, 53.8, 72.4, 85.3),
    ),
    Published(
        "G3",
        "im2gps3k",
        f"{FLICKR}; retrieval and a language model",
        "g3",
        _shares(16.7, 40.9, 55.6, 71.2, 84.7),
    ),
    Published(
        "GeoRanker",
        "im2gps3k",
        f"{FLICKR}; ranks what others retrieved",
        "g3",
        _shares(18.8, 45.1, 61.5, 76.3, 89.3),
    ),
    Published(
        "StreetCLIP",
        "im2gps3k",
        "3,000 Flickr photos; zero-shot, country and then city by captions",
        "default",
        _shares(None, 22.4, 37.4, 61.3, 80.4),
    ),
    Published(
        "OSV-5M baseline",
        "osv5m",
        STREETS,
        "osv5m",
        {
            "geo_score": 3361,
            "mean_km": 1814,
            "country": 0.68,
            "region": 0.394,
            "area": 0.103,
            "city": 0.059,
        },
    ),
    Published("PLONK", "osv5m", STREETS, "plonk", {"geo_score": 3767, "mean_km": 1069}),
    Published("HierLoc", "osv5m", STREETS, "osv5m", {"geo_score": 3963, "mean_km": 861}),
    Published("Chipoint", "osv5m", STREETS, "osv5m", {"geo_score": 4174, "mean_km": 716}),
)


def beside_published(
    table: pd.DataFrame,
    ours: str,
    rows: Sequence[Published] = PUBLISHED,
    figures: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Published results, and under each the same figures of our model by its convention.

    Args:
        table: predictions of our model whose places are known; may be empty.
        ours: what our model was asked, for its rows.
        rows: what it is put beside.
        figures: other figures of ours, such as `top_1`, the same by every convention.

    Returns:
        `model`, `test`, `protocol`, `convention` and the figures; two rows a published result.
    """
    truth = table[["true_lat", "true_lon"]].to_numpy(dtype=float)
    guesses = table[["pred_lat", "pred_lon"]].to_numpy(dtype=float)
    found = []
    for row in rows:
        kept = {"model": row.name, "test": row.test, "protocol": row.protocol}
        found.append({**kept, "convention": row.convention, **row.figures})
        mine = dict(figures or {})
        if len(table):
            distances = distance_km(truth, guesses, row.convention)
            mine |= distance_figures(distances, row.convention)
        shown = {name: mine[name] for name in row.figures if name in mine}
        line = {"model": "ours", "test": "this", "protocol": ours, "convention": row.convention}
        found.append({**line, **shown})
    return pd.DataFrame(found)
