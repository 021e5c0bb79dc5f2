"""The scraper against a stand-in for the site, in a real browser."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.collection.geoguessr import (
    LoginError,
    PageChangedError,
    Site,
    collect_rounds,
    repair_places,
)
from shared.collection.geoguessr_progress import rounds_table, runs_table
from shared.collection.geoguessr_view import Patience
from shared.collection.stand_in.games import FAULTS, PASSWORD, StandIn
from shared.collection.stand_in.serving import stand_in_served
from shared.collection.stand_in.world import PaintedWorld
from shared.data_loader import read_record, write_json
from tests.collection.geoguessr_site.helpers import (
    check_singleplayer,
    credentials,
    needs_browser,
    quick,
)
from tests.collection.geoguessr_site.photos import number_in
from tests.collection.geoguessr_site.running import end_browser

pytestmark = [pytest.mark.browser, needs_browser, pytest.mark.slow]

# GEOGUESSR_ROUNDS=1000 gives the full size, which takes about an hour on two cores.
N_ROUNDS = int(os.environ.get("GEOGUESSR_ROUNDS", "20"))


@pytest.fixture(scope="module")
def world() -> PaintedWorld:
    return PaintedWorld(2 * N_ROUNDS + 400)  # some games are begun and never met again


@pytest.fixture(autouse=True)
def _player(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def stand_in(world: PaintedWorld) -> StandIn:
    return StandIn(world)


@pytest.fixture
def site(stand_in: StandIn) -> Iterator[Site]:
    with stand_in_served(stand_in) as found:
        yield found


def test_a_game_becomes_five_pairs_of_the_settled_view_and_its_place(
    tmp_path: Path, stand_in: StandIn, site: Site
) -> None:
    cookies = tmp_path / "private" / "cookies.json"
    report = collect_rounds(
        tmp_path / "pairs", quick(), accept_terms=True, site=site, cookies=cookies
    )
    names = check_singleplayer(tmp_path / "pairs", stand_in)
    assert len(names) == len(report.ids) == 5
    assert stat.S_IMODE(cookies.stat().st_mode) == 0o600
    assert all("HeadlessChrome" in agent for agent in stand_in.agents)  # it says what it is
    collect_rounds(tmp_path / "pairs", quick(), accept_terms=True, site=site, cookies=cookies)
    assert stand_in.n_logins == 1  # the cookies were used again
    table = rounds_table(tmp_path / "pairs")
    assert len(table) == 10
    assert table["lat"].notna().all()
    assert list(runs_table(tmp_path / "pairs")["rounds"]) == [5, 5]
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert PASSWORD.encode() not in everything


def test_a_battle_is_watched_to_its_end_and_gives_countries(
    tmp_path: Path, world: PaintedWorld, stand_in: StandIn, site: Site
) -> None:
    report = collect_rounds(
        tmp_path, quick(mode="multiplayer"), accept_terms=True, site=site, cookies=tmp_path / "c"
    )
    (game,) = stand_in.battles.values()
    expected = {
        f"multiplayer_{game.id}_{n}": world.countries[place]
        for n, place in enumerate(game.countries, start=1)
    }
    found = {path.stem: read_record(path)["country"] for path in tmp_path.glob("multi*.json")}
    assert found == expected
    assert set(report.ids) == {path.stem for path in tmp_path.glob("multi*.jpg")}
    assert not stand_in.is_banned  # no style sheet was added


def test_after_a_crash_in_a_battle_every_photo_still_has_its_own_country(
    tmp_path: Path, world: PaintedWorld
) -> None:
    faults = {"page crash": 0.015}
    stand_in = StandIn(world, faults, seed=2, crash=end_browser, n_battle_rounds=6)
    with stand_in_served(stand_in) as site:
        report = collect_rounds(
            tmp_path,
            quick(mode="multiplayer"),
            accept_terms=True,
            site=site,
            cookies=tmp_path / "c",
        )
    assert stand_in.made["page crash"] > 0
    assert report.n_games == 1
    assert report.ids
    for name in report.ids:
        place = number_in((tmp_path / f"{name}.jpg").read_bytes())
        assert read_record(tmp_path / f"{name}.json")["country"] == world.countries[place]
    assert not list(tmp_path.glob(".waiting/*.jpg"))


def test_repair_corrects_wrong_places_and_keeps_what_was_there(
    tmp_path: Path, stand_in: StandIn, site: Site
) -> None:
    cookies = tmp_path / "c"
    folder = tmp_path / "pairs"
    report = collect_rounds(folder, quick(), accept_terms=True, site=site, cookies=cookies)
    wrong = folder / f"{report.ids[2]}.json"
    record = read_record(wrong)
    write_json(wrong, {**record, "coordinates": [1.5, 2.5]})
    (game,) = stand_in.games
    stand_in.faults = {"opens (0, 0)": 0.1, "server error": 0.2}
    done = repair_places(folder, [game], quick(), accept_terms=True, site=site, cookies=cookies)
    assert done.corrected == [report.ids[2]]
    assert len(done.right) == 4
    assert read_record(wrong) == {**record, "coordinates_before": [[1.5, 2.5]]}
    check_singleplayer(folder, stand_in)


def test_a_game_is_played_by_one_worker_whoever_meets_it(
    tmp_path: Path, stand_in: StandIn, site: Site
) -> None:
    stand_in.faults = {"same game": 0.4}
    report = collect_rounds(
        tmp_path / "pairs",
        quick(max_games=4, workers=2, timeout_s=20.0),
        accept_terms=True,
        site=site,
        cookies=tmp_path / "c",
    )
    assert len(check_singleplayer(tmp_path / "pairs", stand_in)) == 20
    assert len(set(report.ids)) == len(report.ids) == 20
    assert 0 < report.n_left <= stand_in.made["same game"]  # a slow page may hide one of them


@pytest.mark.timeout(4 * 3600)
def test_nothing_is_lost_or_doubled_when_five_per_cent_of_everything_fails(
    tmp_path: Path, world: PaintedWorld
) -> None:
    n_games = N_ROUNDS // 5
    stand_in = StandIn(world, dict.fromkeys(FAULTS, 0.05), seed=3, crash=end_browser)
    patience = Patience(quiet_s=1.2, poll_s=0.1, timeout_s=8.0)  # a busy machine paints in bursts
    settings = quick(
        max_games=n_games, max_minutes=600, workers=3, tries=15, timeout_s=2.0, patience=patience
    )
    with stand_in_served(stand_in) as site:
        report = collect_rounds(
            tmp_path / "pairs", settings, accept_terms=True, site=site, cookies=tmp_path / "c"
        )
    assert len(check_singleplayer(tmp_path / "pairs", stand_in)) == len(report.ids) == 5 * n_games
    assert sum(stand_in.made.values()) > n_games
    assert sum(report.failures.values()) > n_games


def test_rate_limits_are_waited_for_longer_each_time(
    tmp_path: Path, stand_in: StandIn, site: Site
) -> None:
    stand_in.limited = 3
    report = collect_rounds(
        tmp_path, quick(rate_limit_s=0.3), accept_terms=True, site=site, cookies=tmp_path / "c"
    )
    assert report.failures["rate limit"] == 3
    assert report.times_s[0] > 0.3 + 0.6 + 1.2


def test_a_changed_page_ends_the_run_with_the_selector_and_a_screenshot(
    tmp_path: Path, stand_in: StandIn
) -> None:
    with stand_in_served(stand_in) as site:
        changed = replace(site, marker='[data-qa="gone"]')
        with pytest.raises(PageChangedError, match=r'marker.*\[data-qa="gone"\]') as caught:
            collect_rounds(
                tmp_path,
                quick(tries=2, timeout_s=1.5),
                accept_terms=True,
                site=changed,
                cookies=tmp_path / "c",
            )
    assert caught.value.screenshot is not None
    assert caught.value.screenshot.read_bytes().startswith(b"\x89PNG")
    assert "geoguessr_site.py" in str(caught.value)


def test_a_full_disk_stops_the_run_before_the_next_round(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter([500.0] * 4 + [99.0] * 50)
    monkeypatch.setattr("shared.collection.geoguessr_limits.free_mb", lambda _: next(left))
    report = collect_rounds(
        tmp_path, quick(max_games=9), accept_terms=True, site=site, cookies=tmp_path / "c"
    )
    assert report.stopped == "the disk has 99 MB left, 100 are wanted"
    assert 1 <= len(report.ids) < 5


def test_a_wrong_password_is_an_error_that_does_not_show_it(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOST_AND_FOUND_GEOGUESSR_PASSWORD", "hunter2")
    with pytest.raises(LoginError, match="did not log in") as caught:
        collect_rounds(
            tmp_path, quick(timeout_s=1.0), accept_terms=True, site=site, cookies=tmp_path / "c"
        )
    assert "hunter2" not in str(caught.value)


def test_without_credentials_the_error_names_the_variables(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOST_AND_FOUND_GEOGUESSR_EMAIL")
    monkeypatch.setattr("shared.data_loader.config._dotenv", dict)
    with pytest.raises(LoginError, match="LOST_AND_FOUND_GEOGUESSR_EMAIL"):
        collect_rounds(tmp_path, quick(), accept_terms=True, site=site, cookies=tmp_path / "c")


def test_a_run_is_bounded_in_time_and_the_next_plays_the_game_on(
    tmp_path: Path, stand_in: StandIn, site: Site
) -> None:
    folder, cookies = tmp_path / "pairs", tmp_path / "c"
    first = collect_rounds(
        folder, quick(max_minutes=0.07), accept_terms=True, site=site, cookies=cookies
    )
    assert "minutes are over" in first.stopped
    assert len(first.ids) < 5
    second = collect_rounds(folder, quick(), accept_terms=True, site=site, cookies=cookies)
    names = check_singleplayer(folder, stand_in)
    assert set(first.ids) | set(second.ids) == set(names)
    assert not set(first.ids) & set(second.ids)
