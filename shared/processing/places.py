"""What place a pair shows: all views of one place have the same key, and stay together."""

import pandas as pd


def place_keys(records: pd.DataFrame) -> pd.Series:
    """The key of each record's place.

    It is the record's `place` where it names one; else its exact coordinates, so that two photos
    of one point are one place; else its own id.

    Args:
        records: records indexed by id, with any of the columns `place`, `lat`, `lon` (degrees).

    Returns:
        Keys, as text, with the index of the records.
    """
    keys = pd.Series(records.index.astype(str), index=records.index, dtype=object)
    if {"lat", "lon"} <= set(records.columns):
        located = records["lat"].notna() & records["lon"].notna()
        points = zip(records.loc[located, "lat"], records.loc[located, "lon"], strict=True)
        # repr is exact: two floats have the same only if they are the same. 0.0 joins -0.0.
        keys[located] = [f"at {float(lat) + 0.0!r} {float(lon) + 0.0!r}" for lat, lon in points]
    if "place" in records.columns:
        named = records["place"].notna() & (records["place"].astype(str) != "")
        keys[named] = records.loc[named, "place"].astype(str)
    return keys
