"""Records with the code and the name of their country: from coordinates, or from a written name.

An enriched record is the raw record and

* `country_code`, `country_name`: as `shared.countries` has them,
* `country_from`: `"polygon"`, `"nearest polygon"`, `"nearest place"` (see `country_labels`), or
  `"name"`: the record had no coordinates, only a written name,
* `country_distance_km`: to the polygon or the place that decided; not for names.

Where a record has both coordinates and a name, the coordinates decide, and a name that says
something else is reported. Degrees `(lat, lon)`, kilometres.
"""

import contextlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shared.boundaries import country_polygons
from shared.countries import UnknownCountryError, code_of, name_of, resolve_territory, suggest
from shared.processing.country_counts import write_whole
from shared.processing.country_labels import NAME, CountryLabeller
from shared.processing.parallel import map_chunks

# Records in one task of a worker: about a second of reading, labelling and writing.
CHUNK_SIZE = 2000

NOT_JSON = "not a JSON object"
NOTHING_KNOWN = "neither coordinates nor a country"
BAD_COORDINATES = "coordinates that are no point"
NULL_ISLAND = "coordinates (0, 0)"
UNCERTAIN_NAME = "uncertain country name"


@dataclass(frozen=True)
class LabelSettings:
    """What decides the country of a record.

    Attributes:
        polygons: `""` for the gazetteer alone, a path, or `"natural-earth-50m"`.
        territories: `"own"`, or `"sovereign"` to count territories to their sovereigns.
        coast_km: how far outside of a polygon a point may lie and still be its, km.
    """

    polygons: str = ""
    territories: str = "own"
    coast_km: float = 25.0


class Outcome(NamedTuple):
    """What became of one record; a row of the table that `enrich_records` returns."""

    id: str
    reason: str = ""
    detail: str = ""
    lat: float = math.nan
    lon: float = math.nan
    named: str = ""
    country_code: str = ""
    country_from: str = ""
    country_distance_km: float = math.nan


def enrich_records(
    records: Mapping[str, Path],
    folder: Path,
    settings: LabelSettings,
    n_processes: int | None = None,
) -> pd.DataFrame:
    """Write enriched records, `<id>.json`, of raw ones.

    A record that cannot be used is not written; its reason is in the table. A file that is there
    already with the content that it should have is not written again, so that a run that was cut
    off goes on where it stopped.

    Args:
        records: paths of raw records by id.
        folder: where the enriched records go.
        settings: what decides the country.
        n_processes: how many processes; None for one a processor, 1 for this one alone.

    Returns:
        A row a record, indexed and sorted by id, with the columns of `Outcome`: `reason` is empty
        for the records written, `detail` says more of the others; `named` is the code of a written
        name, and `country_code` the final one; `lat, lon` degrees, NaN where there are none.

    Raises:
        FileNotFoundError: when the polygons, or a raw record, are not there.
        ValueError: for settings that are none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _labeller(settings)  # before the processes part, so that they share it and errors come first
    items = sorted((id_, str(path)) for id_, path in records.items())
    work = partial(_enrich_chunk, folder=folder, settings=settings)
    chunks = map_chunks(
        work, items, n_processes=n_processes, chunk_size=CHUNK_SIZE, title="Enriching"
    )
    rows = [outcome for chunk in chunks for outcome in chunk]
    return pd.DataFrame(rows, columns=list(Outcome._fields)).set_index("id").sort_index()


def uncertain_names(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Written names that no rule knows, for a person to judge: with what they look like.

    Args:
        outcomes: what `enrich_records` returned.

    Returns:
        A row a name, most frequent first: `name, pairs, example` (an id), `suggestion_1, code_1,
        score_1` and so on to 3.
    """
    unknown = outcomes[outcomes["reason"] == UNCERTAIN_NAME]
    rows = []
    for name, group in unknown.groupby("detail", sort=True):
        row: dict[str, Any] = {"name": name, "pairs": len(group), "example": group.index[0]}
        for rank, hit in enumerate(suggest(str(name)), start=1):
            row |= {f"suggestion_{rank}": hit.name, f"code_{rank}": hit.code}
            row[f"score_{rank}"] = round(hit.score, 1)
        rows.append(row)
    columns = ["name", "pairs", "example"]
    columns += [f"{what}_{rank}" for rank in (1, 2, 3) for what in ("suggestion", "code", "score")]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["pairs", "name"], ascending=[False, True], ignore_index=True)


def disagreements(outcomes: pd.DataFrame) -> pd.DataFrame:
    """The records whose written name says another country than their coordinates do."""
    used = outcomes[(outcomes["reason"] == "") & (outcomes["country_from"] != NAME)]
    return used[(used["named"] != "") & (used["named"] != used["country_code"])]


def usable_ids(outcomes: pd.DataFrame, images: Iterable[str]) -> list[str]:
    """The ids, sorted, that have an enriched record and are among the images' stems."""
    good = set(outcomes.index[outcomes["reason"] == ""])
    return sorted(good & set(images))


@lru_cache(maxsize=2)
def _labeller(settings: LabelSettings) -> CountryLabeller:
    # Always the territories' own polygons here: the labeller joins them at the end.
    polygons = country_polygons(settings.polygons) if settings.polygons else None
    return CountryLabeller(polygons, settings.territories, settings.coast_km)


@lru_cache(maxsize=4096)
def _named_code(name: str, territories: str) -> str | None:
    try:
        return resolve_territory(code_of(name), territories)
    except UnknownCountryError:
        return None


def _enrich_chunk(
    items: Sequence[tuple[str, str]], folder: Path, settings: LabelSettings
) -> list[Outcome]:
    """Read, label and write one chunk of records."""
    read = [_read(id_, Path(path), settings.territories) for id_, path in items]
    outcomes = [outcome for outcome, _ in read]
    located = [n for n, o in enumerate(outcomes) if not o.reason and not math.isnan(o.lat)]
    if located:
        points = np.asarray([(outcomes[n].lat, outcomes[n].lon) for n in located])
        labels = _labeller(settings).label(points)
        found = zip(located, labels.codes, labels.sources, labels.distance_km, strict=True)
        for n, code, source, distance_km in found:
            outcomes[n] = outcomes[n]._replace(
                country_code=str(code),
                country_from=str(source),
                country_distance_km=round(float(distance_km), 3),
            )
    for outcome, (_, record) in zip(outcomes, read, strict=True):
        if not outcome.reason:
            _write_record(folder / f"{outcome.id}.json", record, outcome)
    return outcomes


def _read(id_: str, path: Path, territories: str) -> tuple[Outcome, dict[str, Any]]:
    """A raw record, and what it says; named records have their country already."""
    try:
        record = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:  # bytes, syntax, numbers of 5,000 digits
        return Outcome(id_, NOT_JSON, str(error)), {}
    if not isinstance(record, dict):
        return Outcome(id_, NOT_JSON, f"a {type(record).__name__}"), {}
    name = record.get("country")
    name = name if isinstance(name, str) and name.strip() else None
    named = _named_code(name, territories) if name else None
    coordinates = record.get("coordinates")
    if coordinates is not None:
        point = _point(coordinates)
        if point is None:
            return Outcome(id_, BAD_COORDINATES, repr(coordinates)[:80]), {}
        if point == (0.0, 0.0):
            return Outcome(id_, NULL_ISLAND, "what scrapers write for no answer"), {}
        return Outcome(id_, lat=point[0], lon=point[1], named=named or ""), record
    if name is None:
        return Outcome(id_, NOTHING_KNOWN, f"keys {sorted(record)[:8]}"), {}
    if named is None:
        return Outcome(id_, UNCERTAIN_NAME, name.encode("utf-8", "replace").decode()), {}
    return Outcome(id_, named=named, country_code=named, country_from=NAME), record


def _point(coordinates: object) -> tuple[float, float] | None:
    """A latitude and a longitude, degrees, or None for anything else."""
    if not isinstance(coordinates, list) or len(coordinates) != 2:
        return None
    if not all(isinstance(c, int | float) and not isinstance(c, bool) for c in coordinates):
        return None
    lat, lon = coordinates
    return (float(lat), float(lon)) if abs(lat) <= 90 and abs(lon) <= 180 else None


def _write_record(path: Path, record: Mapping[str, Any], outcome: Outcome) -> None:
    """Write an enriched record, unless it is there already."""
    enriched = {
        **record,
        "country_code": outcome.country_code,
        "country_name": name_of(outcome.country_code),
        "country_from": outcome.country_from,
    }
    if outcome.country_from != NAME:
        enriched["country_distance_km"] = outcome.country_distance_km
    # ASCII, for a record may hold half a surrogate pair, which UTF-8 cannot write.
    text = json.dumps(enriched) + "\n"
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == text.encode():
            return
    write_whole(path, text)
