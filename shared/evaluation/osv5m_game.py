"""OSV-5M's game: fifty test points with the guesses of two models, and the figures they give.

`game/select.csv` of github.com/gastruc/osv5m (commit d8c090e) is not ours to pass on; who has it
can hold this project's metrics against it. Its columns: `id, true_lat, true_lon`, `pred_lat,
pred_lon` (the best model), `pred_lat_base, pred_lon_base` (the base model), in degrees, and the
labels `city, area, region, country`, with those of the nearest place of the best model's guess,
`pred_city` and so on.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from shared.evaluation.areas import LEVELS, area_hits, areas_of, labels_of
from shared.evaluation.distances import RADII_KM, distance_figures, distance_km, is_within

MODELS = {"best": "", "base": "_base"}
REQUIRED = (
    "true_lat",
    "true_lon",
    *(f"pred_{x}{s}" for s in MODELS.values() for x in ("lat", "lon")),
)


@dataclass(frozen=True)
class GameFigures:
    """The figures of one model on the game's points.

    Attributes:
        distances: `distances.distance_figures` by OSV-5M's convention.
        within: how many points lie within each of `RADII_KM`.
        hits: how many are right at each level, by the game's rule: empty equals empty.
        empty_hits: how many of these are of an empty label and an empty guess.
    """

    distances: dict[str, float]
    within: tuple[int, ...]
    hits: dict[str, int]
    empty_hits: dict[str, int]


def read_game(path: Path) -> pd.DataFrame:
    """Read the table; country code NA stays Namibia.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it has not the columns.
    """
    if not path.is_file():
        msg = f"Expected OSV-5M's game/select.csv at {path}: it is in github.com/gastruc/osv5m"
        raise FileNotFoundError(msg)
    table = pd.read_csv(path, keep_default_na=False, dtype={"id": str})
    missing = [name for name in REQUIRED if name not in table.columns]
    if missing:
        msg = f"{path}: expected columns {list(REQUIRED)}, but {missing} are missing"
        raise ValueError(msg)
    return table.astype(dict.fromkeys(REQUIRED, np.float64))


def game_figures(table: pd.DataFrame) -> dict[str, GameFigures]:
    """The figures of both models, as OSV-5M counts them, from the coordinates alone.

    Args:
        table: of `read_game`.

    Returns:
        By `"best"` and `"base"`.
    """
    truth = table[["true_lat", "true_lon"]].to_numpy(dtype=np.float64)
    columns = {level: level for level in LEVELS}
    labels = labels_of(table, columns)
    found = {}
    for model, suffix in MODELS.items():
        points = table[[f"pred_lat{suffix}", f"pred_lon{suffix}"]].to_numpy(dtype=np.float64)
        distances = distance_km(truth, points, "osv5m")
        guesses = areas_of(points, "osv5m-game")
        hits = area_hits(labels, guesses, "osv5m-game")
        empty = {level: (labels[level] == "") & (guesses[level] == "") for level in LEVELS}
        found[model] = GameFigures(
            distance_figures(distances, "osv5m"),
            tuple(int(is_within(distances, r, "osv5m").sum()) for r in RADII_KM),
            {level: int(hits[level].sum()) for level in LEVELS},
            {level: int(empty[level].sum()) for level in LEVELS},
        )
    return found
