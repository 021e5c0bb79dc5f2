import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from shared.countries import UnknownCountryError
from shared.data_loader import Pair
from shared.evaluation.human_game import Game, begin, choose_photos, kindly, read_names
from shared.evaluation.human_sessions import PlayerFile, player_name, read_sessions
from shared.training.images import Preprocessing

SIZE = Preprocessing(32, 18)
FACTS = {"dataset": "made", "list_digest": "d"}


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """Four places with two views each."""
    found = []
    for number in range(8):
        path = tmp_path / f"p{number % 4}_{number // 4}.png"
        cv2.imwrite(str(path), np.full((36, 64, 3), 20 * number, np.uint8))
        found.append(Pair(path.stem, path, path.with_suffix(".json")))
    return found


@pytest.fixture
def truth(pairs: list[Pair]) -> pd.DataFrame:
    rows = {
        pair.id: {"place": pair.id[:2], "code": "FR" if pair.id[1] in "01" else "JP"}
        for pair in pairs
    }
    return pd.DataFrame.from_dict(rows, orient="index").assign(lat=1.0, lon=2.0)


def play(pairs: list[Pair], truth: pd.DataFrame, folder: Path, name: str = "Ann") -> Game:
    return begin(choose_photos(pairs, truth, 0), folder, name, "I play often", SIZE, FACTS)


def test_a_player_sees_one_view_of_each_place_and_never_again(
    pairs: list[Pair], truth: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "sessions"
    first = play(pairs, truth, folder)
    shown = [first.next(), first.next()]  # the first is left without an answer
    again = play(pairs, truth, folder, "ANN")  # the same player in another session
    shown += [again.next(), first.next()]  # two windows at once
    assert again.next() is None
    places = [photo.place for photo in shown if photo]
    assert sorted(places) == ["p0", "p1", "p2", "p3"]
    other = play(pairs, truth, folder, "Bob")
    assert other.next() == shown[0]  # everybody starts with the same photo


def test_order_follows_from_ids_and_seed(pairs: list[Pair], truth: pd.DataFrame) -> None:
    forth, back = choose_photos(pairs, truth, 3), choose_photos(pairs[::-1], truth, 3)
    assert [photo.id for photo in forth] == [photo.id for photo in back]
    orders = {tuple(p.id for p in choose_photos(pairs, truth, seed)) for seed in range(5)}
    assert len(orders) > 1


def test_answers_are_scored_and_stored_with_the_time_they_took(
    pairs: list[Pair], truth: pd.DataFrame, tmp_path: Path
) -> None:
    game = play(pairs, truth, tmp_path / "s")
    times = iter([100.0, 107.5, 200.0, 201.0])
    game.clock = lambda: next(times)
    ranks = {"FR": (1, 0), "JP": (2, None)}  # of the first answer, and of the second
    for number, typed in enumerate((["Germany", "France", "Japan"], ["France", "france", " "])):
        photo = game.next()
        assert photo is not None
        assert game.answer(typed).rank == ranks[photo.code][number]
    table, n_left = read_sessions(tmp_path / "s", "d")
    assert list(table["seconds"]) == [7.5, 1.0]
    assert [list(codes) for codes in table["answers"]] == [["DE", "FR", "JP"], ["FR"]]
    assert list(table["player"]) == ["Ann", "Ann"]
    assert list(table["size"]) == ["32x18-crop", "32x18-crop"]
    assert n_left == 0
    assert game.score()[5][1] == 2
    assert len(read_sessions(tmp_path / "s", "another list")[0]) == 0


def test_an_unknown_name_is_refused_kindly_and_nothing_is_counted(
    pairs: list[Pair], truth: pd.DataFrame, tmp_path: Path
) -> None:
    game = play(pairs, truth, tmp_path / "s")
    game.next()
    with pytest.raises(UnknownCountryError) as caught:
        game.answer(["France", "Frence"])
    assert "Did you mean France" in kindly(caught.value)
    assert game.score()[1] == (0, 0)
    assert game.current is not None
    with pytest.raises(ValueError, match="at most 5 countries, got 6"):
        read_names(["France", "Japan", "Spain", "Italy", "Chile", "Peru"])


def test_looking_at_the_larger_photo_is_noted(
    pairs: list[Pair], truth: pd.DataFrame, tmp_path: Path
) -> None:
    game = play(pairs, truth, tmp_path / "s")
    game.next()
    assert game.picture().shape == (540, 960, 3)
    game.picture(larger=True)
    game.picture()
    game.answer([])
    assert list(read_sessions(tmp_path / "s")[0]["size"]) == ["stored"]
    with pytest.raises(ValueError, match="there is none"):
        game.answer([])


def test_a_line_cut_by_a_kill_costs_that_line_alone(
    pairs: list[Pair], truth: pd.DataFrame, tmp_path: Path
) -> None:
    game = play(pairs, truth, tmp_path / "s")
    game.next()
    game.answer(["France"])
    path = game.player.path
    with path.open("a", encoding="utf-8") as file:
        file.write('{"event": "answer", "sess')
    game.next()
    game.answer(["Japan"])
    assert len(read_sessions(tmp_path / "s")[0]) == 2
    lines = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[-1])["typed"] == ["Japan"]


def test_names_that_look_the_same_are_one_player_and_no_path(tmp_path: Path) -> None:
    assert PlayerFile(tmp_path, "José").path == PlayerFile(tmp_path, "jose").path
    assert PlayerFile(tmp_path, "../../x").path.parent == tmp_path
    assert PlayerFile(tmp_path, "???").path != PlayerFile(tmp_path, "!!!").path
    assert player_name("  Ann\n Lee ") == "Ann Lee"
    for name in ("", " \t ", "x" * 41):
        with pytest.raises(ValueError, match="1 to 40 characters"):
            player_name(name)
