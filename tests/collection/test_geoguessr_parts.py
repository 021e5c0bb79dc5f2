"""The scraper's parts that need no browser."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.collection.geoguessr import TERMS, GeoguessrError, Settings, TermsError, collect_rounds
from shared.collection.geoguessr_limits import Limits, StopRun
from shared.collection.geoguessr_multi import country_in
from shared.collection.geoguessr_session import find_browser, write_private
from shared.collection.geoguessr_site import Site, game_of, point_of
from shared.collection.geoguessr_store import Ledger, RoundStore, only_collector, pair_id
from shared.collection.geoguessr_view import is_same
from shared.data_loader import read_record, write_json
from shared.data_loader.listing import list_pairs
from shared.data_loader.stores import Store

SITE = Site()
MAPS = "https://www.google.com/maps?q&layer=c&cbll="


@pytest.mark.parametrize(
    ("sentence", "country"),
    [
        ("The right answer was Czechia.", "Czechia"),
        ("The right answer was in Germany.", "Germany"),
        ("The right answer was indeed India.", "India"),
        ("Oh no! The right answer was actually in the Netherlands. Try again", "the Netherlands"),
        ("The right answer was St. Lucia.", "St. Lucia"),
        ("The right answer was U.S. Virgin Islands. 2 players", "U.S. Virgin Islands"),
        ("The right answer was\n indeed\n Georgia. Jordan knew it.", "Georgia"),
        ("The right answer was Atlantis.", "Atlantis"),
        ("The right answer was indeed", None),
        ("Nobody knew it.", None),
    ],
)
def test_the_country_is_read_from_the_sentence(sentence: str, country: str | None) -> None:
    assert country_in(sentence, SITE) == country


@pytest.mark.parametrize(
    ("url", "point"),
    [
        (f"{MAPS}48.8583,2.2945&z=1", (48.8583, 2.2945)),
        (f"{MAPS}-33.85678,151.21529", (-33.85678, 151.21529)),
        (f"{MAPS}51.4779%2C0&cbp=1", (51.4779, 0.0)),
        (f"{MAPS}1e-05,-2.5", (0.00001, -2.5)),
        (f"{MAPS}0,0", None),
        (f"{MAPS}0.0,-0.0", None),
        (f"{MAPS}91,10", None),
        (f"{MAPS}", None),
        ("https://www.google.com/maps/@48.8,2.3,3a", None),
    ],
)
def test_the_place_is_read_from_the_address(url: str, point: tuple[float, float] | None) -> None:
    assert point_of(url, SITE) == point


def test_the_game_is_the_last_part_of_the_address() -> None:
    assert game_of("https://www.geoguessr.com/game/AbCdEf0123456789?x=1#y") == "AbCdEf0123456789"


def test_terms_have_to_be_acknowledged_and_are_named(tmp_path: Path) -> None:
    with pytest.raises(TermsError, match=r"geoguessr\.com/terms"):
        collect_rounds(tmp_path, Settings(), accept_terms=False)
    assert "accept_terms=True" in TERMS
    assert not list(tmp_path.iterdir())


def test_a_missing_browser_is_an_error_that_says_what_to_install() -> None:
    with pytest.raises(GeoguessrError, match=r"no-such-browser.*apt-get install chromium"):
        find_browser("/no/where/no-such-browser")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "alone"}, "Expected mode to be one of"),
        ({"workers": 0}, "Expected workers of at least 1, but got 0"),
        ({"pause_s": -1.0}, "Expected pause_s of at least 0"),
        ({"max_minutes": float("nan")}, "Expected max_minutes of at least 0"),
    ],
)
def test_settings_that_make_no_sense_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**changes)  # type: ignore[arg-type]


def test_it_is_slow_and_bounded_by_default() -> None:
    plain = Settings()
    assert plain.pause_s >= 5
    assert plain.workers == 1
    assert plain.max_games <= 5
    assert plain.max_minutes <= 60
    assert plain.min_free_mb == 100


def test_a_pair_is_whole_after_a_kill_between_its_two_renames(tmp_path: Path) -> None:
    store, name = RoundStore(tmp_path), pair_id("singleplayer", "AbC", 1)
    store.keep_photo(name, b"photo")
    write_json(store.record_path(name), {"coordinates": [1.0, 2.0]})  # and killed here
    (tmp_path / ".x.json.12-3.part").write_bytes(b"{")
    assert not store.has(name)
    RoundStore(tmp_path).recover()
    assert (tmp_path / f"{name}.jpg").read_bytes() == b"photo"
    assert [pair.id for pair in list_pairs(Store(tmp_path, tmp_path)).pairs] == [name]
    assert not list(tmp_path.glob(".*.part"))


def test_a_record_whose_photo_is_nowhere_is_not_done(tmp_path: Path) -> None:
    store, name = RoundStore(tmp_path), pair_id("multiplayer", "AbC", 1)
    write_json(store.record_path(name), {"country": "Peru"})
    store.recover()
    assert not store.record_path(name).exists()
    with pytest.raises(FileNotFoundError, match="keep_photo comes first"):
        store.save(name, {"country": "Peru"})


def test_a_pair_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    store, name = RoundStore(tmp_path), pair_id("singleplayer", "AbC", 1)
    store.keep_photo(name, b"first")
    assert store.save(name, {"coordinates": [1.0, 2.0]})
    store.keep_photo(name, b"second")
    assert not store.save(name, {"coordinates": [3.0, 4.0]})
    assert (tmp_path / f"{name}.jpg").read_bytes() == b"first"
    assert read_record(store.record_path(name)) == {"coordinates": [1.0, 2.0]}
    assert not store.waits(name)


def test_corrections_keep_every_earlier_place(tmp_path: Path) -> None:
    store, name = RoundStore(tmp_path), pair_id("singleplayer", "AbC", 1)
    write_json(store.record_path(name), {"coordinates": [0.0, 0.0], "round": 1})
    assert store.correct(name, (1.0, 2.0))
    assert not store.correct(name, (1.0, 2.0))
    assert store.correct(name, (1.5, 2.0))
    assert read_record(store.record_path(name)) == {
        "coordinates": [1.5, 2.0],
        "coordinates_before": [[0.0, 0.0], [1.0, 2.0]],
        "round": 1,
    }


def test_a_game_is_claimed_once_and_a_finished_one_never(tmp_path: Path) -> None:
    ledger, other = Ledger(tmp_path), Ledger(tmp_path)
    claimed = ledger.claim("singleplayer", "AbC"), other.claim("singleplayer", "AbC")
    with claimed[0] as mine, claimed[1] as theirs:
        assert (mine, theirs) == (True, False)
    assert ledger.unfinished("singleplayer") == ["AbC"]
    assert ledger.unfinished("multiplayer") == []
    with other.claim("singleplayer", "AbC") as again:
        assert again
        other.finish("singleplayer", "AbC")
    with ledger.claim("singleplayer", "AbC") as late:
        assert not late
    assert ledger.unfinished("singleplayer") == []


def test_a_folder_is_collected_into_by_one_run_at_a_time(tmp_path: Path) -> None:
    other = only_collector(tmp_path)
    with only_collector(tmp_path), pytest.raises(BlockingIOError, match="Another run collects"):
        other.__enter__()


def test_ids_that_are_no_file_names_are_refused() -> None:
    assert pair_id("singleplayer", "AbC", 3) == "singleplayer_AbC_3"
    with pytest.raises(ValueError, match="unsafe name"):
        pair_id("singleplayer", "../AbC", 3)


def test_secrets_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "private" / "cookies.json"
    write_private(path, "{}")
    write_private(path, '{"a": 1}')
    assert path.read_text() == '{"a": 1}'
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_limits_stop_at_the_disk_and_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(Settings(max_games=1), tmp_path)
    assert limits.take_game()
    assert not limits.take_game()
    monkeypatch.setattr("shared.collection.geoguessr_limits.free_mb", lambda _: 99.4)
    with pytest.raises(StopRun, match="the disk has 99 MB left, 100 are wanted"):
        limits.check()
    with pytest.raises(StopRun, match="0 minutes are over"):
        Limits(Settings(max_minutes=0), tmp_path).check()


def test_a_running_clock_is_no_change_of_the_view_but_a_tile_is() -> None:
    scene = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    clock, tile = scene.copy(), scene.copy()
    clock[10:34, 20:84] = 255
    tile[360:, :320] = 128
    assert is_same(jpeg(scene), jpeg(scene), 0.0)
    assert not is_same(jpeg(scene), jpeg(clock), 0.0)
    assert is_same(jpeg(scene), jpeg(clock), 0.01)
    assert not is_same(jpeg(scene), jpeg(tile), 0.01)


def jpeg(pixels: np.ndarray) -> bytes:
    """A photo of some pixels."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()
