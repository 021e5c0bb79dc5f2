"""What a data set holds, counted."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from shared.processing.overview import (
    count_countries,
    density,
    image_statistics,
    missing_countries,
    parts_of,
    places_map,
    samples,
    spread_over,
    statistics_of,
)

CODES = pd.Series({"a_1": "FR", "a_2": "FR", "a_3": "BR", "b_1": "BR", "b_2": "NA"})


def test_countries_are_counted_in_each_list() -> None:
    table = count_countries(CODES, {"all": list(CODES.index), "some": ["b_2", "a_1", "none"]})
    assert table.index.tolist() == ["BR", "FR", "NA"]  # two, two, one
    assert table["all"].tolist() == [2, 2, 1]
    assert table["some"].tolist() == [0, 1, 1]


def test_parts_are_what_stands_before_the_first_underscore() -> None:
    assert parts_of(list(CODES.index)) == {"a": ["a_1", "a_2", "a_3"], "b": ["b_1", "b_2"]}


def test_countries_without_a_photo_are_named() -> None:
    table = missing_countries(list(CODES), ["NA", "FR", "ES", "JP", "BR"])
    assert table.to_dict("list") == {
        "code": ["JP", "ES"],
        "name": ["Japan", "Spain"],
        "continent": ["Asia", "Europe"],
    }
    assert len(missing_countries(["FR"])) == 249
    assert len(missing_countries(["FR"], ["FR"])) == 0


def test_blocks_of_ninety_degrees_are_an_eighth_of_the_earth() -> None:
    table = density([(10.0, 10.0), (80.0, 80.0), (-1.0, -1.0), (5.0, 180.0)], 90.0)
    assert table["n"].tolist() == [1, 1, 2]
    np.testing.assert_allclose(table["area_km2"], 510_065_621.7 / 8, rtol=1e-5)  # of R 6371.0088
    assert table[["lat", "lon"]].to_numpy().tolist() == [[-45, -45], [45, -135], [45, 45]]
    np.testing.assert_allclose(table["per_10000_km2"], table["n"] / 6375.82, rtol=1e-5)
    with pytest.raises(ValueError, match="more than 0"):
        density([(0.0, 0.0)], 0.0)


def test_statistics_of_plain_pictures() -> None:
    red = np.zeros((4, 8, 3), np.uint8)
    red[..., 2] = 200
    brightness, contrast, saturation, colourfulness, *means = statistics_of(red)
    assert brightness == pytest.approx(0.299 * 200, abs=0.5)  # ITU-R BT.601
    assert (contrast, saturation, means) == (0.0, 1.0, [200.0, 0.0, 0.0])
    assert colourfulness == pytest.approx(0.3 * np.hypot(200, 100))  # no spread: means alone
    halves = np.zeros((4, 8, 3), np.uint8)
    halves[:, 4:] = 100
    brightness, contrast, saturation, colourfulness, *means = statistics_of(halves)
    assert (brightness, contrast, saturation, colourfulness) == (50.0, 50.0, 0.0, 0.0)


@dataclass(frozen=True)
class File:
    id: str
    image: Path


def test_photos_are_measured_and_broken_ones_left_out(tmp_path: Path) -> None:
    files = [File(name, tmp_path / f"{name}.png") for name in ("dark", "bright", "broken")]
    for file, level in zip(files, (10, 240), strict=False):
        cv2.imwrite(str(file.image), np.full((90, 320, 3), level, np.uint8))
    files[2].image.write_bytes(b"no picture")
    table = image_statistics(files, n_processes=1)
    assert table["brightness"].to_dict() == {"bright": 240.0, "dark": 10.0}


def test_ids_are_spread_evenly_from_the_smallest_to_the_largest() -> None:
    values = pd.Series({f"p{n}": float(n) for n in range(10)} | {"none": np.nan})
    assert spread_over(values, 4) == ["p0", "p3", "p6", "p9"]
    assert spread_over(values[:2], 4) == ["p0", "p1"]
    assert spread_over(values[:0], 4) == []


def test_samples_depend_on_ids_and_seed_alone() -> None:
    codes = pd.Series({f"x_{n:03d}": "FR" if n % 3 else "BR" for n in range(60)})
    drawn = samples(codes, 4, 0)
    assert list(drawn) == ["BR", "FR"]
    assert {len(ids) for ids in drawn.values()} == {4}
    assert samples(codes[::-1], 4, 0) == drawn
    assert samples(codes, 4, 1) != drawn


def test_larger_dots_stand_for_more_places() -> None:
    places = pd.DataFrame({"lat": [1.0, 1.5, 1.6, 50.0], "lon": [1.0, 1.0, 1.9, 9.0]})
    figure = places_map(places, 2.0, "made")
    (dots,) = [trace for trace in figure.data if trace.name == "places"]
    assert list(dots.marker.size) == pytest.approx([22.0, 4 + 18 / np.sqrt(3)])
    assert "3 places" in dots.text[0]
