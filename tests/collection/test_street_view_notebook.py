"""The notebook: it explains and contacts nothing by default; then it asks, and then it pays."""

import json
from pathlib import Path

import geopandas as gpd
import pytest

from shared.paths import ROOT_VARIABLE
from tests.collection.street_view_api import KEY, StandIn
from tests.notebook_runs import run_notebook

SETTINGS = 'title = "Tiny"\ndescription = "for a test"\nlicence = "MIT"\nsynthetic = true\n'
KEY_VARIABLE = "LOST_AND_FOUND_STREET_VIEW_KEY"
TINY = {"cell_deg": 3.0, "width": 64, "height": 48, "requests_per_s": 1000.0, "radius_m": 2000.0}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lists = tmp_path / "data-lists" / "tiny"
    lists.mkdir(parents=True)
    (lists / "dataset.toml").write_text(SETTINGS, encoding="utf-8")
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    return tmp_path


@pytest.mark.slow
def test_notebook_explains_then_asks_then_takes_pins_and_goes_on(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = root / "1-data-collection/.data/tiny"
    with StandIn() as api:
        here = {"service_url": api.url, **TINY}
        monkeypatch.setenv(KEY_VARIABLE, KEY)
        text = run_notebook("1-data-collection/street_view", root, **here, confirm_usd=10.0)
        assert "nothing was contacted" in text
        assert "set accept_terms=True" in text
        assert api.asked == []

        text = run_notebook("1-data-collection/street_view", root, **here, accept_terms=True)
        n_cells = len(gpd.read_parquet(folder / "plan/grid.parquet"))
        usd = n_cells * 3 * 0.007
        assert f"{n_cells * 3:,} photos to take x 0.007 USD = {usd:.2f} USD" in text
        assert "no photos taken, nothing charged" in text
        assert api.metadata_asked
        assert api.photos_asked == []

        paid = {**here, "accept_terms": True, "confirm_usd": 10.0, "may_write_lists": True}
        text = run_notebook("1-data-collection/street_view", root, **paid)
        assert f"{n_cells * 3} photos taken now, {n_cells * 3} of {n_cells * 3} are there" in text
        assert f"photos: {n_cells * 3}" in text
        assert len(list(folder.glob("*.jpg"))) == n_cells * 3
        pinned = (root / "data-lists/tiny/1-collect.txt").read_bytes()
        n_asked = len(api.asked)
        assert "0 photos taken now" in run_notebook(
            "1-data-collection/street_view", root, **{**paid, "may_write_lists": False}
        )
        assert len(api.asked) == n_asked
    assert (root / "data-lists/tiny/1-collect.txt").read_bytes() == pinned
    for path in root.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path


@pytest.mark.slow
def test_notebook_with_its_own_parameters_shows_the_bill_and_names_the_key(root: Path) -> None:
    text = run_notebook("1-data-collection/street_view", root)
    assert "246 places wanted in 246 cells" in text
    assert "at most 246 places x 3 headings x 0.007 USD = 5.17 USD" in text
    assert f"put your key in the environment, or in .env, as {KEY_VARIABLE}" in text
    assert "no photos taken, nothing charged" in text


@pytest.mark.slow
def test_notebook_takes_cities_by_rank(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cities = root / "cities.csv"
    cities.write_text("name,lat,lon,population\nSmall,52,0,10\nLarge,51,0,30\nMiddle,53,0,20\n")
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with StandIn(share_covered=1.0) as api:
        run_notebook(
            "1-data-collection/street_view",
            root,
            **{**TINY, "service_url": api.url},
            look_in="cities",
            cities_file=str(cities),
            top_cities=3,
            places_by_rank=[3, 2, 1],
            city_radius_km=20.0,
            random_start=True,
            accept_terms=True,
            confirm_usd=1.0,
            may_write_lists=True,
        )
    folder = root / "1-data-collection/.data/tiny"
    records = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    per_city = [sum(r["city"] == city for r in records) for city in ("large", "middle", "small")]
    assert per_city == [12, 8, 4]
    assert len({(r["pano_id"], r["heading"]) for r in records}) == 24
