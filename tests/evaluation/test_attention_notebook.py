"""What is lost when cues go, and the attention notebook on tiny worlds: painted, and not."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from shared.collection.demo_plan import DemoSettings, plan_views
from shared.collection.demo_world import paint_pair
from shared.data_loader import Pair, pin_pairs, processed_store, write_json
from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.known_cues import (
    SeenCues,
    covered,
    fall_figures,
    falls,
    moved_masks,
    seen_cues,
)
from shared.evaluation.looking import Eye
from shared.evaluation.looking_models import find_eyes
from shared.evaluation.looking_tables import agreement
from shared.evaluation.pointing import Measured
from shared.partitions import countries_partition
from shared.paths import ROOT_VARIABLE, data_folder
from shared.processing.resize import ResizeSettings, resize_pairs
from shared.training.backbones import UNCHANGED, Normalisation, build_backbone
from shared.training.checkpoint import Checkpoint
from shared.training.images import Preprocessing
from tests.evaluation.test_zero_shot_notebook import save_stand_in
from tests.notebook_runs import run_notebook

WORLD = DemoSettings(n_places=5, n_multiplayer=0, width=160, height=90)
SMALL = ResizeSettings(96, 54)


def red_eye() -> Eye:
    """FR speaks where the photo is red: its logit is 40 times the mean red; that of JP is 0."""
    see = nn.Conv2d(3, 1, 1, bias=False)
    tell = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        see.weight.copy_(torch.tensor([1.0, 0, 0]).reshape(1, 3, 1, 1))
        tell.weight.copy_(torch.tensor([[40.0], [0.0]]))
    network = nn.Sequential(see, nn.AdaptiveAvgPool2d(1), nn.Flatten(), tell).eval()
    return Eye(network, Preprocessing(16, 16), UNCHANGED, ("FR", "JP"))


def red_square() -> tuple[np.ndarray, np.ndarray]:
    image = np.zeros((16, 16, 3), np.uint8)
    image[2:6, 2:6, 0] = 255
    return image, image[..., 0] > 0


def test_covering_takes_the_mean_colour() -> None:
    image, mask = red_square()
    found = covered(image, mask)
    assert (found[mask] == (16, 0, 0)).all()  # 255 x 16 of 256 pixels
    assert (found[~mask] == 0).all()
    assert image.max() == 255


def test_elsewhere_is_as_large_and_does_not_overlap() -> None:
    _, mask = red_square()
    moved = moved_masks(mask)
    assert len(moved) == 3
    for other in moved:
        assert other.sum() == mask.sum()
        assert not (other & mask).any()


def test_a_cue_that_speaks_costs_more_than_as_much_elsewhere() -> None:
    image, mask = red_square()
    cues = [SeenCues({"tree": mask, "road": mask}, {"tree": np.zeros_like(image)})]
    photos = pd.DataFrame({"place": ["a"], "code": ["FR"]}, index=["1"])
    table = falls(red_eye(), image[None], cues, photos, ["road", "tree", "pole"], 0.01)
    assert list(table["cue"]) == ["road", "tree"]
    mean = 16 / 256  # of red; covered with 16 of 255 it is a sixteenth, elsewhere it grows by one
    before, after, more = (
        -np.log1p(np.exp(-40 * red)) for red in (mean, mean * 16 / 255, mean * (1 + 16 / 255))
    )
    tree = table.iloc[1]
    assert tree["covered"] == pytest.approx(before - after, abs=1e-5)
    assert tree["elsewhere"] == pytest.approx(before - more, abs=1e-5)
    assert tree["unpainted"] == pytest.approx(before - np.log(0.5), abs=1e-5)
    found = fall_figures(table, PlaceBootstrap(draws=20))
    assert found["tree"]["more"].value == pytest.approx(more - after, abs=1e-5)
    assert np.isnan(table.iloc[0]["unpainted"])
    assert found["road"].as_dict()["unpainted"]["value"] is None


def make_world(dataset: str) -> list[str]:
    """The demo's pipeline up to the test list, for a few places; the countries in it."""
    raw = data_folder("1-data-collection", dataset)
    store = processed_store(dataset)
    for folder in (raw, store.records):
        folder.mkdir(parents=True, exist_ok=True)
    pairs, codes = [], set()
    for view in plan_views(WORLD):
        files = paint_pair(view, WORLD)
        if view.fault or set(files) != {".jpg", ".json"}:
            continue
        pair = Pair(view.id, raw / f"{view.id}.jpg", raw / f"{view.id}.json")
        pair.image.write_bytes(files[".jpg"])
        record = {**json.loads(files[".json"]), "country_code": view.place.code}
        write_json(store.records / f"{view.id}.json", record)
        pairs.append(pair)
        codes.add(view.place.code)
    resize_pairs(pairs, store.images, SMALL, n_processes=1)
    lists = Path(raw).parents[2] / "data-lists" / dataset
    lists.mkdir(parents=True)
    (lists / "dataset.toml").write_text('title = "Tiny"\nsynthetic = true\n')
    ids = [pair.id for pair in pairs]
    pin_pairs(dataset, "5-split-test", store, ids=ids, source="made for a test", may_write=True)
    return sorted(codes)


def make_checkpoint(dataset: str, codes: list[str]) -> None:
    torch.manual_seed(0)
    config: dict[str, Any] = {
        "task": "country",
        "backbone": "mobilenet_v3_small",
        "classes": codes,
        "preprocessing": {"width": 64, "height": 36, "fit": "crop"},
        "normalisation": vars(Normalisation.of("half")),
        "lists": {},
        "seed": 0,
    }
    folder = data_folder("3-training", dataset) / "country" / "best"
    network = build_backbone("mobilenet_v3_small", len(codes))
    Checkpoint(network, config, countries_partition(codes)).save(folder)


def run_attention(folder: Path, **parameters: object) -> str:
    quick = {"draws": 40, "processes": 1, "n_untrained": 1, "n_shown": 2}
    return run_notebook("4-evaluation/attention", folder, **{**quick, **parameters})


@pytest.mark.slow
def test_notebook_measures_maps_on_painted_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    make_checkpoint("tiny", make_world("tiny"))
    save_stand_in(data_folder("3-training", "tiny") / "contrastive" / "best")
    painted_with = {"n_places": 5, "n_multiplayer": 0, "width": 160, "height": 90}
    text = run_attention(tmp_path, n_photos=4, painted_with=painted_with)
    assert "Tiny: synthetic, 4 photos of" in text
    assert "The cues of 4 photos were painted again" in text
    assert "country, occlusion: on a cue in" in text
    folder = tmp_path / "4-evaluation" / ".data" / "tiny" / "attention"
    names = {path.name for path in (folder / "figures").iterdir()}
    assert names == {"sheet.png", "pointing.png", "kinds.png", "falls.png"}
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert set(metrics["pointing"]) == {"country", "contrastive"}
    own = metrics["pointing"]["contrastive"]
    assert {"roll-out", "occlusion", "roll-out, untrained", "centre"} < set(own)
    for found in own.values():
        assert found["any cue"]["photos"] == 4
        assert 0 < found["any cue"]["area"]["value"] < found["any cue"]["chance"]["value"] < 1
        assert 0 <= found["any cue"]["energy"]["value"] <= 1
    rounds = pd.read_parquet(folder / "rounds.parquet")
    assert set(rounds["model"]) == {"country", "contrastive"}
    table = pd.read_parquet(folder / "falls.parquet")
    assert table.loc[table["cue"] != "road", "unpainted"].notna().all()


@pytest.mark.slow
def test_notebook_only_looks_where_cues_are_not_known(tiny_root: Path) -> None:
    text = run_attention(tiny_root, n_photos=2, models=["country", "contrastive"])
    assert "The cues of these photos are not known" in text
    assert "contrastive is left out: Expected a checkpoint in" in text
    folder = tiny_root / "4-evaluation" / ".data" / "tiny" / "attention"
    assert [path.name for path in (folder / "figures").iterdir()] == ["sheet.png"]
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert (metrics["photos"], metrics["pointing"], metrics["falls"]) == (2, {}, {})


def test_photos_painted_otherwise_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    make_world("tiny")
    path = sorted(processed_store("tiny").images.glob("*.jpg"))[0]
    pixels = {"country": Preprocessing(64, 36)}
    found = seen_cues({path.stem: path}, pixels, SMALL, WORLD, 1)["country"][path.stem]
    assert {mask.shape for mask in found.masks.values()} == {(36, 64)}
    assert set(found.without) == set(found.masks) - {"road", "land", "sky"}
    with pytest.raises(ValueError, match="give the settings of 1-data-collection/demo_world"):
        seen_cues({path.stem: path}, pixels, SMALL, replace(WORLD, seed=1), 1)


def test_without_any_model_the_notebook_that_writes_one_is_named(tiny_root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"3-training/contrastive\.ipynb writes it"):
        find_eyes("tiny", ["contrastive"], ["FR"], ["{country}"], 0)
    found = find_eyes("tiny", ["contrastive", "country"], ["FR"], ["{country}"], 0)
    assert list(found) == ["country"]
    with pytest.raises(FileNotFoundError, match="Expected a model to look into"):
        find_eyes("tiny", [], ["FR"], ["{country}"], 0)


def test_agreement_is_the_rank_correlation_over_kinds() -> None:
    def one(value: float) -> Measured:
        names = ("focus", "unpainted")
        drawn = PlaceBootstrap(draws=5).intervals(
            {"v": np.full(3, value)}, lambda s: {name: s["v"] / 3 for name in names}
        )
        return Measured(3, drawn)

    kinds = ("lines", "soil", "house", "tree")
    focus = {kind: one(value) for kind, value in zip(kinds, (1.0, 2.0, 3.0, 4.0), strict=True)}
    lost = {kind: one(value) for kind, value in zip(kinds, (1.0, 3.0, 2.0, 4.0), strict=True)}
    # Spearman's rho by hand: 1 - 6 (0 + 1 + 1 + 0) / (4 (16 - 1))
    assert agreement({"own": focus}, lost, ["own"]) == {"own": pytest.approx(0.8)}
    lost.pop("tree")
    assert agreement({"own": focus}, lost, ["own"]) == {"own": None}
