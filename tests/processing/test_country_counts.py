"""The committed table of countries: counting, holding, reading."""

from pathlib import Path

import pandas as pd
import pytest

from shared.processing.country_counts import country_table, hold_country_table, read_country_table


@pytest.fixture
def codes() -> pd.Series:
    return pd.Series(
        ["NA", "CZ", "CZ", "US", "NA", "NA", "FR"],
        index=["s_1", "s_2", "s_3", "s_4", "m_1", "m_2", "m_3"],
        name="country_code",
    )


def test_pairs_are_counted_in_all_and_in_each_part(codes: pd.Series) -> None:
    rows = country_table(codes).itertuples(index=False, name=None)
    assert list(rows) == [
        ("all", "NA", "Namibia", 3),
        ("all", "CZ", "Czechia", 2),
        ("all", "FR", "France", 1),
        ("all", "US", "United States", 1),
        ("m", "NA", "Namibia", 2),
        ("m", "FR", "France", 1),
        ("s", "CZ", "Czechia", 2),
        ("s", "NA", "Namibia", 1),
        ("s", "US", "United States", 1),
    ]


def test_the_order_of_pairs_plays_no_part(codes: pd.Series) -> None:
    pd.testing.assert_frame_equal(country_table(codes), country_table(codes[::-1]))


def test_namibia_comes_back(codes: pd.Series, tmp_path: Path) -> None:
    path = hold_country_table(country_table(codes), tmp_path / "demo" / "countries.csv", True)
    assert read_country_table(path).to_dict() == {"NA": 3, "CZ": 2, "FR": 1, "US": 1}
    assert read_country_table(path, "m").to_dict() == {"NA": 2, "FR": 1}


def test_a_table_is_only_written_when_told(codes: pd.Series, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="may_write_lists=True"):
        hold_country_table(country_table(codes), tmp_path / "countries.csv", False)
    assert list(tmp_path.iterdir()) == []


def test_the_same_table_is_held(codes: pd.Series, tmp_path: Path) -> None:
    path = hold_country_table(country_table(codes), tmp_path / "countries.csv", True)
    before = path.read_bytes()
    hold_country_table(country_table(codes), path, False)
    assert path.read_bytes() == before


def test_another_table_is_an_error_with_its_first_rows(codes: pd.Series, tmp_path: Path) -> None:
    path = hold_country_table(country_table(codes), tmp_path / "countries.csv", True)
    before = path.read_bytes()
    fewer = country_table(codes.drop("m_3"))
    message = r"(?s)countries.csv pins.*line 4: expected 'all,FR,France,1', found 'all,US,United"
    with pytest.raises(ValueError, match=message):
        hold_country_table(fewer, path, True)
    assert path.read_bytes() == before


def test_a_missing_table_says_who_writes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="2-enrich/countries"):
        read_country_table(tmp_path / "countries.csv")


def test_an_unknown_part_names_those_that_there_are(codes: pd.Series, tmp_path: Path) -> None:
    path = hold_country_table(country_table(codes), tmp_path / "countries.csv", True)
    with pytest.raises(ValueError, match=r"\['all', 'm', 's'\].*'multiplayer'"):
        read_country_table(path, "multiplayer")
