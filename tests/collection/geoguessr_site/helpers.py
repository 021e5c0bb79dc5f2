"""Settings and checks that the tests of the scraper share."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.collection.geoguessr import Patience, Settings
from shared.collection.geoguessr_session import BROWSERS
from shared.collection.stand_in.games import EMAIL, PASSWORD, StandIn
from shared.data_loader import read_record
from tests.collection.geoguessr_site.photos import has_exif, shown_number

needs_browser = pytest.mark.skipif(
    not any(shutil.which(name) for name in BROWSERS),
    reason="needs Chromium: apt-get install chromium",
)
QUICK = Patience(quiet_s=0.25, poll_s=0.08, timeout_s=4.0)


def quick(**changes: Any) -> Settings:
    """Settings of little patience, for a site that is near."""
    plain: dict[str, Any] = {
        "max_games": 1,
        "max_minutes": 5.0,
        "stagger_s": 0.2,
        "pause_s": 0.0,
        "rate_limit_s": 0.1,
        "retry_s": 0.05,
        "timeout_s": 4.0,
        "answer_s": 15.0,
        "patience": QUICK,
    }
    return Settings(**{**plain, **changes})


def credentials() -> Mapping[str, str]:
    """The environment of a player whom the stand-in knows."""
    return {
        "LOST_AND_FOUND_GEOGUESSR_EMAIL": EMAIL,
        "LOST_AND_FOUND_GEOGUESSR_PASSWORD": PASSWORD,
    }


def check_singleplayer(folder: Path, site: StandIn) -> list[str]:
    """Hold every pair of a folder to the site: the photo's place and the record's; the ids.

    There has to be nothing else: no half pair, no place twice.
    """
    photos = {path.stem for path in folder.glob("*.jpg")}
    records = {path.stem for path in folder.glob("*.json")}
    assert photos == records, "half pairs"
    assert not list(folder.glob(".*.part"))
    seen = []
    for name in sorted(photos):
        part, game, number = name.split("_")
        assert part == "singleplayer"
        record = read_record(folder / f"{name}.json")
        place = site.games[game].places[int(number) - 1]
        photo = (folder / f"{name}.jpg").read_bytes()
        assert shown_number(photo) == place, name
        assert tuple(record["coordinates"]) == site.point(place), name
        assert not has_exif(photo)
        seen.append(place)
    assert len(set(seen)) == len(seen), "a place was taken twice"
    return sorted(photos)
