"""What surrounds a place of the demo world: synthetic values, by a stated rule.

Degrees `(lat, lon)`. Warmth and dryness are the record's; hills and town, from 0 to 1 too, are
those that the place was painted with, and are drawn again from the world's seed. With them:

* temperature, degrees C: -2 + 30 warmth; its range over the year: 2 + 24 (1 - warmth);
* precipitation, mm a day: 0.2 + 7.8 (1 - dryness)^2; its range over the year: that by warmth;
* elevation, m: 10 + 2500 hills^2; people per km2: 10^(0.3 + 3.7 town);
* climate: Koeppen's rule on these.

So each follows from what can be seen in the picture: trees, grass, hills and houses.
"""

import pandas as pd

from shared.collection.demo_countries import COUNTRIES
from shared.collection.demo_place import make_place
from shared.gazetteer import nearest_place_codes
from shared.processing.surroundings_climate import koeppen

SOURCE = "the demo's record, by a rule"
ROUNDED = 0.001  # records have three digits
PAINTED = "what the demo's place was painted with, by a rule"


def demo_surroundings(records: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The synthetic facts of the demo's places.

    Args:
        records: the demo's, by id: `lat, lon, place, month, warmth, dryness`; those without
            coordinates, or of another world, stay empty.
        seed: the seed that the world was painted with.

    Returns:
        A row a record: `climate`, `elevation_m`, `population_per_km2`, `temperature_c`,
        `temperature_range_c`, `precipitation_mm_day`, `precipitation_range_mm_day`; NaN and ""
        where they are not known.
    """
    warmth, dryness = records["warmth"].astype(float), records["dryness"].astype(float)
    rain = 0.2 + 7.8 * (1 - dryness) ** 2
    painted = _painted(records, seed)
    facts = pd.DataFrame(
        {
            "elevation_m": 10 + 2500 * painted["hills"] ** 2,
            "population_per_km2": 10 ** (0.3 + 3.7 * painted["town"]),
            "temperature_c": -2 + 30 * warmth,
            "temperature_range_c": 2 + 24 * (1 - warmth),
            "precipitation_mm_day": rain,
            "precipitation_range_mm_day": rain * warmth,
        },
        index=records.index,
    )
    year = facts[list(facts)[2:]]
    facts.insert(0, "climate", koeppen(*(year[column] for column in year)))
    return facts


def _painted(records: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Hills and town of each record's place; NaN where the seed makes another place."""
    located = records.dropna(subset=["lat", "lon", "warmth"])
    # A place that was visited again has the world of the one that was visited first.
    first = located.groupby(["lat", "lon"])["place"].transform("min")
    places = located.assign(place=first).drop_duplicates("place").set_index("place")
    codes, _ = nearest_place_codes(places[["lat", "lon"]].to_numpy(dtype=float))
    made: dict[str, tuple[float, float]] = {}
    columns = [places[column] for column in ("lat", "lon", "month", "warmth")]
    for name, code, lat, lon, month, warmth in zip(places.index, codes, *columns, strict=True):
        if code in COUNTRIES:
            world = make_place(seed, str(name), str(code), float(lat), float(lon))
            if world.month == month and abs(world.climate.warmth - warmth) < ROUNDED:
                made[str(name)] = (world.climate.hills, world.town)
    table = pd.DataFrame.from_dict(made, orient="index", columns=["hills", "town"], dtype=float)
    return table.reindex(first).set_axis(located.index).reindex(records.index)
