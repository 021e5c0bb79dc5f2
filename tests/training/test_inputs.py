from pathlib import Path

import numpy as np
import pytest
import torch

from shared.data_loader import list_path, pin_pairs, processed_store, read_record, write_json
from shared.training.batches import Batches, Split
from shared.training.images import Preprocessing
from shared.training.inputs import output_folder, read_lists
from shared.training.settings import FitSettings
from shared.training.targets import classes_of, is_real, located, points_of


def test_chosen_photos_follow_from_ids_and_seed_and_grow(tiny_root: Path) -> None:
    whole = read_lists("tiny", 0, 0)
    assert whole.train.rows is None
    assert (len(whole.train), len(whole.validation)) == (48, 16)
    some = {n: set(read_lists("tiny", n, 0).train.records.index) for n in (5, 20)}
    assert some[5] < some[20]
    assert set(read_lists("tiny", 20, 1).train.records.index) != some[20]
    chosen = read_lists("tiny", 20, 0)
    assert list(chosen.train.records.index) == sorted(some[20])
    assert len(chosen.validation) == 16  # whole in any case
    assert chosen.digests == whole.digests
    with pytest.raises(ValueError, match="train_photos from 1 to 48, or 0"):
        read_lists("tiny", 49, 0)


def test_chosen_photos_keep_their_pixels_and_targets(tiny_root: Path) -> None:
    lists = read_lists("tiny", 7, 0)
    images, _ = lists.decode(Preprocessing(64, 36), "tiny", 1)
    assert len(images) == 48
    numbers = torch.tensor([int(name.split("_")[1]) for name in lists.train.records.index])
    split = lists.train.split(images, numbers)
    (batch,) = list(Batches(split, 7, None, torch.device("cpu")))
    for pixels, number in zip(batch.images, batch.targets, strict=True):
        assert np.array_equal(pixels, images[int(number)])  # ids are numbered in their order
    halves = lists.train.only([5, 1])
    assert halves.split(images, numbers[[5, 1]]).rows.tolist() == numbers[[5, 1]].tolist()  # type: ignore[union-attr]


def test_photos_without_coordinates_are_told_from_others(tiny_root: Path) -> None:
    store = processed_store("tiny")
    path = store.records / "singleplayer_00003_0.json"
    record = {k: v for k, v in read_record(path).items() if k != "coordinates"}
    write_json(path, record)
    ids = [f"singleplayer_{n:05d}_0" for n in range(48)]
    list_path("tiny", "5-split-train").unlink()
    pin_pairs("tiny", "5-split-train", store, ids=ids, source="made", may_write=True)
    train = read_lists("tiny", 0, 0).train
    assert np.flatnonzero(~train.has_point).tolist() == [3]
    assert len(train.only(train.has_point)) == 47


def test_targets_hold_classes_points_or_both() -> None:
    points, classes = [(10.0, 179.9999999), (-90.0, -180.0)], torch.tensor([16_777_217, 3])
    both = located(points, classes)
    assert classes_of(both).tolist() == classes.tolist()  # float32 would not hold the first
    assert points_of(both).tolist() == [list(p) for p in points]
    assert points_of(located(points)).tolist() == [list(p) for p in points]
    with pytest.raises(ValueError, match="a class for each photo"):
        classes_of(located(points))
    with pytest.raises(ValueError, match="a point for each photo"):
        points_of(classes)
    with pytest.raises(ValueError, match="a class for each of 2 points"):
        located(points, torch.tensor([1]))
    with pytest.raises(ValueError, match="Are latitude and longitude swapped"):
        located([(120.0, 10.0)])


@pytest.mark.parametrize("n", [1, 7, 8])
def test_fillers_of_points_are_left_out(n: int) -> None:
    # A point at (-1, -1) is as real as any other.
    images = np.zeros((n, 4, 6, 3), np.uint8)
    split = Split(images, located(np.full((n, 2), -1.0), torch.arange(n)))
    found: list[int] = []
    for rank in range(3):
        for batch in Batches(split, 6, None, torch.device("cpu"), rank, 3):
            found += classes_of(batch.targets)[is_real(batch.targets)].tolist()
    assert sorted(found) == list(range(n))


def test_settings_are_read_from_the_parameters_by_their_names() -> None:
    parameters = {**FitSettings(lr=0.5, epochs=3).as_dict(), "other": 1}
    parameters |= {"augment_crop": False, "augment_rotation": True, "augment_colour": False}
    settings = FitSettings.of(parameters)
    assert (settings.lr, settings.epochs) == (0.5, 3)
    assert (settings.augmentation.crop, settings.augmentation.rotation) == (False, True)
    del parameters["lr"]
    with pytest.raises(ValueError, match=r"the parameters \['lr'\] in the notebook"):
        FitSettings.of(parameters)


def test_a_run_has_a_folder_of_its_own_and_stays_in_it(tiny_root: Path) -> None:
    folder = tiny_root / "3-training" / ".data" / "tiny"
    assert output_folder("tiny", "region", "") == folder / "region"
    assert output_folder("tiny", "region", "a/b") == folder / "runs" / "a" / "b"
    for run in ("../country", "/elsewhere"):
        with pytest.raises(ValueError, match="Expected run to be a name"):
            output_folder("tiny", "region", run)
