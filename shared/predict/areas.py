"""Classes to countries and areas: whose they are, how large, and the fewest that hold most.

Degrees, `(lat, lon)`; square kilometres.
"""

from functools import cached_property

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from shared.boundaries import CRS
from shared.countries import name_of
from shared.evaluation.cells import CELLS, cell_areas_km2
from shared.evaluation.credible import class_areas, credible_classes
from shared.evaluation.readout import points_of_many
from shared.gazetteer import gazetteer, nearest_places
from shared.geo import Floats, haversine_km
from shared.partitions import Partition, world_outlines
from shared.predict.answers import Area, Guess, Pin

POLYGONS = ("Polygon", "MultiPolygon")
# What people call the classes of a partition, by its name; others are regions.
KINDS = {"countries": "countries", CELLS: CELLS, "grid": "grid cells", "cities": "cities"}


class Classes:
    """What the classes of a model are, as answers need it: countries, outlines and areas."""

    def __init__(self, partition: Partition) -> None:
        """Take the classes of a model, or `cells`."""
        self.partition = partition
        self.kind = KINDS.get(partition.name, "regions")
        self.is_finer = self.kind not in ("countries", CELLS)  # than countries, with names

    @cached_property
    def codes(self) -> list[str]:
        """The codes of the classes, in the order of the probabilities."""
        return self.partition.codes

    @cached_property
    def names(self) -> list[str]:
        """The names of the classes."""
        return self.partition.names

    @cached_property
    def countries(self) -> tuple[list[str], NDArray[np.intp]]:
        """The countries, sorted, and (K,) which of them each class lies in; -1: none is known.

        Of classes whose countries no table tells, such as a grid's of a lone outline, it is that
        of the gazetteer's place nearest to their middle.
        """
        each = self.partition.countries
        if not any(each):
            rows, _ = nearest_places(self.partition.centres)
            each = [str(code) for code in gazetteer()["cc"].iloc[rows]]
        known = sorted({code for code in each if code})
        number = {code: row for row, code in enumerate(known)}
        return known, np.asarray([number.get(code, -1) for code in each], dtype=np.intp)

    @cached_property
    def outlines(self) -> gpd.GeoSeries:
        """The polygon of each class; None where there is none, also not among coarse outlines."""
        shapes = list(self.partition.table.geometry)
        spare: dict[str, object] = {}
        if self.kind == "countries":
            world = world_outlines()
            spare = dict(zip(world["code"], world.geometry, strict=True))
        found = [
            shape if getattr(shape, "geom_type", "") in POLYGONS else spare.get(code)
            for shape, code in zip(shapes, self.codes, strict=True)
        ]
        return gpd.GeoSeries(found, crs=CRS)

    @cached_property
    def km2(self) -> Floats:
        """(K,) areas of the classes, NaN where the outline is not known."""
        if self.kind == CELLS:
            return cell_areas_km2(self.partition)
        return class_areas(self.partition)

    def best_countries(self, probabilities: Floats, top: int) -> tuple[Guess, ...]:
        """The most probable countries: the sums of their classes."""
        known, rows = self.countries
        sums = np.bincount(rows + 1, probabilities, len(known) + 1)[1:]
        order = np.argsort(-sums, kind="stable")[:top]
        return tuple(Guess(known[row], name_of(known[row]), float(sums[row])) for row in order)

    def best(self, probabilities: Floats, top: int) -> tuple[Guess, ...]:
        """The most probable classes."""
        return tuple(
            self._guess(int(row), probabilities)
            for row in np.argsort(-probabilities, kind="stable")[:top]
        )

    def _guess(self, row: int, probabilities: Floats) -> Guess:
        return Guess(self.codes[row], self.names[row], float(probabilities[row]))

    def area(self, probabilities: Floats, level: float) -> Area:
        """The fewest classes that hold a share of the probability.

        Args:
            probabilities: (K,) of the classes.
            level: the share, above 0 and at most 1.
        """
        chosen = credible_classes(probabilities[None], level)[0]
        rows = [row for row in np.argsort(-probabilities, kind="stable") if chosen[row]]
        inside = np.where(chosen, probabilities, 0.0)
        km2 = float(self.km2[rows].sum())
        known, _ = self.countries
        return Area(
            level,
            float(inside.sum()),
            self.kind,
            tuple(self._guess(int(row), probabilities) for row in rows),
            tuple(g.code for g in self.best_countries(inside, len(known)) if g.probability > 0),
            None if np.isnan(km2) else km2,
        )

    def pin(self, probabilities: Floats) -> Pin:
        """The point from which the expected distance to the true place is least."""
        centres = self.partition.centres
        point = points_of_many(probabilities[None], centres)[0]
        expected = float(haversine_km(point, centres) @ probabilities / probabilities.sum())
        how = f"least expected distance to the middles of the {self.kind}"
        return Pin(round(float(point[0]), 5), round(float(point[1]), 5), how, round(expected))
