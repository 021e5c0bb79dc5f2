"""The comparison of people and models for readers: tables, the answer in words, `human.json`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from shared.evaluation.human_compare import DEPTHS, Versus, exact_share
from shared.evaluation.intervals import rounded

ENOUGH_PHOTOS = 30  # below, nothing is concluded: a share is known to no better than 18 points


def player_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """How each player did, a row a player: photos, seconds, and the shares with exact intervals."""
    rows = []
    for player, group in pairs.groupby("player", sort=True):
        row = {
            "player": player,
            "experience": group["experience"].iloc[0],
            "photos": len(group),
            "median seconds": round(float(group["seconds"].median()), 1),
        }
        for depth in DEPTHS:
            row[f"top-{depth}"] = exact_share((group["people_rank"] < depth).to_numpy()).percent()
        rows.append(row)
    return pd.DataFrame(rows)


def versus_table(found: list[Versus]) -> pd.DataFrame:
    """Comparisons as a table for readers, a row a model."""
    rows = []
    for one in found:
        row: dict[str, object] = {"model": one.model, "photos": one.n_photos}
        row["answers"] = one.n_answers
        for depth in DEPTHS:
            row[f"people top-{depth}"] = one.people[depth].percent()
            row[f"model top-{depth}"] = one.machine[depth].percent()
            row[f"model minus people, top-{depth}"] = one.difference[depth].points()
        row["right alone (model : people)"] = f"{one.only_model} : {one.only_people}"
        row["McNemar's p"] = "" if np.isnan(one.p_value) else f"{one.p_value:.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


def verdict(found: Versus | None, n_players: int, enough_photos: int = ENOUGH_PHOTOS) -> str:
    """Does the model beat people? In words that follow from the numbers.

    Args:
        found: the comparison of all players with the model; None when nobody has played.
        n_players: how many people played.
        enough_photos: below this many photos nothing is concluded.
    """
    if found is None or n_players == 0:
        return (
            "Nobody has played yet, so the question is open: no answer of a person to a photo of "
            "this test is stored."
        )
    who = "one player" if n_players == 1 else f"{n_players} players"
    numbers = (
        f"On {found.n_photos} photos {who} named the country at once in "
        f"{found.people[1].percent()} of {found.n_answers} answers, the model in "
        f"{found.machine[1].percent()}: {found.difference[1].points()} for the model."
    )
    if found.n_photos < enough_photos:
        return (
            f"Too few to tell. {numbers} Fewer than {enough_photos} photos decide nothing, "
            "whatever the interval says."
        )
    gap = found.difference[1]
    if gap.is_clear:
        first = "Yes, on these photos." if gap.value > 0 else "No, not on these photos."
        how = "the model is ahead" if gap.value > 0 else "people are ahead"
        said = f"{first} {numbers} The interval leaves out 0: {how}."
    else:
        said = f"Undecided. {numbers} The interval holds 0: either may be ahead."
    if not np.isnan(found.p_value):
        said += f" McNemar's exact test: p = {found.p_value:.3f}."
    limit = "this is one person" if n_players == 1 else f"these are {n_players} people"
    return f"{said} It covers which photos were shown, not who played: {limit}."


def human_document(
    found: Mapping[str, Versus],
    alone: Mapping[str, Versus],
    pairs: pd.DataFrame,
    n_left: int,
    answer: str,
) -> dict[str, Any]:
    """What `human.json` holds: every comparison, and the answer in words.

    Args:
        found: of all players, by model.
        alone: of each player against the first model.
        pairs: of `paired_answers` with the first model.
        n_left: photos that were shown and left without an answer.
        answer: of `verdict`.
    """
    return {
        "answer": answer,
        "players": int(pairs["player"].nunique()),
        "answers": len(pairs),
        "photos": int(pairs["id"].nunique()),
        "left_without_an_answer": n_left,
        "all_players": {model: _document(one) for model, one in found.items()},
        "each_player": {player: _document(one) for player, one in alone.items()},
    }


def _document(one: Versus) -> dict[str, Any]:
    sides = {"people": one.people, "model": one.machine, "model_minus_people": one.difference}
    return {
        "photos": one.n_photos,
        "answers": one.n_answers,
        **{
            side: {f"top_{depth}": interval.as_dict() for depth, interval in figures.items()}
            for side, figures in sides.items()
        },
        "right_alone": {"model": one.only_model, "people": one.only_people},
        "mcnemar_p": rounded(one.p_value),
    }
