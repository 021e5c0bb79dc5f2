"""Models that give points: mixtures with a spread, and vectors without."""

import json
from pathlib import Path

import numpy as np
import pytest

from shared.evaluation.looking import Eye, occlusion
from shared.geo import haversine_km, to_unit_vectors
from shared.predict import Predictor
from shared.predict.formats import as_csv, as_geojson, as_json
from shared.predict.map_page import answer_map, answers_map
from shared.training.heads import UnitVectorHead, VmfHead
from tests.predict.conftest import make_point_checkpoint, scene

PARIS = (48.9, 2.4)


def test_a_mixture_is_read_on_cells_with_countries_and_an_area(tiny_root: Path) -> None:
    anchors = to_unit_vectors([PARIS]).tolist()
    predictor = Predictor.load(
        make_point_checkpoint("tiny", VmfHead(anchors, [200.0] * len(anchors)))
    )
    photo = scene("FR", 1)
    found = predictor.predict(photo, level=0.8)
    answer = found[0]
    assert found.probabilities.sum(axis=1) == pytest.approx(1)
    assert answer.area is not None
    assert answer.area.kind == "cells"
    assert 0.8 <= answer.area.held < 0.81  # cells are small: little more than asked for
    assert answer.regions == ()
    assert answer.pin is None
    images = predictor.pixels(photo)[None]
    mixture = predictor.checkpoint.predict_points(images).mixture
    assert mixture is not None
    inside = predictor.predict(photo, level=0.8, pin=True)
    pin = inside[0].pin
    assert pin is not None
    best = predictor.checkpoint.predict_points(images).points[0]
    assert haversine_km((pin.lat, pin.lon), best) < 300  # a cell is 167 km wide
    answers_map(inside)
    assert json.loads(as_json(found))["answers"][0]["area"]["km2"] > 0
    assert "area_km2" in as_csv(found)
    assert json.loads(as_geojson(found))["features"]


def test_a_model_without_a_spread_says_so(tiny_root: Path) -> None:
    predictor = Predictor.load(make_point_checkpoint("tiny", UnitVectorHead()))
    found = predictor.predict([scene("FR", 1), scene("JP", 2)], views=True)
    answer = found[0]
    assert answer.area is None
    assert "gives no probabilities" in answer.text()
    assert json.loads(as_json(found))["answers"][0]["countries"][0]["probability"] is None
    assert json.loads(as_json(found))["answers"][0]["point"] is None
    assert len(answer_map(found).data) > 1  # the country is shaded
    asked = predictor.predict(scene("FR", 1), pin=True)[0].pin
    assert asked is not None
    point = predictor.checkpoint.predict_points(predictor.pixels(scene("FR", 1))[None]).points[0]
    assert (asked.lat, asked.lon) == pytest.approx(tuple(point))
    assert asked.expected_km is None


@pytest.mark.parametrize("kind", ["points", "classes"])
def test_covering_what_matters_costs_the_answer(tiny_root: Path, kind: str) -> None:
    folder = make_point_checkpoint("tiny", UnitVectorHead()) if kind == "points" else "tiny"
    predictor = Predictor.load(folder)
    eye, image = Eye.of(predictor.checkpoint), predictor.pixels(scene("FR", 1))
    scores = occlusion(eye, image)
    assert scores.shape == (36, 64)
    assert np.isfinite(scores).all()
    assert scores.max() > 0
    plain = np.full_like(image, 127)  # covering grey with its own grey changes nothing
    assert np.abs(occlusion(eye, plain)).max() < 1e-5
