import socket
from collections.abc import Callable
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from PIL import Image

from shared.evaluation.calibration import KINDS, calibrate
from shared.evaluation.figures import (
    comparison_figure,
    confusion_figure,
    mistakes_figure,
    reliability_figure,
    save_figure,
    short_name,
)
from shared.evaluation.intervals import Interval, PlaceBootstrap
from shared.evaluation.maps import accuracy_map
from shared.evaluation.metrics import confident_mistakes, confusion, country_table

NOTE = "synthetic: 200 photos of 80 places"
BOOTSTRAP = PlaceBootstrap(0, draws=20)


def texts_of(figure: Figure) -> list[str]:
    """All text that a figure shows."""
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


@pytest.fixture
def countries(random_table: pd.DataFrame) -> pd.DataFrame:
    return country_table(random_table, BOOTSTRAP)


@pytest.fixture
def drawn(
    random_table: pd.DataFrame, countries: pd.DataFrame, tmp_path: Path
) -> dict[str, Callable[[], Figure]]:
    """How to draw each figure."""
    codes = list(countries["code"])
    rows = {name: {"top_1": Interval(0.5, 0.4, 0.6)} for name in ("model", "chance")}
    mistakes = confident_mistakes(random_table, 3)
    images = {name: tmp_path / f"{name}.png" for name in mistakes["id"]}
    for path in images.values():
        cv2.imwrite(str(path), np.full((36, 64, 3), 120, dtype=np.uint8))
    return {
        "map": lambda: accuracy_map(countries, NOTE),
        "confusion": lambda: confusion_figure(confusion(random_table, codes), codes, NOTE),
        "reliability": lambda: reliability_figure(
            [calibrate(random_table, BOOTSTRAP, kind) for kind in KINDS], NOTE
        ),
        "comparison": lambda: comparison_figure(rows, NOTE),
        "mistakes": lambda: mistakes_figure(mistakes, images, NOTE),
    }


@pytest.mark.parametrize("name", ["map", "confusion", "reliability", "comparison", "mistakes"])
def test_every_figure_says_what_it_shows_and_is_drawn_the_same_again_without_network(
    name: str,
    drawn: dict[str, Callable[[], Figure]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        msg = "a figure asked for the network"
        raise AssertionError(msg)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert NOTE in texts_of(drawn[name]())
    first, second = (save_figure(drawn[name](), tmp_path / f"{n}.png") for n in (1, 2))
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as image:
        assert image.format == "PNG"
        assert image.info.keys() <= {"dpi"}
        assert min(image.size) > 100
    assert first.stat().st_size < 100_000


def test_confusion_is_ordered_as_given_with_shares_of_rows() -> None:
    counts = np.array([[3, 1, 0], [0, 4, 0], [0, 2, 0]])
    figure = confusion_figure(counts, ["KE", "JP", "CZ"], NOTE)
    axes = figure.axes[0]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["Kenya  (4)", "Japan  (4)", "Czechia  (2)"]
    columns = [label.get_text() for label in axes.get_xticklabels()]
    assert columns == ["Kenya", "Japan", "Czechia"]
    assert np.asarray(axes.images[0].get_array()).tolist() == [
        [0.75, 0.25, 0],
        [0, 1, 0],
        [0, 1, 0],
    ]
    texts = texts_of(figure)
    assert {"75", "25", "100", "Africa", "Asia", "Europe"} <= set(texts)


def test_a_country_without_photos_has_a_column_but_no_row() -> None:
    counts = np.array([[3, 1], [0, 0]])
    axes = confusion_figure(counts, ["JP", "CZ"], NOTE).axes[0]
    assert np.asarray(axes.images[0].get_array()).tolist() == [[0.75, 0.25]]


def test_map_hatches_countries_with_few_places(countries: pd.DataFrame) -> None:
    many = countries.assign(places=50)
    hatched = {
        bool(part.get_hatch())
        for part in accuracy_map(many, NOTE).axes[0].collections
        if len(part.get_paths())
    }
    assert hatched == {False}
    one_is_few = many.assign(places=np.where(many["code"] == "FR", 3, 50))
    parts = accuracy_map(one_is_few, NOTE).axes[0].collections
    assert sum(bool(part.get_hatch()) for part in parts) == 1


def test_colourbar_of_the_map_tells_how_many_there_are(countries: pd.DataFrame) -> None:
    texts = texts_of(accuracy_map(countries, NOTE))
    assert any("n = 200 photos, 80 places, 5 countries" in text for text in texts)


def test_small_countries_are_dots_on_the_map(countries: pd.DataFrame) -> None:
    def dots(table: pd.DataFrame) -> int:
        parts = accuracy_map(table, NOTE).axes[0].collections
        return sum(len(np.asarray(p.get_offsets())) for p in parts if isinstance(p, PathCollection))

    large = countries[countries["code"].isin(["US", "FR", "JP", "KE"])].reset_index(drop=True)
    small = large.assign(code=["SG" if code == "KE" else code for code in large["code"]])
    assert dots(large) == 0
    assert dots(small) == 1


def test_long_names_are_cut() -> None:
    assert short_name("CZ") == "Czechia"
    assert short_name("BA") == "Bosnia and Herz…"
