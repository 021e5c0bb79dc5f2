"""The notebook: harmless by default, and against the stand-in from terms to data list."""

from pathlib import Path

import pytest

from shared.collection.geoguessr import Site
from shared.collection.stand_in.games import StandIn
from shared.collection.stand_in.serving import stand_in_served
from shared.collection.stand_in.world import PaintedWorld
from shared.data_loader import read_record, write_json
from shared.paths import ROOT_VARIABLE
from tests.collection.geoguessr_site.helpers import credentials, needs_browser
from tests.notebook_runs import run_notebook

SETTINGS = 'title = "Tiny"\ndescription = "for a test"\nlicence = "none"\nsynthetic = true\n'


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lists = tmp_path / "data-lists" / "tiny"
    lists.mkdir(parents=True)
    (lists / "dataset.toml").write_text(SETTINGS, encoding="utf-8")
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.mark.slow
def test_by_default_the_notebook_shows_the_terms_and_contacts_nobody(root: Path) -> None:
    text = run_notebook("1-data-collection/geoguessr", root)
    assert "geoguessr.com/terms" in text
    assert "nobody is contacted, and nothing is collected" in text
    assert "There are no pairs yet" in text


@pytest.mark.slow
@pytest.mark.browser
@needs_browser
def test_the_notebook_collects_shows_repairs_and_pins(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)
    stand_in = StandIn(PaintedWorld(50))
    with stand_in_served(stand_in) as site:
        quick: dict[str, object] = {
            "pause_s": 0.0,
            "quiet_s": 0.5,
            "timeout_s": 5.0,
            "max_games": 1,
        }
        text = run_notebook(
            "1-data-collection/geoguessr", root, **quick, **address(site), may_write_lists=True
        )
        (game,) = stand_in.games
        assert "5 rounds of 1 games; it ended: all games are played" in text
        assert "5 rounds in all, 5 with coordinates" in text
        pinned = root / "data-lists/tiny/1-collect.txt"
        assert f"singleplayer_{game}_5 " in pinned.read_text()
        pinned.unlink()
        wrong = root / f"1-data-collection/.data/tiny/singleplayer_{game}_2.json"
        record = read_record(wrong)
        write_json(wrong, {**record, "coordinates": [1.5, 2.5]})
        quick |= {"repair_games": [game], "may_write_lists": True}
        text = run_notebook("1-data-collection/geoguessr", root, **quick, **address(site))
        assert "1 corrected, 4 were right" in text
        assert read_record(wrong)["coordinates"] == record["coordinates"]
        assert "10 rounds in all, 10 with coordinates" in text


def address(site: Site) -> dict[str, object]:
    """Parameters of a run against the stand-in."""
    return {"site_address": site.base, "accept_terms": True}
