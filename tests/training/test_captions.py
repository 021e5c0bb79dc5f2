"""Captions: templates with optional parts, and the facts that they tell."""

import random

import numpy as np
import pandas as pd
import pytest

from shared.gazetteer import gazetteer
from shared.training.caption_facts import (
    belt_of,
    facing_of,
    neighbours_of,
    part_of_country,
    photo_facts,
    place_facts,
    plain_region,
    position_of,
    spoken,
)
from shared.training.captions import (
    STREET,
    STYLES,
    CaptionStyle,
    caption,
    captions,
    fill,
    same_captions,
    style_named,
)
from shared.training.clip_prompts import country_prompts, named, some_places

LYON = {"city": "Lyon", "region": "Rhone-Alpes", "country": "France", "climate": "temperate"}


def table(n: int, **facts: str) -> pd.DataFrame:
    return pd.DataFrame([facts] * n, index=[f"photo_{k:05d}" for k in range(n)])


def test_streetclip_template_is_the_published_sentence() -> None:
    text = captions(table(1, **LYON), STYLES["streetclip"], seed=0)[0]
    assert text == (
        "A Street View photo close to the town of Lyon in the region of Rhone-Alpes in France."
    )


def test_missing_facts_leave_their_part_out() -> None:
    assert fill(STREET, {"country": "France"}) == "A Street View photo in France."
    text = fill(STREET, {"country": "France", "city": "Lyon", "region": ""})
    assert text == "A Street View photo close to the town of Lyon in France."
    assert fill(STREET, {"city": "Lyon"}) == ""


def test_pigeon_parts_are_drawn_as_often_as_published() -> None:
    facts = table(20_000, **LYON, driving_side="right", month="May", facing="north")
    texts = captions(facts, STYLES["pigeon"], seed=1)

    def share(words: str) -> float:
        return sum(words in text for text in texts) / len(texts)

    # A location sentence is there unless a climate sentence (0.4) drops it (0.3): 0.88.
    assert share("Street View photo") == pytest.approx(1 - 0.4 * 0.3, abs=0.015)
    assert share("region of") == pytest.approx(0.6 * 0.88, abs=0.015)
    assert share("town of") == pytest.approx(0.4 * 0.88, abs=0.015)
    assert share("climate") == pytest.approx(0.4, abs=0.015)
    assert share("Traffic") == pytest.approx(0.3 * 0.6, abs=0.015)
    assert share("May") == pytest.approx(0.3, abs=0.015)
    assert share("north") == pytest.approx(0.3, abs=0.015)
    assert not any("climate" in text and "Traffic" in text for text in texts)


def test_captions_follow_from_id_seed_and_epoch_alone() -> None:
    facts = table(50, **LYON, month="May")
    style = STYLES["pigeon"]
    first = captions(facts, style, 0, 3)
    assert captions(facts.iloc[::-1], style, 0, 3) == first[::-1]
    assert captions(facts.iloc[[7]], style, 0, 3) == [first[7]]
    assert captions(facts, style, 0, 4) != first
    assert captions(facts, style, 1, 3) != first


def test_a_caption_never_comes_out_empty() -> None:
    style = CaptionStyle("In {country}.", {"month": "In {month}."}, {"month": 0.0})
    assert caption({"month": "May"}, style, random.Random(0)) == "In May."
    with pytest.raises(ValueError, match="nothing is known of photo_00000"):
        captions(table(1, city="Lyon"), style, 0)


def test_templates_are_held_to_the_facts_there_are() -> None:
    with pytest.raises(ValueError, match="unknown: \\['town'\\]"):
        CaptionStyle("A photo in {town}.")
    with pytest.raises(ValueError, match="not nested"):
        CaptionStyle("A photo[ in [{city}]].")
    with pytest.raises(ValueError, match="chance from 0 to 1 for 'city'"):
        style_named("pigeon", chances={"city": 2})
    with pytest.raises(ValueError, match="style out of"):
        style_named("dove")


def test_a_style_can_be_changed_by_parameters() -> None:
    style = style_named(
        "pigeon", "In {country}.", {"climate": "", "belt": "In {belt}."}, {"belt": 1}
    )
    assert "climate" not in style.extras
    text = caption({"country": "Chile", "belt": "the tropics"}, style, random.Random(2))
    assert text.startswith("In Chile.")
    assert text.endswith("In the tropics.")


def test_equal_captions_share_a_number() -> None:
    assert same_captions(["a", "b", "a", "c", "b"]) == [0, 1, 0, 2, 1]


def test_names_as_they_stand_in_a_sentence() -> None:
    assert spoken("US") == "the United States"
    assert spoken("FR") == "France"
    assert plain_region("United States, California (US.005)", "US.005", "US") == "California"
    assert plain_region("Mexico, Mexico (MX.014)", "MX.014", "MX") == "Mexico"
    assert plain_region("Monaco (MC.001)", "MC.001", "") == "Monaco"


def test_belts_headings_and_positions_in_words() -> None:
    assert [belt_of(lat) for lat in (0, -30, 50, 70)] == [
        "the tropics",
        "the subtropics",
        "the cooler latitudes",
        "the polar latitudes",
    ]
    assert [facing_of(h) for h in (350, 44, 46, 180, 300)] == [
        "north",
        "north",
        "east",
        "south",
        "west",
    ]
    assert facing_of(np.nan) == ""
    assert position_of(53.3, -6.3) == "50 degrees north and 10 degrees west"
    assert position_of(-2, 179) == "the equator and 180 degrees east"
    assert position_of(10, -179) == position_of(10, 179)


def test_neighbours_are_the_nearest_other_countries() -> None:
    found = neighbours_of(
        [(53.3, -6.3), (40.4, -3.7)], ["IE", "ES"], ["IE", "GB", "FR", "ES", "JP"]
    )
    assert found == ["the United Kingdom and France", "France and the United Kingdom"]


def test_place_facts_come_from_the_gazetteer() -> None:
    found = place_facts([(48.86, 2.35)], ["FR"], ["FR", "GB", "ES"], ["one"]).loc["one"]
    assert found["country"] == "France"
    assert found["continent"] == "Europe"
    assert "Ile-de-France" in found["region"]
    assert found["near"] == "the United Kingdom and Spain"
    # Its nearest place is not of the country it is said to be in: the town is not told.
    assert place_facts([(48.86, 2.35)], ["ES"], ["FR", "ES"], ["one"]).loc["one", "city"] == ""


def test_facts_of_photos_join_records_and_surroundings(tiny_root: object) -> None:
    records = pd.DataFrame(
        {
            "country_code": ["CZ", "JP"],
            "lat": [50.1, np.nan],
            "lon": [14.4, np.nan],
            "heading": [100.0, np.nan],
            "month": [2.0, np.nan],
        },
        index=["one", "two"],
    )
    more = pd.DataFrame(
        {"climate_name": ["Temperate", ""], "driving_side": ["right", "left"], "month": [5.0, 7.0]},
        index=["one", "two"],
    )
    found = photo_facts(records, "tiny", ["CZ", "JP", "FR"], more)
    assert found.loc["one", "city"] != ""
    assert list(found["month"]) == ["February", "July"]
    assert list(found["driving_side"]) == ["right", "left"]
    assert list(found["climate"]) == ["temperate", ""]
    second = found.loc["two"].to_dict()
    assert {name for name, text in second.items() if text == ""} == {
        *("city", "region", "climate", "near", "belt", "position", "facing")
    }
    assert second["country"] == "Japan"
    assert second["continent"] == "Asia"


def test_prompts_of_a_country_are_told_by_its_places() -> None:
    templates = [
        "A photo near {city} in {country}.",
        "Traffic keeps {driving_side}.",
    ]
    ireland, mexico = country_prompts(["IE", "MX"], templates, places=3, seed=0)
    assert len(ireland) == 4  # three towns, and one sentence that is the same for all
    assert ireland[-1] == "Traffic keeps left."
    assert mexico[-1] == "Traffic keeps right."
    assert all("in Ireland." in text for text in ireland[:3])
    told = country_prompts(["IE"], ["It is {climate}."], 3, 0, {"IE": {"climate": "mild"}})
    assert told == [["It is mild."]]
    assert named(["US"], "A photo in {country}.") == [["A photo in the United States."]]


def test_places_come_in_an_order_that_more_of_them_keep() -> None:
    table = gazetteer()[gazetteer()["cc"] == "IE"]
    few, more = some_places(table, 5, 0), some_places(table, 9, 0)
    assert (more[:5] == few).all()
    assert (few[:, 0] > 51).all()
    assert (few[:, 0] < 56).all()


def test_a_country_has_nine_parts() -> None:
    # Marseille, Bayonne, the Jura, Lille and Bourges.
    points = [(43.3, 5.4), (43.5, -1.5), (46.5, 6.0), (50.6, 3.06), (46.8, 2.4)]
    assert part_of_country(points, ["FR"] * 5) == [
        "the south-east",
        "the south-west",
        "the east",
        "the north",
        "the middle",
    ]
    assert part_of_country([(0.0, 0.0)], ["XX"]) == [""]
