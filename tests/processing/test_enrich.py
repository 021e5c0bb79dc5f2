"""Enriched records: what is written, what is left out, and going on after a kill."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from shared.processing import enrich
from shared.processing.enrich import (
    LabelSettings,
    disagreements,
    enrich_records,
    uncertain_names,
    usable_ids,
)


def _write(folder: Path, records: dict[str, Any]) -> dict[str, Path]:
    """Raw records as files; text and bytes are written as they are."""
    folder.mkdir(exist_ok=True)
    for name, record in records.items():
        raw = record if isinstance(record, bytes) else json.dumps(record).encode()
        (folder / f"{name}.json").write_bytes(raw)
    return {name: folder / f"{name}.json" for name in records}


@pytest.fixture
def raw(tmp_path: Path) -> dict[str, Path]:
    return _write(
        tmp_path / "raw",
        {
            "a_1": {"coordinates": [50.08, 14.43], "heading": 90, "place": "prague"},
            "a_2": {"coordinates": [-22.56, 17.08]},
            "m_1": {"country": "Dubai", "people": 3},
            "m_2": {"country": "Réunion"},
            "m_3": {"country": "Poland", "coordinates": [50.08, 14.43]},
        },
    )


def test_a_record_keeps_what_it_has_and_gains_its_country(
    raw: dict[str, Path], tmp_path: Path
) -> None:
    enrich_records(raw, tmp_path / "out", LabelSettings(), 1)
    record = json.loads((tmp_path / "out" / "a_1.json").read_bytes())
    assert {k: record[k] for k in ("coordinates", "heading", "place")} == {
        "coordinates": [50.08, 14.43],
        "heading": 90,
        "place": "prague",
    }
    assert (record["country_code"], record["country_name"]) == ("CZ", "Czechia")
    assert record["country_from"] == "nearest place"
    assert 0 < record["country_distance_km"] < 5


def test_namibias_code_stays_text(raw: dict[str, Path], tmp_path: Path) -> None:
    outcomes = enrich_records(raw, tmp_path / "out", LabelSettings(), 1)
    assert json.loads((tmp_path / "out" / "a_2.json").read_bytes())["country_code"] == "NA"
    assert outcomes.loc["a_2", "country_code"] == "NA"


def test_a_name_alone_gives_the_country(raw: dict[str, Path], tmp_path: Path) -> None:
    enrich_records(raw, tmp_path / "out", LabelSettings(), 1)
    record = json.loads((tmp_path / "out" / "m_1.json").read_bytes())
    assert record == {
        "country": "Dubai",
        "people": 3,
        "country_code": "AE",
        "country_name": "United Arab Emirates",
        "country_from": "name",
    }


def test_territories_of_names_follow_the_parameter(raw: dict[str, Path], tmp_path: Path) -> None:
    settings = LabelSettings(territories="sovereign")
    outcomes = enrich_records(raw, tmp_path / "out", settings, 1)
    assert outcomes.loc["m_2", "country_code"] == "FR"


def test_coordinates_decide_and_the_name_is_reported(raw: dict[str, Path], tmp_path: Path) -> None:
    outcomes = enrich_records(raw, tmp_path / "out", LabelSettings(), 1)
    assert outcomes.loc["m_3", "country_code"] == "CZ"
    assert disagreements(outcomes).index.tolist() == ["m_3"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"coordinates": [50.0', "not a JSON object"),
        (b"\xff\xfe\x00", "not a JSON object"),
        (b"[1, 2]", "not a JSON object"),
        (b"", "not a JSON object"),
        (b"1" * 5000, "not a JSON object"),
        (b'{"heading": 1}', "neither coordinates nor a country"),
        (b'{"country": "  "}', "neither coordinates nor a country"),
        (b'{"country": 7}', "neither coordinates nor a country"),
        (b'{"coordinates": [120.5, 3]}', "coordinates that are no point"),
        (b'{"coordinates": [NaN, 3]}', "coordinates that are no point"),
        (b'{"coordinates": ["1", "2"]}', "coordinates that are no point"),
        (b'{"coordinates": [1, 2, 3]}', "coordinates that are no point"),
        (b'{"coordinates": [true, 2]}', "coordinates that are no point"),
        (b'{"coordinates": [0, 0.0]}', "coordinates (0, 0)"),
        (b'{"country": "Virgin Islands"}', "uncertain country name"),
        (b'{"country": "\\ud800"}', "uncertain country name"),
    ],
)
def test_broken_records_are_left_out_with_their_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    raw = _write(tmp_path / "raw", {"x_1": content, "x_2": {"country": "Peru"}})
    outcomes = enrich_records(raw, tmp_path / "out", LabelSettings(), 1)
    assert outcomes["reason"].tolist() == [reason, ""]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x_2.json"]


def test_half_a_character_is_carried_along(tmp_path: Path) -> None:
    raw = _write(tmp_path / "raw", {"x": b'{"country": "Peru", "player": "\\ud800"}'})
    enrich_records(raw, tmp_path / "out", LabelSettings(), 1)
    assert json.loads((tmp_path / "out" / "x.json").read_bytes())["player"] == "\ud800"


def test_uncertain_names_are_listed_for_a_person(tmp_path: Path) -> None:
    records = {f"x_{n}": {"country": "Virgin Islands"} for n in range(3)}
    raw = _write(tmp_path / "raw", records | {"y": {"country": "Ukrain"}, "z": {"country": "Peru"}})
    outcomes = enrich_records(raw, tmp_path / "out", LabelSettings(), 1)
    listed = uncertain_names(outcomes)
    assert listed["name"].tolist() == ["Virgin Islands", "Ukrain"]
    assert listed["pairs"].tolist() == [3, 1]
    assert listed["suggestion_1"].tolist()[1] == "Ukraine"
    assert listed["code_1"].tolist()[1] == "UA"
    assert usable_ids(outcomes, ["z", "y", "other"]) == ["z"]


def test_no_uncertain_names_are_an_empty_list(raw: dict[str, Path], tmp_path: Path) -> None:
    outcomes = enrich_records(raw, tmp_path / "out", LabelSettings(), 1)
    assert uncertain_names(outcomes).empty


def test_two_processes_write_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrich, "CHUNK_SIZE", 7)
    records: dict[str, Any] = {f"p_{n:03d}": {"coordinates": [n - 50, n]} for n in range(60)}
    raw = _write(tmp_path / "raw", records | {"q_1": b"{"})
    one = enrich_records(raw, tmp_path / "one", LabelSettings(), 1)
    two = enrich_records(raw, tmp_path / "two", LabelSettings(), 2)
    pd.testing.assert_frame_equal(one, two)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_run_goes_on_where_a_killed_one_stopped(raw: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    enrich_records(raw, out, LabelSettings(), 1)
    whole = {path.name: path.read_bytes() for path in out.iterdir()}
    times = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    (out / "a_1.json").unlink()  # not reached,
    (out / ".a_1.json.part").write_bytes(b'{"coor')  # but begun,
    (out / "a_2.json").write_bytes(b"{}")  # and one from other settings
    enrich_records(raw, out, LabelSettings(), 1)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == whole
    kept = [name for name in whole if name not in {"a_1.json", "a_2.json"}]
    assert all((out / name).stat().st_mtime_ns == times[name] for name in kept)


def test_missing_polygons_stop_before_anything_is_written(
    raw: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="country polygons"):
        enrich_records(raw, tmp_path / "out", LabelSettings(polygons="none.geojson"), 1)
    assert list((tmp_path / "out").iterdir()) == []
