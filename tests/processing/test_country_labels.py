"""The rules that name the country of a point, each on its own."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from shared.gazetteer import gazetteer
from shared.geo import haversine_km
from shared.processing.country_labels import CountryLabeller


def _squares() -> gpd.GeoDataFrame:
    """France with Réunion drawn as a part of it, as Natural Earth does; Spain; Namibia."""
    france = shapely.union_all([shapely.box(0, 43, 7, 50), shapely.box(55.2, -21.4, 55.8, -20.9)])
    shapes = [france, shapely.box(-9, 36.2, -0.1, 43), shapely.box(12, -28, 20, -17)]
    return gpd.GeoDataFrame({"code": ["FR", "ES", "NA"]}, geometry=shapes, crs=4326)


@pytest.mark.parametrize(
    ("point", "code", "source"),
    [
        ((48.85, 2.35), "FR", "polygon"),
        ((-22.56, 17.08), "NA", "polygon"),
        ((45.0, -0.05), "FR", "nearest polygon"),  # 3.9 km west of the square of France
        ((-21.1, 55.5), "RE", "nearest place"),  # inside of France's polygon, but Réunion
        ((-21.45, 55.5), "RE", "nearest place"),  # and 5.6 km off its shore
        ((36.14, -5.35), "GI", "nearest place"),  # nearer than Spain's square, no polygon
        ((50.08, 14.43), "CZ", "nearest place"),  # far from every square
        ((0.0, -30.0), "BR", "nearest place"),  # the middle of the Atlantic
    ],
)
def test_country_of_a_point(point: tuple[float, float], code: str, source: str) -> None:
    labels = CountryLabeller(_squares()).label([point])
    assert (labels.codes[0], labels.sources[0]) == (code, source)


def test_distance_is_of_what_decided() -> None:
    labels = CountryLabeller(_squares()).label([(48.85, 2.35), (45.0, -0.05), (-21.1, 55.5)])
    # 0.05 degrees of longitude at 45 N; a place 2.2 km from the next lies at most 1.1 km off.
    np.testing.assert_allclose(labels.distance_km[:2], [0, 3.931], atol=0.2)
    reunion = gazetteer().query("cc == 'RE'")[["lat", "lon"]].to_numpy()
    assert labels.distance_km[2] == pytest.approx(haversine_km(reunion, (-21.1, 55.5)).min())


def test_off_the_coast_ends_where_the_parameter_says() -> None:
    point = [(45.0, -0.05)]
    assert CountryLabeller(_squares(), coast_km=3).label(point).sources[0] == "nearest place"
    assert CountryLabeller(_squares(), coast_km=5).label(point).sources[0] == "nearest polygon"


def test_territories_count_to_their_sovereign_when_asked() -> None:
    labels = CountryLabeller(_squares(), "sovereign").label([(-21.1, 55.5), (36.14, -5.35)])
    assert labels.codes.tolist() == ["FR", "GB"]


def test_without_polygons_the_gazetteer_names_every_point() -> None:
    points = [(50.08, 14.43), (42.66, 21.16), (-22.56, 17.08), (18.4, -66.06), (-16.8, -179.99)]
    labels = CountryLabeller().label(points)
    assert labels.codes.tolist() == ["CZ", "XK", "NA", "PR", "FJ"]
    assert set(labels.sources) == {"nearest place"}


def test_many_points_are_labelled_as_one_by_one() -> None:
    random = np.random.default_rng(0)
    points = np.stack([random.uniform(-60, 60, 300), random.uniform(-30, 60, 300)], axis=1)
    labeller = CountryLabeller(_squares())
    together = labeller.label(points)
    alone = [labeller.label([point]) for point in points]
    assert together.codes.tolist() == [one.codes[0] for one in alone]
    assert together.sources.tolist() == [one.sources[0] for one in alone]


def test_polygons_agree_with_a_plain_loop_over_contains() -> None:
    squares = _squares()
    random = np.random.default_rng(1)
    points = np.stack([random.uniform(36, 50, 500), random.uniform(-10, 8, 500)], axis=1)
    labels = CountryLabeller(squares).label(points)
    for (lat, lon), code, source in zip(points, labels.codes, labels.sources, strict=True):
        inside = squares.loc[squares.contains(shapely.Point(lon, lat)), "code"].tolist()
        assert (inside == [code]) if source == "polygon" else (inside == [])


def test_a_point_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="row 0"):
        CountryLabeller().label([(120.0, 0.0)])


def test_a_negative_coast_is_refused() -> None:
    with pytest.raises(ValueError, match="coast_km"):
        CountryLabeller(coast_km=-1)
