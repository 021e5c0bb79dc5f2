"""What the quality figures count and when they show photos."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from shared.processing.quality_figures import (
    Example,
    around,
    draw_distances,
    draw_distribution,
    photos_figure,
)


@pytest.fixture(autouse=True)
def _no_windows() -> Iterator[None]:
    backend = mpl.get_backend()
    mpl.use("agg")
    yield
    plt.close("all")
    mpl.use(backend)


def photo(folder: Path) -> Path:
    path = folder / "photo.jpg"
    cv2.imwrite(str(path), np.full((90, 160, 3), 200, np.uint8))
    return path


def test_the_values_beside_a_threshold_are_the_nearest_and_the_nearest_first() -> None:
    values = pd.Series({"a": 10.0, "b": 29.0, "c": 30.0, "d": np.nan, "e": 35.0, "f": 20.0})
    below, above = around(values, 30.0, 2)
    assert below.to_dict() == {"b": 29.0, "f": 20.0}
    assert above.to_dict() == {"c": 30.0, "e": 35.0}
    assert [list(below.index), list(above.index)] == [["b", "f"], ["c", "e"]]


def numbers(*values: float) -> "pd.Series[float]":
    return pd.Series(values, dtype=float)


def heights(axes: Axes) -> list[float]:
    return [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)]


def test_a_distribution_counts_what_is_below_the_threshold() -> None:
    _, axes = plt.subplots()
    assert draw_distribution(axes, numbers(0.0, 5.0, 29.9, 30.0, 400.0, np.nan), 30.0) == 3
    assert axes.texts[0].get_text() == "3 of 5 dropped"
    assert sum(heights(axes)) == 5


def test_a_distribution_of_nothing_is_drawn() -> None:
    _, axes = plt.subplots()
    assert draw_distribution(axes, numbers(), 30.0) == 0


def test_distances_have_a_bar_a_bit() -> None:
    _, axes = plt.subplots()
    draw_distances(axes, np.array([0, 0, 3, 9]), 8)
    assert heights(axes) == [2, 0, 0, 1, 0, 0, 0, 0, 0, 1]


def texts(figure: Figure) -> str:
    parts = [text.get_text() for axes in figure.axes for text in axes.texts]
    return " ".join([*parts, *(axes.get_title() for axes in figure.axes)])


def test_photos_that_may_not_be_shown_are_not_read(tmp_path: Path) -> None:
    rows = [("below", [Example("a", tmp_path / "absent.jpg", "12.3")])]
    figure = photos_figure(rows, "Title", may_show=False)
    assert "this data set does not say that they may be" in texts(figure)
    assert not any(axes.images for axes in figure.axes)


def test_photos_are_shown_with_their_labels(tmp_path: Path) -> None:
    rows = [
        ("below", [Example("a", photo(tmp_path), "12.3")]),
        ("above", [Example("b", photo(tmp_path), "45.6")]),
    ]
    figure = photos_figure(rows, "Title", may_show=True, n_columns=2)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(shown) == 2
    assert all(abs(int(np.asarray(image).mean()) - 200) <= 2 for image in shown)
    assert "12.3" in texts(figure)


def test_no_photo_says_so(tmp_path: Path) -> None:
    assert "no photo to show" in texts(photos_figure([("below", [])], "Title", may_show=True))


def test_an_unreadable_photo_is_grey(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"broken")
    rows = [("", [Example("a", tmp_path / "broken.jpg", "")])]
    figure = photos_figure(rows, "Title", may_show=True, n_columns=1)
    assert (np.asarray(figure.axes[0].images[0].get_array()) == 128).all()
