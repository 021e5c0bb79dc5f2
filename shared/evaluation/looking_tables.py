"""Tables of what maps fall on, for people and for `metrics.json`."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from shared.collection.painted_cues import CUES, style_bits
from shared.evaluation.intervals import Interval, PlaceBootstrap, rounded
from shared.evaluation.looking import Eye
from shared.evaluation.looking_maps import OTHER, UNTRAINED
from shared.evaluation.pointing import CENTRE, Game, Measured, gain

MANY = 10  # photos of which an interval is taken for a finding
FEWEST = 4  # kinds of cue of which a rank correlation is given


def game_frame(figures: Mapping[str, Game], cue: str) -> pd.DataFrame:
    """The game on one cue: a row a model and method.

    Args:
        figures: of `game`, by model.
        cue: which.
    """
    rows = {
        (model, method): {
            "hits": some[cue]["hit"].percent(),
            "chance": f"{100 * some[cue]['chance'].value:.1f} %",
            "hits less chance": some[cue]["lift"].points(),
            "energy": some[cue]["energy"].percent(),
            "area": f"{100 * some[cue]['area'].value:.1f} %",
        }
        for model, found in figures.items()
        for method, some in found.items()
        if cue in some
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def gains_frame(
    played: Mapping[str, pd.DataFrame], eyes: Mapping[str, Eye], cue: str, bootstrap: PlaceBootstrap
) -> pd.DataFrame:
    """What each method has over those that know less, on the same photos.

    Args:
        played: of `rounds`, by model.
        eyes: the models.
        cue: on which cue.
        bootstrap: how places are drawn.
    """
    rows = {}
    for model, table in played.items():
        known = set(table["method"])
        for method in eyes[model].methods:
            for other in (f"{method}, {UNTRAINED}", f"{method}, {OTHER}", CENTRE):
                if other not in known:
                    continue
                more = gain(table, method, other, cue, bootstrap)
                rows[model, method, other.removeprefix(f"{method}, ")] = {
                    "hits": more["hit"].points(),
                    "energy": more["energy"].points(),
                }
    found = pd.DataFrame.from_dict(rows, orient="index")
    found.index = pd.MultiIndex.from_tuples(found.index, names=["model", "method", "more than"])
    return found


def kind_table(table: pd.DataFrame, kinds: Sequence[str]) -> pd.DataFrame:
    """What the rules of the demo world say of each kind, and how much of it the photos show.

    Args:
        table: of `rounds`.
        kinds: those that are known; the ones that no photo shows are left out.

    Returns:
        Indexed by kind: the fields of the rules, what the styles tell of the country (bits), how
        many photos show it, and on how much of them.
    """
    once = table.drop_duplicates(["photo", "cue"]).groupby("cue")["area"]
    found = pd.DataFrame({"photos": once.size(), "area there, %": 100 * once.mean()})
    found = found.loc[[kind for kind in kinds if kind in found.index]].round(1)
    rules = [", ".join(CUES.get(kind, ("climate and weather alone",))) for kind in found.index]
    bits = [round(style_bits(kind), 2) if kind in CUES else 0.0 for kind in found.index]
    found["rules"], found["styles, bits"] = rules, bits
    return found


def fall_frame(lost: Mapping[str, Mapping[str, Measured]]) -> pd.DataFrame:
    """What the answer loses when cues go: a row a model and cue, nats.

    Args:
        lost: of `fall_figures`, by model.
    """
    rows = {
        (model, cue): {
            "photos": one.photos,
            **{way: _nats(one[way]) for way in ("covered", "elsewhere", "more", "unpainted")},
        }
        for model, found in lost.items()
        for cue, one in found.items()
    }
    found = pd.DataFrame.from_dict(rows, orient="index")
    return found.rename(columns={"more": "covered less elsewhere"})


def agreement(
    figures: Game, lost: Mapping[str, Measured], methods: Sequence[str]
) -> dict[str, float | None]:
    """Whether maps light up what the answer stands on: by method a rank correlation over kinds.

    Args:
        figures: of `game`.
        lost: of `fall_figures`.
        methods: whose `focus` (energy over area) is held against the fall without each kind.

    Returns:
        Spearman's rho; None where there are fewer than `FEWEST` kinds.
    """
    found: dict[str, float | None] = {}
    for method in methods:
        pairs = [
            (figures[method][cue]["focus"].value, one["unpainted"].value)
            for cue, one in lost.items()
            if cue in figures[method] and np.isfinite(one["unpainted"].value)
        ]
        rho = spearmanr(*zip(*pairs, strict=True))[0] if len(pairs) >= FEWEST else None
        found[method] = None if rho is None else rounded(float(rho))
    return found


def learned(
    figures: Mapping[str, Game], lost: Mapping[str, Mapping[str, Measured]], cue: str
) -> list[str]:
    """What came out, a sentence a method and model.

    Args:
        figures: of `game`, by model, of the methods to tell of.
        lost: of `fall_figures`, by model.
        cue: of which cue hits are told.
    """
    lines = []
    for model, found in figures.items():
        for method, some in found.items():
            one = some[cue]
            lines.append(
                f"{model}, {method}: on a cue in {one['hit'].percent()}, by chance "
                f"{100 * one['chance'].value:.1f} %; energy {one['energy'].percent()} on "
                f"{100 * one['area'].value:.1f} % of the photo."
            )
        many = {kind: one for kind, one in lost[model].items() if one.photos >= MANY}
        clear = [kind for kind, one in many.items() if one["more"].lower > 0]
        missed = [kind for kind, one in many.items() if one["unpainted"].lower > 0]
        lines.append(
            f"{model}: covering costs clearly more than elsewhere for {', '.join(clear) or 'none'};"
            f" painted without, the country clearly loses for {', '.join(missed) or 'none'} (of the"
            f" kinds that at least {MANY} photos show)."
        )
    return lines


def _nats(one: Interval) -> str:
    if not np.isfinite(one.value):
        return "-"
    return f"{one.value:+.2f} ({one.lower:+.2f} to {one.upper:+.2f})"
