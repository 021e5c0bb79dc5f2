"""Models whose network is not a plain backbone: heads on a frozen one, and the city CLIP."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from shared.cities import cities_partition, city_table
from shared.grid import grid_partition
from shared.partitions import Partition, world_outlines
from shared.paths import data_folder
from shared.predict import Predictor
from shared.training.backbones import Normalisation
from shared.training.checkpoint import Checkpoint
from shared.training.city_clip_net import build_net, network_facts
from shared.training.features import FrozenBackbone
from shared.training.grid_net import GridHead, GridNetwork
from shared.training.model_card import origin_facts
from shared.training.text import build_text_encoder, tokenizer_files
from tests.predict.conftest import encoded, scene

BACKBONE = "mobilenet_v3_small"


def config_of(
    folder: Path, task: str, classes: Partition, network: dict[str, object]
) -> dict[str, object]:
    return {
        "task": task,
        "backbone": BACKBONE,
        "classes": classes.codes,
        "network": network,
        "preprocessing": {"width": 64, "height": 36, "fit": "crop"},
        "normalisation": vars(Normalisation((0.0,) * 3, (1.0,) * 3)),
        "lists": {},
        "seed": 0,
        **origin_facts(folder),
    }


def save_grid(views: str) -> Partition:
    """A head on a frozen backbone for the cells of Czechia."""
    torch.manual_seed(0)
    outline = world_outlines().query("code == 'CZ'").geometry.iloc[0]
    cells = grid_partition(outline, 2.0)
    folder = data_folder("3-training", "tiny") / "grid" / "best"
    frozen = FrozenBackbone.named(BACKBONE, "none", "map")
    network = GridNetwork(frozen, frozen.shape(36, 64), GridHead("75k", views))
    whole = network.whole(network.build(len(cells)))
    config = config_of(folder, "grid", cells, network.facts())
    Checkpoint(whole, config, cells).save(folder)
    return cells


def save_cities() -> Partition:
    """The network of photos and captions, for six cities of two countries."""
    cities = cities_partition(city_table(["CZ", "FR"], 6, apart_km=50.0, is_even=True))
    captions = [f"a photo of {name}" for name in cities.names]
    encoder = build_text_encoder("none", captions, 16, 0)
    torch.manual_seed(0)
    net = build_net(BACKBONE, "none", encoder.network, len(cities), 8, 0.1)
    nn.init.normal_(net.class_vectors)
    folder = data_folder("3-training", "tiny") / "city_clip" / "best"
    files = tokenizer_files(encoder.tokenizer)
    network = network_facts(encoder.facts(), 8, 0.1)
    config = {**config_of(folder, "city_clip", cities, network), "files": list(files)}
    Checkpoint(net, config, cities, files).save(folder)
    return cities


@pytest.mark.parametrize("views", ["one", "lstm"])
def test_a_head_of_the_grid_names_cells_and_their_countries(tiny_root: Path, views: str) -> None:
    cells = save_grid(views)
    predictor = Predictor.load("tiny", "grid")
    photos = [encoded(scene("CZ", seed)) for seed in range(2)]
    answer = predictor.predict([photos], pin=True)[0]
    shares = predictor.outputs(np.stack([predictor.pixels(photo) for photo in photos]))
    assert {guess.code for guess in answer.regions} <= set(cells.codes)
    # Two views of a place: the mean of the logarithms, brought to a sum of one.
    pooled = np.exp(np.log(shares).mean(axis=0))
    assert answer.regions[0].probability == pytest.approx(pooled.max() / pooled.sum(), rel=1e-5)
    # The cells of a lone outline do not say whose they are: most lie in Czechia.
    assert set(cells.countries) == {""}
    assert "CZ" in {guess.code for guess in answer.countries}
    assert sum(guess.probability for guess in answer.countries) == pytest.approx(1, abs=1e-5)
    assert answer.area is not None
    assert answer.area.kind == "grid cells"
    assert answer.area.km2 is not None
    assert answer.pin is not None


def test_the_city_clip_names_cities_and_their_countries(tiny_root: Path) -> None:
    cities = save_cities()
    predictor = Predictor.load("tiny", "city_clip")
    assert predictor.facts["task"] == "city_clip"
    photo = encoded(scene("CZ", 0))
    answer = predictor.predict(photo, top=6)[0]
    shares = predictor.outputs(predictor.pixels(photo)[None])[0]
    assert [guess.code for guess in answer.regions] == [
        cities.codes[row] for row in np.argsort(-shares, kind="stable")
    ]
    totals = {
        code: sum(s for s, c in zip(shares, cities.countries, strict=True) if c == code)
        for code in ("CZ", "FR")
    }
    for guess in answer.countries:
        assert guess.probability == pytest.approx(totals[guess.code], rel=1e-6)
    assert answer.area is not None
    assert answer.area.kind == "cities"
    assert answer.countries[0].name in answer.text()
