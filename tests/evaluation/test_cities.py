"""The cities' protocols and figures on a made table, against hand counts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from shared.evaluation.cities import (
    Protocol,
    by_country,
    city_figures,
    country_figures,
    make_protocol,
    name_scores,
    predict_cities,
    simple_guesses,
)
from shared.evaluation.cities_figures import circle_figure
from shared.evaluation.cities_report import PUBLISHED, figures_frame, published_frame, published_km
from shared.evaluation.cities_split import nearest_photo_figures
from shared.evaluation.figures import save_figure
from shared.evaluation.intervals import PlaceBootstrap
from tests.training.city_photos import write_cities

TEMPLATE = "a photo of {city} in {nation}"
BOOTSTRAP = PlaceBootstrap(0, 50)


class Words:
    """A model that puts a text where its city's number says, and photos where they are told."""

    scale = 20.0

    def __init__(self, captions: list[str]) -> None:
        self.captions = captions

    def text_embeddings(self, texts: list[str]) -> Tensor:
        return torch.eye(len(self.captions))[[self.captions.index(text) for text in texts]]


@pytest.fixture
def protocol(tmp_path: Path) -> Protocol:
    return make_protocol("top-6", ["CZ", "FR", "JP"], TEMPLATE, str(write_cities(tmp_path)))


def photos_of(names: list[str], protocol: Protocol) -> pd.DataFrame:
    """A photo in the middle of each city, a place each."""
    rows = protocol.cities.set_index("name").loc[names]
    return pd.DataFrame(
        {
            "place": [f"place_{n}" for n in range(len(names))],
            "code": rows["country"].to_numpy(),
            "lat": rows["lat"].to_numpy(),
            "lon": rows["lon"].to_numpy(),
        },
        index=[f"photo_{n}" for n in range(len(names))],
    )


def predicted(names: list[str], guesses: list[str], protocol: Protocol) -> pd.DataFrame:
    truth = protocol.truth(photos_of(names, protocol))
    order = [protocol.cities["name"].tolist().index(name) for name in guesses]
    photos = torch.eye(len(protocol.cities))[order]
    return predict_cities(Words(protocol.captions), photos, truth, protocol)  # type: ignore[arg-type]


def test_figures_are_hand_counts(protocol: Protocol) -> None:
    table = predicted(["Prague", "Prague", "Tokyo"], ["Prague", "Brno", "Osaka"], protocol)
    found = city_figures(table, protocol.partition, BOOTSTRAP)
    # Prague to Brno 184 km, Tokyo to Osaka 397 km (great circles).
    assert found["accuracy"].value == pytest.approx(1 / 3)
    assert found["mean_km"].value == pytest.approx((0 + 184 + 397) / 3, rel=0.02)
    assert found["mean_between_km"].value == pytest.approx(found["mean_km"].value)
    assert found["within_25"].value == pytest.approx(1 / 3)
    assert found["within_150"].value == pytest.approx(1 / 3)
    assert by_country(table, BOOTSTRAP)["CZ"].value == pytest.approx(184 / 2, rel=0.02)


def test_simple_guesses_are_the_floor_and_the_ceiling(protocol: Protocol) -> None:
    table = predicted(["Paris", "Lyon"], ["Paris", "Paris"], protocol)
    found = simple_guesses(table, protocol)
    assert found["a city at random"]["accuracy"] == pytest.approx(1 / 6)
    # Of six cities, one lies within 25 km of each photo: its own.
    assert found["a city at random"]["within_25"] == pytest.approx(1 / 6)
    assert found["always the true city"]["accuracy"] == 1.0
    assert found["always the true city"]["mean_km"] == pytest.approx(0, abs=1e-6)


def test_the_country_of_a_guess_is_counted_apart(protocol: Protocol) -> None:
    three = protocol.only(["CZ-prague", "CZ-brno", "FR-paris"], "three")
    table = predicted(
        ["Prague", "Prague", "Brno", "Paris"], ["Prague", "Brno", "Paris", "Paris"], three
    )
    found = country_figures(table, three)
    assert found["country"] == pytest.approx(3 / 4)  # all but Brno
    assert found["within"] == pytest.approx(2 / 3)
    assert found["within_chance"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert found["given_country"] == pytest.approx((3 / 2 + 1) / 4)


def test_views_of_a_place_on_both_sides_inflate() -> None:
    # Two views each of four places: A at 0 degrees, C at 5, B at 90, D at 96; A alone is of x.
    angles = torch.deg2rad(torch.tensor([0.0, 0, 5, 5, 90, 90, 96, 96]))
    vectors = torch.stack([angles.cos(), angles.sin()], dim=1)
    truth = pd.DataFrame({"place": list("AACCBBDD"), "code": list("xxyyyyyy")})
    found = nearest_photo_figures(vectors, truth, BOOTSTRAP)
    # Every photo has its own place's other view. Without it: A and C take each other, and are
    # wrong; B and D take each other, and are right.
    assert found["by photo"].value == 1
    assert found["by place"].value == pytest.approx(1 / 2)
    assert found["inflation"].value == pytest.approx(1 / 2)
    with pytest.raises(ValueError, match="two places or more"):
        nearest_photo_figures(vectors[:2], truth[:2], BOOTSTRAP)


def test_photos_far_off_and_of_other_countries_belong_to_no_class(protocol: Protocol) -> None:
    photos = photos_of(["Prague", "Paris"], protocol)
    photos["lat"] += np.asarray([1.0, 0.0])  # the first is 111 km north of the city
    photos["code"] = ["CZ", "AT"]
    assert protocol.truth(photos)["code"].tolist() == ["CZ-prague"]
    assert len(protocol.truth(photos, max_km=100.0)) == 0


def test_a_grid_is_told_by_the_cities_of_its_cells(tmp_path: Path) -> None:
    path = str(write_cities(tmp_path))
    grid = make_protocol("grid", ["CZ", "FR"], TEMPLATE, path, grid_deg=3.0)
    assert sorted(grid.cities["name"]) == ["Brno", "Lyon", "Paris", "Prague"]
    assert "a photo of Brno in Czechia" in grid.captions
    top = make_protocol("top-6", ["CZ", "FR", "JP"], TEMPLATE, path)
    truth = grid.truth(photos_of(["Brno", "Tokyo"], top))
    assert truth["code"].tolist() == grid.cities["code"][grid.cities["name"] == "Brno"].tolist()


def test_another_protocol_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'grid' or 'top-' with a number such as 'top-50'"):
        make_protocol("best", ["CZ"], TEMPLATE)


def test_any_list_of_names_is_scored(protocol: Protocol) -> None:
    model = Words(["here", "there"])
    photos = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = name_scores(model, photos, ["there", "here"], ["CZ", "CZ", "FR"])  # type: ignore[arg-type]
    assert list(found.loc["CZ"]) == [0.0, 1.0]
    assert list(found.loc["FR"]) == [1.0, 0.0]


def test_no_published_result_stands_beside_synthetic_photos(protocol: Protocol) -> None:
    table = predicted(["Paris"], ["Paris"], protocol)
    figures = {"top-50": city_figures(table, protocol.partition, BOOTSTRAP)}
    assert isinstance(published_frame(figures, is_synthetic=True), str)
    assert published_km(is_synthetic=True) == {}
    beside = published_frame(figures, is_synthetic=False)
    assert isinstance(beside, pd.DataFrame)
    assert beside.iloc[0].tolist() == ["27.1 %", "131", "22.2 %", "45.3 %", "62.5 %"]
    assert PUBLISHED["grid"]["mean_km"] == 292.23


def test_the_picture_draws_a_circle_of_the_mean_error(protocol: Protocol, tmp_path: Path) -> None:
    table = predicted(["Prague", "Brno", "Paris"], ["Brno", "Brno", "Lyon"], protocol)
    errors = by_country(table, BOOTSTRAP)
    figure = circle_figure(errors, table, "made", {"FR": 131.0})
    circles = [line for axes in figure.axes for line in axes.get_lines()]
    radii = [float(np.hypot(*np.asarray(line.get_xydata())[0])) for line in circles]
    assert radii == pytest.approx([errors["CZ"].value, errors["FR"].value, 131.0], rel=1e-3)
    assert save_figure(figure, tmp_path / "circle.png").stat().st_size < 100_000
    simple = {"top-6": simple_guesses(table, protocol)}
    frame = figures_frame({"top-6": city_figures(table, protocol.partition, BOOTSTRAP)}, simple)
    assert len(frame) == 3
