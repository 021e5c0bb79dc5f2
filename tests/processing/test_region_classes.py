"""Which regions become classes: squares in a row, counted by hand."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from shared.partitions import Partition
from shared.processing.region_classes import region_classes
from shared.regions import regions_partition

# Squares of one degree along the equator: AA.1 to AA.4, then BB.1 and BB.2; AA.9 lies far off.
WESTS = {"AA.1": 0, "AA.2": 1, "AA.3": 2, "AA.4": 3, "BB.1": 4, "BB.2": 5, "AA.9": 100}


@pytest.fixture
def squares() -> Partition:
    table = gpd.GeoDataFrame(
        {
            "code": list(WESTS),
            "name": list(WESTS),
            "lat": 0.5,
            "lon": [west + 0.5 for west in WESTS.values()],
            "country": [code[:2] for code in WESTS],
            "inner_lat": 0.5,
            "inner_lon": [west + 0.5 for west in WESTS.values()],
        },
        geometry=[shapely.box(west, 0, west + 1, 1) for west in WESTS.values()],
        crs=4326,
    )
    return Partition("regions", table)


def _photos(**counts: int) -> list[str]:
    return [code.replace("_", ".") for code, count in counts.items() for _ in range(count)]


def test_small_regions_join_their_neighbour_inside_the_country(squares: Partition) -> None:
    found = region_classes(squares, _photos(AA_1=9, AA_2=2, AA_4=1, BB_1=8), 4, "merge")
    # AA.4 touches BB.1, but the nearest of its own country is AA.2, which is still small itself.
    assert found.partition.codes == ["AA.1", "BB.1"]
    assert found.moved == {"AA.1": "AA.1", "AA.2": "AA.1", "AA.4": "AA.1", "BB.1": "BB.1"}
    assert found.counts == {"AA.1": 9, "AA.2": 2, "AA.4": 1, "BB.1": 8}


def test_a_class_that_took_in_others_has_their_area_and_middle(squares: Partition) -> None:
    grown = region_classes(squares, _photos(AA_1=9, AA_2=1, BB_1=8), 3, "merge").partition
    np.testing.assert_allclose(grown.centres[0], (0.5, 1.0), atol=1e-4)
    assert grown.label([(0.5, 1.9)]).tolist() == ["AA.1"]
    np.testing.assert_allclose(grown.inner[0], (0.5, 1.0), atol=1e-4)
    np.testing.assert_allclose(grown.centres[1], squares.centres[4])


def test_regions_may_be_left_out_instead(squares: Partition) -> None:
    found = region_classes(squares, _photos(AA_1=9, AA_2=2, BB_1=8), 3, "leave out")
    assert found.moved == {"AA.1": "AA.1", "BB.1": "BB.1"}


def test_a_region_without_a_neighbour_in_reach_is_left_out(squares: Partition) -> None:
    photos = _photos(AA_1=9, AA_9=1, BB_2=1)
    assert region_classes(squares, photos, 2).moved == {"AA.1": "AA.1"}
    far = region_classes(squares, photos, 2, max_km=20_000).moved
    assert far == {"AA.1": "AA.1", "AA.9": "AA.1"}  # BB has no other region


def test_only_regions_of_training_photos_are_classes(squares: Partition) -> None:
    found = region_classes(squares, _photos(AA_1=1, BB_2=1))
    assert found.partition.codes == ["AA.1", "BB.2"]
    assert found.classes_of(["BB.2", "AA.2", "AA.1"]).tolist() == [1, -1, 0]


def test_the_loss_in_reach_is_counted(squares: Partition) -> None:
    found = region_classes(squares, _photos(AA_1=9, AA_2=2, BB_1=8), 3)
    assert found.reach(_photos(AA_1=4, AA_2=2, AA_3=1, BB_1=2, BB_2=1)) == {
        "photos": 10,
        "own_class": 6,
        "merged": 2,
        "no_class": 2,
        "share_named": 0.8,
        "regions": 5,
        "regions_without_class": 2,
    }
    assert np.isnan(found.reach([])["share_named"])


def test_merged_regions_of_the_gazetteer_keep_their_places() -> None:
    zurich_and_zug = [(47.37, 8.54)] * 5 + [(47.17, 8.52)]
    regions = regions_partition()
    found = region_classes(regions, regions.label(zurich_and_zug), 2)
    assert found.partition.names == ["Switzerland, Zurich (CH.026)"]
    assert set(found.partition.label([(47.37, 8.54), (47.17, 8.52)])) == {"CH.026"}


def test_settings_are_held_to_their_range(squares: Partition) -> None:
    with pytest.raises(ValueError, match="min_photos of at least 1"):
        region_classes(squares, ["AA.1"], 0)
    with pytest.raises(ValueError, match="how to be one of"):
        region_classes(squares, ["AA.1"], 1, "drop")
    with pytest.raises(ValueError, match="max_km of at least 0"):
        region_classes(squares, ["AA.1"], max_km=-1)
    with pytest.raises(ValueError, match=r"codes of 'regions' \(7\), but got \['ZZ.1'\]"):
        region_classes(squares, ["ZZ.1"])
    with pytest.raises(ValueError, match="a region with at least 5 training photos"):
        region_classes(squares, ["AA.1"], 5, "leave out")
