"""Any checkpoint on any photos: what it can know, and how it does. Degrees, kilometres."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from shared.countries import all_codes, name_of
from shared.data_loader import (
    dataset_settings,
    list_digest,
    load_pairs,
    processed_store,
    stable_order,
)
from shared.evaluation.approaches import countries_of, points_of
from shared.evaluation.areas import LEVELS, area_hits, areas_of
from shared.evaluation.conventions import CONVENTIONS
from shared.evaluation.distance_intervals import distance_intervals
from shared.evaluation.distances import all_conventions, table_distances
from shared.evaluation.inputs import named_countries, truth_of
from shared.evaluation.intervals import Floats, Interval, PlaceBootstrap
from shared.evaluation.layouts import layout_of, read_foreign, unknown_to
from shared.evaluation.metrics import evaluate
from shared.evaluation.models import Predicted
from shared.evaluation.place_summary import area_intervals, class_centres
from shared.evaluation.published import PUBLISHED, beside_published
from shared.evaluation.slices import LargePlaces, slice_labels, slice_table
from shared.partitions import Partition
from shared.paths import root
from shared.training.images import HasImage

Figures = Callable[[pd.DataFrame], dict[str, Interval]]

ALL, KNOWN = "all photos", "of countries it knows"


@dataclass(frozen=True)
class BenchmarkPhotos:
    """The photos that are asked about.

    Attributes:
        photos: with `id` and `image`.
        truth: indexed by id: `place`, `code` ("" unknown), `lat`, `lon`.
        labels: the table's own `country`, `region`, `area`, `city`; None without.
        title: what they are.
        name: for file names.
        layout: of the source; `"list"` for a data list of the project.
        digest: tells these photos from others, for the cache.
        notes: what was found on reading.
    """

    photos: Sequence[Any]
    truth: pd.DataFrame
    labels: pd.DataFrame | None
    title: str
    name: str
    layout: str
    digest: str
    notes: list[str]


def photos_of(
    dataset: str,
    test_list: str,
    source: str = "",
    layout: str = "",
    images: str = "",
    polygons: str = "",
    max_photos: int = 0,
    seed: int = 0,
) -> BenchmarkPhotos:
    """The photos of a data list, of a foreign table, or of a folder.

    Args:
        dataset: a folder of data-lists/.
        test_list: its list, where there is no source.
        source: a table or a folder, absolute or below the project's root; "" for the data list.
        layout: one of `layouts.LAYOUTS`, or "".
        images: where a table's photos lie; "" beside it.
        polygons: names the countries of points; "" for the gazetteer.
        max_photos: at most so many, by ids and seed; 0 for all.
        seed: which of them.
    """
    if not source:
        pairs = load_pairs(dataset, test_list, processed_store(dataset))
        truth, labels, notes = truth_of(pairs), None, []
        photos: Sequence[HasImage] = pairs
        name, kind = test_list, "list"
        title, digest = dataset_settings(dataset).title, list_digest(dataset, test_list)
    else:
        path = root() / source
        named = named_countries(polygons)
        foreign = read_foreign(path, root() / images if images else None, layout, named)
        photos, truth, labels = foreign.photos, foreign.truth, foreign.labels
        notes, kind = foreign.notes, layout or layout_of(path)
        name = title = path.stem
        listed = "\n".join(f"{p.id} {p.image.stat().st_size}" for p in foreign.photos)
        digest = hashlib.sha256(listed.encode()).hexdigest()[:32]
    ids = [str(i) for i in truth.index]
    if max_photos and len(ids) > max_photos:
        chosen = set(stable_order(ids, seed)[:max_photos])
        rows = [row for row, i in enumerate(ids) if i in chosen]
        photos, truth = [photos[row] for row in rows], truth.iloc[rows]
        labels = None if labels is None else labels.iloc[rows]
        notes = [*notes, f"{max_photos:,} of {len(ids):,} photos, chosen by ids and seed {seed}."]
        digest = f"{digest}-{max_photos}-{seed}"
    return BenchmarkPhotos(photos, truth, labels, title, name, kind, digest, notes)


@dataclass(frozen=True)
class Reach:
    """What a model can know of photos.

    Attributes:
        unknown: countries that it cannot name: `code`, `name`, `photos`.
        photos: how many photos have a known country.
        lost: how many of these it cannot name.
    """

    unknown: pd.DataFrame
    photos: int
    lost: int

    @property
    def sentence(self) -> str:
        """How many photos are of countries that it cannot name."""
        if not self.photos:
            return "Of no photo the country is known."
        share = 100 * self.lost / self.photos
        return (
            f"{self.lost:,} of {self.photos:,} photos ({share:.1f} %) are of "
            f"{len(self.unknown)} countries that the model cannot name."
        )


def reach(predicted: Predicted) -> Reach:
    """Which countries of the photos a model cannot know; a model of points can name all."""
    partition, table = predicted.model.partition, predicted.table
    codes = [str(code) for code in table["true_country"]]
    known = set(all_codes()) if partition is None else {c for c in partition.countries if c}
    counts = unknown_to(codes, known)
    rows = [(code, _name(code), count) for code, count in counts.items()]
    unknown = pd.DataFrame(rows, columns=["code", "name", "photos"])
    return Reach(unknown, sum(code != "" for code in codes), sum(counts.values()))


def _name(code: str) -> str:
    return name_of(code) if code in all_codes() else code


@dataclass(frozen=True)
class BenchmarkResult:
    """The figures of a model on photos.

    Attributes:
        figures: by row: read as countries and as points, of all photos and of those of countries
            that the model knows.
        points: the photos with known places, read as points.
        distances: km of `points`.
        areas: in the right country, region, area and city, by the gazetteer; with the table's own
            labels where it has some.
        slices: of `slices.slice_table`.
        conventions: the same guesses by each convention.
    """

    figures: dict[str, dict[str, Interval]]
    points: pd.DataFrame
    distances: Floats
    areas: dict[str, float]
    slices: pd.DataFrame
    conventions: pd.DataFrame

    def beside(self, is_synthetic: bool, ours: str) -> pd.DataFrame:
        """Published results with this model below each; nothing for synthetic photos."""
        if is_synthetic:
            return pd.DataFrame(columns=["model", "test", "protocol", "convention"])
        found = next((f for n, f in self.figures.items() if "countries" in n and ALL in n), {})
        others = {name: float(interval.value) for name, interval in found.items()}
        return beside_published(self.points, ours, PUBLISHED, {**others, **self.areas})

    def headline(self) -> dict[str, str]:
        """The figures that the runner prints at its end."""
        found = {}
        for name, figures in self.figures.items():
            if "top_1" in figures:
                found[f"top-1, {name}"] = figures["top_1"].percent()
            if "median_km" in figures:
                found[f"median, {name}"] = f"{figures['median_km'].value:,.0f} km"
        return found


def measure(
    predicted: Predicted,
    within: Reach,
    labels: pd.DataFrame | None,
    bootstrap: PlaceBootstrap,
    readout: str,
    convention: str,
    large: LargePlaces,
    urban_km: float,
    countries: Partition | None = None,
) -> BenchmarkResult:
    """All figures of a model on photos.

    Args:
        predicted: its predictions.
        within: what it can know.
        labels: the photos' own labels, by id; None without.
        bootstrap: how intervals are made.
        readout: how classes are read as points.
        convention: how distances are counted.
        large: places that make their surroundings urban.
        urban_km: how near to one is urban.
        countries: polygons that tell the country of a point; None: the gazetteer does.
    """
    figures: dict[str, dict[str, Interval]] = {}
    unknown = set(within.unknown["code"])
    table = predicted.table
    with_country = table["true_country"] != ""
    if with_country.any():
        named = countries_of(predicted, countries)[with_country.to_numpy()].reset_index(drop=True)
        figures |= _rows("read as countries", named, unknown, lambda t: evaluate(t, bootstrap))
    points = points_of(predicted, readout)
    empty = pd.DataFrame()
    if len(points) == 0:
        return BenchmarkResult(figures, points, points["true_lat"].to_numpy(), {}, empty, empty)
    figures |= _rows(
        "read as points", points, unknown, lambda t: distance_intervals(t, bootstrap, convention)
    )
    true, guess = (points[[f"{s}_lat", f"{s}_lon"]].to_numpy(float) for s in ("true", "pred"))
    return BenchmarkResult(
        figures,
        points,
        table_distances(points, convention),
        _areas(points, labels, bootstrap, convention),
        slice_table(points, slice_labels(points, large, urban_km), bootstrap),
        all_conventions(true, guess, CONVENTIONS, class_centres(points, predicted.model.partition)),
    )


def _rows(
    name: str, table: pd.DataFrame, unknown: set[str], figures: Figures
) -> dict[str, dict[str, Interval]]:
    found = {f"{name}, {ALL}": figures(table)}
    known = table[~table["true_country"].isin(unknown)].reset_index(drop=True)
    if 0 < len(known) < len(table):
        found[f"{name}, {KNOWN}"] = figures(known)
    return found


def _areas(
    points: pd.DataFrame, labels: pd.DataFrame | None, bootstrap: PlaceBootstrap, convention: str
) -> dict[str, float]:
    if labels is None or (labels == "").all(axis=None):
        return {
            name: float(found.value) for name, found in area_intervals(points, bootstrap).items()
        }
    guesses = areas_of(points[["pred_lat", "pred_lon"]].to_numpy(float), convention)
    own = labels.reindex(points["id"]).fillna("").reset_index(drop=True)
    hits = area_hits(own, guesses, convention)
    return {level: float(pd.Series(hits[level]).mean()) for level in LEVELS}
