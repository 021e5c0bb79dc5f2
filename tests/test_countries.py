"""Country names and codes: expected values are ISO 3166 and what people know."""

import json
import os
import pickle
from pathlib import Path

import pycountry
import pytest

from shared import countries
from shared.countries import UnknownCountryError, code_of


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("UK", "GB"),
        ("Czechia", "CZ"),
        ("Czech Republic", "CZ"),
        ("Dubai", "AE"),
        ("Réunion", "RE"),
        ("Reunion", "RE"),
        ("Isle of Man", "IM"),
        ("Puerto Rico", "PR"),
        ("Turkey", "TR"),
        ("Türkiye", "TR"),
        ("Ivory Coast", "CI"),
        ("Côte d’Ivoire", "CI"),  # noqa: RUF001 - as a web page writes it
        ("Macedonia", "MK"),
        ("Kosovo", "XK"),
        ("Russia", "RU"),
        ("Swaziland", "SZ"),
        ("Palestine", "PS"),
        ("Niger", "NE"),
        ("Nigeria", "NG"),
        ("Guinea", "GN"),
        ("Curaçao", "CW"),
        ("curacao", "CW"),
        ("America", "US"),
        ("The Gambia", "GM"),
        ("St. Lucia", "LC"),
        ("Bosnia & Herzegovina", "BA"),
        ("  south   KOREA ", "KR"),
        ("DR Congo", "CD"),
        ("Congo", "CG"),
        ("Namibia", "NA"),
        ("NA", "NA"),
        ("NAM", "NA"),
        ("cze", "CZ"),
        ("Hong Kong", "HK"),
        ("Micronesia", "FM"),
        ("Åland", "AX"),
    ],
)
def test_names_as_people_write_them(name: str, code: str) -> None:
    assert code_of(name) == code


@pytest.mark.parametrize(
    "name", ["Korea", "Virgin Islands", "Crimea", "Ukrain", "Atlantis", "", "??"]
)
def test_uncertain_names_are_never_guessed(name: str) -> None:
    with pytest.raises(UnknownCountryError, match="Unknown country"):
        code_of(name)


def test_the_error_suggests_and_says_what_to_do() -> None:
    with pytest.raises(UnknownCountryError, match=r"Ukraine \(UA.*country_aliases\.csv") as caught:
        code_of("Ukrain")
    assert caught.value.suggestions[0].code == "UA"
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


def test_the_table_is_iso_3166_and_kosovo() -> None:
    iso = {country.alpha_2 for country in pycountry.countries}
    assert set(countries.all_codes()) == iso | {"XK"}
    assert countries.all_codes() == sorted(countries.all_codes())


def test_every_iso_name_and_code_is_known() -> None:
    for country in pycountry.countries:
        for name in (country.name, country.alpha_2, country.alpha_3, country.alpha_2.lower()):
            assert code_of(name) == country.alpha_2


def test_names_come_back_as_their_codes() -> None:
    assert all(code_of(countries.name_of(code)) == code for code in countries.all_codes())


@pytest.mark.parametrize(
    ("code", "sovereign"),
    [("PR", "US"), ("RE", "FR"), ("GL", "DK"), ("IM", "GB"), ("HK", "CN"), ("CW", "NL")],
)
def test_territories_have_sovereigns(code: str, sovereign: str) -> None:
    assert countries.sovereign_of(code) == sovereign
    assert countries.resolve_territory(code, "sovereign") == sovereign
    assert countries.resolve_territory(code, "own") == code


@pytest.mark.parametrize("code", ["XK", "TW", "PS", "EH", "FR", "NA"])
def test_states_and_disputed_places_stand_for_themselves(code: str) -> None:
    assert countries.sovereign_of(code) == code


def test_sovereigns_are_their_own() -> None:
    sovereigns = {countries.sovereign_of(code) for code in countries.all_codes()}
    assert all(countries.sovereign_of(code) == code for code in sovereigns)


@pytest.mark.parametrize(
    ("code", "continent"),
    [
        ("CZ", "Europe"),
        ("NA", "Africa"),
        ("MX", "North America"),
        ("CO", "South America"),
        ("NZ", "Oceania"),
        ("TR", "Asia"),
        ("AQ", "Antarctica"),
        ("RE", "Africa"),
    ],
)
def test_continents(code: str, continent: str) -> None:
    assert countries.continent_of(code) == continent


def test_there_are_seven_continents() -> None:
    assert len({countries.continent_of(code) for code in countries.all_codes()}) == 7


def test_a_code_that_is_none_is_an_error() -> None:
    with pytest.raises(UnknownCountryError, match="'ZZ'"):
        countries.name_of("ZZ")


def test_territories_are_own_or_sovereign() -> None:
    with pytest.raises(ValueError, match="'both'"):
        countries.resolve_territory("RE", "both")


@pytest.mark.real_data
def test_all_80_names_of_country_views_are_known() -> None:
    folder = Path(os.environ.get("LOST_AND_FOUND_REAL_DATA", "../shared/data")) / "country-views"
    if not folder.is_dir():
        pytest.skip(f"no real photos at {folder}")
    names = {json.loads(path.read_bytes())["country"] for path in folder.glob("*.json")}
    assert len(names) == 80
    assert {code_of(name) for name in names} <= set(countries.all_codes())


def test_every_spelling_is_accepted_and_the_short_english_names_come_first() -> None:
    found = countries.spellings()
    assert {name: code_of(name) for name in found} == found
    assert list(found)[: len(countries.all_codes())] == sorted(
        map(countries.name_of, countries.all_codes()), key=countries.fold
    )
    for name in ("USA", "UK", "Holland", "Czech Republic", "Burma", "Ivory Coast", "Zaire"):
        assert name in found
    assert "FRA" not in found  # a code that nobody writes
    assert "Aland" not in found  # folds to Åland, which is there
