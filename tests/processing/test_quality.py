"""Measurements against plain formulas, and the reasons for dropping photos against hand counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from shared.processing import quality as quality_module
from shared.processing.quality import (
    BLURRED,
    FLAT,
    MEASURED,
    NEAR_DUPLICATE,
    SAME_PHOTO,
    SAME_PLACE,
    UNREADABLE,
    Measure,
    Thresholds,
    count_reasons,
    judge,
    measure_image,
    measure_pairs,
    write_quality,
)

SIZE = Measure(320, 180)
Photos = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Photo:
    id: str
    image: Path


def textured(seed: int, shape: tuple[int, int] = (180, 320)) -> np.ndarray:
    """A made photo with large shapes and grain."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (7, 11, 3), dtype=np.uint8)
    smooth = np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_LINEAR), float)
    return np.clip(smooth + rng.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8)


def write(folder: Path, photos: Photos, quality: int = 95) -> list[Photo]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in photos.items():
        cv2.imwrite(str(folder / f"{name}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return [Photo(name, folder / f"{name}.jpg") for name in photos]


def laplacian_variance(grey: np.ndarray) -> float:
    """By the definition, in float64; at the border the image is mirrored."""
    padded = np.pad(grey.astype(float), 1, mode="reflect")
    sides = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    return float(np.var(sides - 4 * padded[1:-1, 1:-1]))


@pytest.mark.parametrize("seed", range(3))
def test_measurements_are_those_of_plain_formulas(seed: int) -> None:
    image = textured(seed)
    variance, laplacian, _ = measure_image(image, SIZE)
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    assert variance == pytest.approx(image.reshape(-1, 3).astype(float).var(axis=0).max())
    assert laplacian == pytest.approx(laplacian_variance(grey))


def test_the_most_varied_channel_counts() -> None:
    image = np.full((180, 320, 3), 100, np.uint8)
    image[:, :160, 2] = 0  # half of the red is 0, half 100: variance 50 squared
    assert measure_image(image, SIZE)[0] == pytest.approx(2500)


def test_a_flat_frame_measures_zero() -> None:
    assert measure_image(np.full((180, 320, 3), 77, np.uint8), SIZE)[:2] == (0, 0)


@pytest.mark.parametrize("shape", [(180, 320), (240, 240)])  # 57,600 pixels both
def test_a_photo_of_twice_the_size_measures_the_same(shape: tuple[int, int]) -> None:
    small = textured(1, shape)
    large = small.repeat(2, axis=0).repeat(2, axis=1)
    assert measure_image(large, SIZE)[:2] == pytest.approx(measure_image(small, SIZE)[:2])


def test_blur_is_told_from_sharpness_at_the_stated_size() -> None:
    sharp = textured(2)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 3), np.uint8)
    threshold = Thresholds().min_laplacian
    assert measure_image(blurred, SIZE)[1] < threshold < measure_image(sharp, SIZE)[1]


def test_a_measuring_size_too_small_is_an_error() -> None:
    with pytest.raises(ValueError, match="at 9 x 9 pixels at least, got 320 x 8"):
        Measure(320, 8)


def test_measuring_goes_on_and_sees_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = write(tmp_path / "raw", {name: textured(n) for n, name in enumerate("abcd")})
    photos[3].image.write_bytes(photos[3].image.read_bytes()[:-100])
    first = measure_pairs(photos, tmp_path, SIZE, n_processes=1)
    assert first.index.tolist() == list("abcd")
    assert [bool(error) for error in first["error"]] == [False, False, False, True]
    assert "no end mark" in str(first.loc["d", "error"])

    measured: list[str] = []
    original = quality_module._measure_file

    def note(source: Path, measure: Measure) -> list[object]:
        measured.append(source.stem)
        return original(source, measure)

    monkeypatch.setattr(quality_module, "_measure_file", note)
    again = measure_pairs(photos, tmp_path, SIZE, n_processes=1)
    assert measured == []
    pd.testing.assert_frame_equal(again, first)

    write(tmp_path / "raw", {"b": textured(9)})
    third = measure_pairs(photos, tmp_path, SIZE, n_processes=1)
    assert measured == ["b"]
    changed = third["variance"] != first["variance"]
    assert changed.tolist() == [False, True, False, True]  # NaN differs from NaN
    measured.clear()
    measure_pairs(photos, tmp_path, Measure(160, 90), n_processes=1)
    assert measured == list("abcd")


def test_one_process_and_two_measure_the_same(tmp_path: Path) -> None:
    photos = write(tmp_path / "raw", {f"p{n}": textured(n) for n in range(9)})
    one = measure_pairs(photos, tmp_path / "one", SIZE, n_processes=1)
    two = measure_pairs(photos[::-1], tmp_path / "two", SIZE, n_processes=2)
    pd.testing.assert_frame_equal(one, two)


def measured_table(rows: Mapping[str, Mapping[str, object]]) -> pd.DataFrame:
    """Measurements of good photos that differ, but for what is given."""
    rng = np.random.default_rng(0)
    table = []
    for n, row in enumerate(rows.values()):
        good = [320, 180, 1000.0, 100.0, rng.bytes(16).hex(), f"digest {n}", ""]
        table.append(dict(zip(MEASURED, good, strict=True)) | dict(row))
    return pd.DataFrame(table, index=pd.Index(list(rows), name="id", dtype=object))


def records_table(places: Mapping[str, tuple[object, ...]]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(dict(places), orient="index", columns=["lat", "lon", "heading"])
    return table.rename_axis("id").astype(float)


NOWHERE = pd.DataFrame(index=pd.Index([], name="id", dtype=object))


def reasons(judged: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(reason) for name, reason in judged["reason"].items()}


def test_each_photo_has_the_first_reason_that_holds() -> None:
    measured = measured_table(
        {
            "a": {},
            "b": {"error": "truncated", "variance": np.nan, "laplacian": np.nan, "dhash": ""},
            "c": {"variance": 299.9, "laplacian": 1.0},
            "d": {"variance": 300.0, "laplacian": 29.9},
            "e": {"variance": 300.0, "laplacian": 30.0},
            "f": {"digest": "digest 0"},
        }
    )
    judged = judge(measured, NOWHERE, Thresholds())
    assert reasons(judged) == {
        "a": "",
        "b": UNREADABLE,
        "c": FLAT,
        "d": BLURRED,
        "e": "",
        "f": SAME_PHOTO,
    }
    assert judged.loc["f", "kept_instead"] == "a"
    assert count_reasons(judged) == {
        "kept": 2,
        UNREADABLE: 1,
        FLAT: 1,
        BLURRED: 1,
        SAME_PHOTO: 1,
        SAME_PLACE: 0,
        NEAR_DUPLICATE: 0,
    }


def test_views_of_a_place_are_kept_and_repeated_ones_are_not() -> None:
    nan = np.nan
    places: dict[str, tuple[object, ...]] = {
        "a": (50.0, 14.0, 0.0),
        "b": (50.0, 14.0, 90.0),  # another view
        "c": (50.0, 14.0, 0.0),  # repeats a
        "d": (50.0, 14.0, nan),  # no heading: another than a and b
        "e": (50.0, 14.0, nan),  # repeats d
        "f": (50.0, 14.1, 0.0),  # another place
        "g": (nan, nan, nan),  # no coordinates: no place
        "h": (nan, nan, nan),
        "i": (nan, nan, 0.0),
    }
    measured = measured_table({name: {} for name in places})
    judged = judge(measured, records_table(places), Thresholds())
    dropped = {name: reason for name, reason in reasons(judged).items() if reason}
    assert dropped == {"c": SAME_PLACE, "e": SAME_PLACE}
    assert judged.loc[["c", "e"], "kept_instead"].tolist() == ["a", "d"]


def test_records_without_headings_repeat_by_coordinates_alone() -> None:
    places = records_table({"a": (1.0, 2.0, 0), "b": (1.0, 2.0, 0), "c": (1.0, 3.0, 0)})
    judged = judge(
        measured_table({name: {} for name in "abc"}), places[["lat", "lon"]], Thresholds()
    )
    assert reasons(judged) == {"a": "", "b": SAME_PLACE, "c": ""}


def test_a_dropped_photo_does_not_stand_for_its_place() -> None:
    places = records_table({name: (1.0, 2.0, np.nan) for name in "abc"})
    judged = judge(measured_table({"a": {"variance": 0.0}, "b": {}, "c": {}}), places, Thresholds())
    assert reasons(judged) == {"a": FLAT, "b": "", "c": SAME_PLACE}
    assert judged.loc["c", "kept_instead"] == "b"


def test_near_duplicates_are_dropped_up_to_the_distance_and_no_further() -> None:
    hashes = {"a": 0, "b": 0b11111111, "c": 0b111111111 << 60, "d": 1 << 127}  # 0, 8, 9, 1 bits
    measured = measured_table({name: {"dhash": f"{h:032x}"} for name, h in hashes.items()})
    judged = judge(measured, NOWHERE, Thresholds(max_distance=8))
    assert reasons(judged) == {"a": "", "b": NEAR_DUPLICATE, "c": "", "d": NEAR_DUPLICATE}
    assert judged.loc["b", "kept_instead"] == "a"
    off = judge(measured, NOWHERE, Thresholds(max_distance=-1))
    assert set(reasons(off).values()) == {""}


def test_what_stands_for_a_near_duplicate_is_itself_kept() -> None:
    hashes = {"a": 0, "b": 0b111, "c": 0b111, "d": 0b111 << 90, "e": 1 << 80, "f": 1 << 80}
    hashes |= {"g": (1 << 64) - 1, "h": (1 << 64) - 1}
    measured = measured_table({name: {"dhash": f"{h:032x}"} for name, h in hashes.items()})
    judged = judge(measured, NOWHERE, Thresholds(max_distance=3))
    instead = judged["kept_instead"].to_dict()
    assert instead == dict.fromkeys("bcdef", "a") | {"a": "", "g": "", "h": "g"}
    assert set(judged.loc[list("bcdefh"), "reason"]) == {NEAR_DUPLICATE}


def test_the_order_of_the_rows_changes_nothing() -> None:
    rows = {f"p{n:02d}": {"digest": f"{n % 7}", "variance": 200.0 + 60 * n} for n in range(20)}
    measured = measured_table(rows)
    expected = judge(measured, NOWHERE, Thresholds())
    assert 0 < (expected["reason"] == SAME_PHOTO).sum() < 20
    shuffled = measured.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(judge(shuffled, NOWHERE, Thresholds()), expected)


def test_copies_in_files_are_found_and_saved_again_ones_too(tmp_path: Path) -> None:
    a, b = textured(1), textured(2)
    photos = write(tmp_path / "raw", {"a": a, "b": b, "copy": a})
    photos += write(tmp_path / "raw", {"saved_again": b}, quality=50)
    judged = judge(measure_pairs(photos, tmp_path, SIZE, n_processes=1), NOWHERE, Thresholds())
    assert reasons(judged) == {"a": "", "b": "", "copy": SAME_PHOTO, "saved_again": NEAR_DUPLICATE}
    assert judged.loc["saved_again", "kept_instead"] == "b"


def test_the_table_is_written_sorted_and_the_same_every_time(tmp_path: Path) -> None:
    judged = judge(measured_table({name: {} for name in "cab"}), NOWHERE, Thresholds())
    path = write_quality(judged, tmp_path / "quality.parquet")
    assert pd.read_parquet(path)["id"].tolist() == ["a", "b", "c"]
    first = path.read_bytes()
    assert write_quality(judged[::-1], path).read_bytes() == first
