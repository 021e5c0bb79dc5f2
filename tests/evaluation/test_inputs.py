from pathlib import Path

import pytest

from shared.data_loader import load_pairs, processed_store, write_json
from shared.evaluation.inputs import find_checkpoint, model_facts, truth_of
from shared.training.checkpoint import read_config


def test_an_empty_checkpoint_is_the_data_sets_own_best(tiny_root: Path) -> None:
    found = find_checkpoint("tiny")
    assert found.folder == tiny_root / "3-training" / ".data" / "tiny" / "country" / "best"
    assert found.dataset == "tiny"


def test_a_checkpoint_is_found_by_data_set_and_by_folder(tiny_root: Path) -> None:
    own = find_checkpoint("tiny").folder
    assert find_checkpoint("other", "tiny").folder == own
    relative = "3-training/.data/tiny/country/best"
    for path in (str(own), relative):
        found = find_checkpoint("other", path)
        assert found.folder == own
        assert found.dataset == ""


def test_a_missing_checkpoint_names_the_notebook_that_writes_it(tiny_root: Path) -> None:
    message = r"3-training/country\.ipynb writes it: run it with dataset='other'"
    for dataset, checkpoint in (("other", ""), ("tiny", "other")):
        with pytest.raises(FileNotFoundError, match=message):
            find_checkpoint(dataset, checkpoint)
    with pytest.raises(FileNotFoundError, match=r"checkpoint='nowhere' to be empty, the name of"):
        find_checkpoint("tiny", "nowhere")


def test_digest_of_a_checkpoint_is_that_of_its_weights(tiny_root: Path) -> None:
    found = find_checkpoint("tiny")
    before = found.digest
    write_json(found.folder / "config.json", {"format": 1})
    assert found.digest == before
    (found.folder / "model.safetensors").write_bytes(b"other")
    # printf other | sha256sum
    assert found.digest == "d9298a10d1b0735837dc4bd85dac641b"


def test_facts_of_the_model_hold_no_time_and_no_place(tiny_root: Path) -> None:
    found = find_checkpoint("tiny")
    facts = model_facts("tiny", found, read_config(found.folder))
    assert facts["dataset"] == {"name": "tiny", "title": "Tiny", "is_synthetic": True}
    assert facts["model"]["classes"] == ["CZ", "FR", "JP"]
    assert str(tiny_root) not in str(facts)


def test_truth_of_photos_comes_from_their_records(tiny_root: Path) -> None:
    found = truth_of(load_pairs("tiny", "5-split-test", processed_store("tiny")))
    assert len(found) == 18
    assert found["place"].nunique() == 9
    first = found.loc["singleplayer_00012_0"]
    assert first.to_dict() == {
        "place": "singleplayer_00012",
        "code": "CZ",
        "lat": 50.1,
        "lon": 14.4,
    }


def test_a_record_without_a_country_names_the_notebook_that_adds_it(tiny_root: Path) -> None:
    pairs = load_pairs("tiny", "5-split-test", processed_store("tiny"))
    write_json(pairs[0].record, {"place": "x"})
    with pytest.raises(ValueError, match=r"1 of 18 .*2-enrich/countries\.ipynb"):
        truth_of(pairs)
    for pair in pairs:
        write_json(pair.record, {"place": pair.id})
    with pytest.raises(ValueError, match="18 of 18"):
        truth_of(pairs)


def test_photos_without_coordinates_have_none(tiny_root: Path) -> None:
    pairs = load_pairs("tiny", "5-split-test", processed_store("tiny"))
    for pair in pairs:
        write_json(pair.record, {"country_code": "NA"})
    found = truth_of(pairs)
    assert set(found["code"]) == {"NA"}
    assert found[["lat", "lon"]].isna().all(axis=None)
    assert list(found["place"]) == [pair.id for pair in pairs]
