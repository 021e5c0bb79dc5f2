"""What a data set holds: its countries, its places and its pictures, counted. Degrees `(lat, lon)`.

Nothing here decides anything; it shows what the other steps have made, of any data set.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from shared.countries import all_codes, continent_of, name_of
from shared.data_loader import stable_order
from shared.geo import EARTH_RADIUS_KM, block_names
from shared.processing.decode import ImageRefusedError, Pixels, decode, read_header
from shared.processing.parallel import map_chunks
from shared.processing.resize import HasImage
from shared.web_map import BLUE, add_points, focus, world_map

STATISTICS = ["brightness", "contrast", "saturation", "colourfulness", "red", "green", "blue"]
MEASURE_WIDTH = 160  # pixels: colours and light need no detail
SMALLEST_DOT, LARGEST_DOT = 4.0, 22.0  # pixels


def count_countries(codes: "pd.Series[str]", lists: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """How many photos each country has in each list.

    Args:
        codes: country codes, indexed by id.
        lists: ids by the name of a list; ids without a code are passed over.

    Returns:
        A row a country, the one with most photos in the first list first (equals by code), a
        column a list.
    """
    counts = {
        name: codes[codes.index.isin(list(ids))].value_counts() for name, ids in lists.items()
    }
    table = pd.DataFrame(counts).fillna(0).astype(int).rename_axis("code").sort_index()
    return table.sort_values(next(iter(lists)), ascending=False, kind="stable")


def parts_of(ids: Sequence[str]) -> dict[str, list[str]]:
    """Ids by the part of the data that they belong to: what stands before their first `_`."""
    table = pd.Series(list(ids), dtype=object)
    grouped = table.groupby(table.str.partition("_")[0], sort=True)
    return {str(name): list(group) for name, group in grouped}


def missing_countries(codes: Sequence[str], among: Sequence[str] | None = None) -> pd.DataFrame:
    """The countries that no photo is of.

    Args:
        codes: country codes of the photos.
        among: the codes that there could be; all that the project knows where None.

    Returns:
        `code`, `name`, `continent`, by continent, then name.
    """
    there = set(codes)
    missing = [code for code in (all_codes() if among is None else among) if code not in there]
    table = pd.DataFrame(
        {
            "code": missing,
            "name": [name_of(code) for code in missing],
            "continent": [continent_of(code) for code in missing],
        },
        dtype=object,
    )
    return table.sort_values(["continent", "name"], ignore_index=True)


def density(points: ArrayLike, size_deg: float) -> pd.DataFrame:
    """How dense points lie, in blocks of latitude and longitude.

    Args:
        points: (N, 2) latitudes and longitudes, degrees.
        size_deg: side of a block, degrees.

    Returns:
        A row a block that holds points: `lat`, `lon` (its middle, degrees), `n`, `area_km2` (on
        the sphere), `per_10000_km2`; the southernmost first, then the westernmost.

    Raises:
        ValueError: when the size is not more than 0 and at most 180.
    """
    names, counts = np.unique(block_names(points, size_deg).astype(str), return_counts=True)
    numbers = [name.split("_")[1:] for name in names]
    blocks = pd.DataFrame(numbers, columns=["row", "column"], dtype=object).astype(int)
    blocks["n"] = counts
    south = blocks["row"] * size_deg - 90
    north = np.minimum(south + size_deg, 90)
    width = np.minimum(size_deg, 360 - blocks["column"] * size_deg)
    sines = np.sin(np.radians(north)) - np.sin(np.radians(south))
    area = EARTH_RADIUS_KM**2 * np.radians(width) * sines
    return pd.DataFrame(
        {
            "lat": (south + north) / 2,
            "lon": blocks["column"] * size_deg - 180 + width / 2,
            "n": blocks["n"],
            "area_km2": area,
            "per_10000_km2": blocks["n"] / area * 1e4,
        }
    )


def places_map(places: pd.DataFrame, size_deg: float, note: str) -> go.Figure:
    """An interactive map: a dot for each block of places, larger the more there are.

    Args:
        places: `lat`, `lon` (degrees), `country_code`.
        size_deg: side of a block, degrees.
        note: the foot.
    """
    blocks = density(places[["lat", "lon"]], size_deg)
    share = np.sqrt(blocks["n"] / blocks["n"].max())
    sizes = SMALLEST_DOT + (LARGEST_DOT - SMALLEST_DOT) * share
    labels = [
        f"{n:,} places about {lat:.1f}, {lon:.1f} ({dense:.2f} a 10,000 km²)"
        for lat, lon, n, _, dense in blocks.itertuples(index=False, name=None)
    ]
    figure = world_map(f"{len(places):,} places in blocks of {size_deg:g}°", note)
    points = blocks[["lat", "lon"]].to_numpy()
    add_points(figure, points, labels, "places", BLUE, sizes, opacity=0.6)
    focus(figure, points)
    return figure


def image_statistics(pairs: Sequence[HasImage], *, n_processes: int | None = None) -> pd.DataFrame:
    """Light and colour of photos, each measured at a width of 160 pixels.

    Args:
        pairs: anything with `id` and `image`.
        n_processes: how many processes; 0 or None for one a processor.

    Returns:
        A row a readable photo, sorted by `id`: `brightness` and `contrast` (mean and standard
        deviation of the grey levels, 0 to 255), `saturation` (mean, 0 to 1), `colourfulness`
        (Hasler and Süsstrunk, 2003, Measuring colourfulness in natural images, equation for M) and
        the means of `red`, `green` and `blue`.
    """
    sources = sorted((pair.id, pair.image) for pair in pairs)
    chunks = map_chunks(
        _statistics_chunk, sources, n_processes=n_processes, title="light and colour"
    )
    rows = [row for chunk in chunks for row in chunk]
    return pd.DataFrame(rows, columns=["id", *STATISTICS]).set_index("id").sort_index()


def statistics_of(image: Pixels) -> tuple[float, ...]:
    """The values of `STATISTICS` of a photo, (H, W, 3) blue, green, red bytes."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    light, spread = (float(value[0, 0]) for value in cv2.meanStdDev(grey))
    saturation = float(cv2.cvtColor(image, cv2.COLOR_BGR2HSV)[..., 1].mean()) / 255
    blue, green, red = (image[..., channel].astype(np.float64) for channel in range(3))
    first, second = red - green, (red + green) / 2 - blue
    colourfulness = np.hypot(first.std(), second.std()) + 0.3 * np.hypot(
        first.mean(), second.mean()
    )
    means = (float(channel.mean()) for channel in (red, green, blue))
    return light, spread, saturation, float(colourfulness), *means


def spread_over(values: "pd.Series[float]", n: int) -> list[str]:
    """The ids at `n` even steps from the smallest to the largest value; equals by id."""
    ordered = values.dropna().sort_index().sort_values(kind="stable")
    if not len(ordered):
        return []
    return [str(ordered.index[row]) for row in _even(len(ordered), n)]


def samples(codes: "pd.Series[str]", n: int, seed: int) -> dict[str, list[str]]:
    """Up to `n` ids of each country, drawn by the ids and the seed alone; countries by name."""
    order = sorted(set(codes), key=name_of)
    return {code: stable_order(list(codes.index[codes == code]), seed)[:n] for code in order}


def _even(total: int, n: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, total - 1, min(n, total)).round().astype(np.intp))


def _statistics_chunk(sources: Sequence[tuple[str, Path]]) -> list[tuple[Any, ...]]:
    found = []
    for id_, path in sources:
        data = path.read_bytes()
        try:
            image = decode(data, read_header(data))
        except ImageRefusedError:
            continue
        height = max(1, round(image.shape[0] * MEASURE_WIDTH / image.shape[1]))
        small = cv2.resize(image, (MEASURE_WIDTH, height), interpolation=cv2.INTER_AREA)
        found.append((id_, *statistics_of(np.asarray(small, np.uint8))))
    return found
