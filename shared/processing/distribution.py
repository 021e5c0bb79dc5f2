"""Choosing pairs so that their countries are as frequent as in another data set, the target.

A model trained on places as they were scraped learns how often a country was scraped. Mapping
drops places until the countries are as frequent as where the model will be used.

The rule, with a_c the pairs of country c at hand, t_c those of the target, s the slack factor:

1. Countries are kept that are in the target and are at least `minimum_share` of all pairs at
   hand: K. A rarer one would shrink everything else to its own scale.
2. Their target shares are p_c = t_c / (sum of t over K): the proportions among kept countries.
3. N is the largest number of pairs for which every kept country has at least s of its due,
   a_c >= s p_c N: N = min over K of a_c / (s p_c). So with s = 1 nothing falls short, and with
   s = 0.75 the scarcest country has three quarters of its due and everything else grows by a
   third. More than every pair at hand is never asked for: N is at most the sum of a over K.
4. A kept country's quota is q_c = floor(p_c N) pairs. Its places are taken in an order that
   depends on their ids and the seed alone, whole (all views of a place or none), while they stay
   within the quota. A country with less than its quota gives everything it has.

So a kept country is never above its due, and below it by less than 1 - s of it, one pair for
rounding and one place for wholeness.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

import pandas as pd

from shared.countries import name_of
from shared.data_loader import stable_order

KEPT = "kept"
TOO_RARE = "below the minimum share"
NOT_IN_TARGET = "not in the target"
NOT_IN_SOURCE = "missing in the source"


@dataclass(frozen=True)
class Mapping:
    """Pairs chosen to match a distribution of countries.

    Attributes:
        ids: the pairs chosen, sorted.
        table: a row a country of source or target, by falling target share: `code`, `name`,
            `status`, `available` and `target` (pairs), `quota` and `chosen` (pairs),
            `source_share` and `target_share` (of all pairs of source and target),
            `due_share` (p_c of the rule) and `chosen_share` (of the pairs chosen).
        size: N of the rule: how many pairs there would be if no country fell short.
    """

    ids: list[str]
    table: pd.DataFrame
    size: Fraction


def map_to_distribution(
    pairs: pd.DataFrame,
    target: pd.Series,
    *,
    minimum_share: float = 0.0075,
    slack_factor: float = 0.75,
    missing_allowed: bool = True,
    seed: int = 0,
) -> Mapping:
    """The largest choice of pairs whose countries are as frequent as in the target.

    The rule is in the module's notes; the defaults are Lost & Found's.

    Args:
        pairs: the pairs at hand, indexed by id: `code` (country) and `place` (views of one place
            have the same).
        target: pairs of the target by country code.
        minimum_share: share of the pairs at hand below which a country is left out, 0 to 1.
        slack_factor: the part of its due that every kept country has, more than 0 and at most 1.
        missing_allowed: whether countries of the target may be left out, because the source has
            none or too few of them.
        seed: what the order of places depends on, with their ids.

    Raises:
        ValueError: when a parameter is out of range, no country is left, or some are missing and
            may not be.
    """
    _check(pairs, minimum_share, slack_factor)
    table = _statuses(pairs["code"].value_counts(), target, minimum_share)
    kept = table[table["status"] == KEPT].index.tolist()
    missing = [c for c in table.index[table["target"] > 0] if c not in kept]
    if missing and not missing_allowed:
        named = ", ".join(f"{name_of(c)} ({table.loc[c, 'status']})" for c in missing[:5])
        msg = (
            f"Expected all {int((table['target'] > 0).sum())} countries of the target, but "
            f"{len(missing)} are left out: {named}. Allow missing countries, lower the minimum "
            "share, or collect more places there"
        )
        raise ValueError(msg)
    if not kept:
        msg = (
            f"No country is left: of {len(table)} countries of source and target none is in both "
            f"and at least {minimum_share:.2%} of the source's {len(pairs)} pairs"
        )
        raise ValueError(msg)
    available = {code: int(table.loc[code, "available"]) for code in kept}
    due = _due_shares({code: int(table.loc[code, "target"]) for code in kept})
    size = _largest_size(available, due, Fraction(str(slack_factor)))
    quotas = {code: floor(due[code] * size) for code in kept}
    ids = _choose(pairs, quotas, seed)
    return Mapping(ids, _with_result(table, pairs.loc[ids, "code"], due, quotas), size)


def largest_gap(mapping: Mapping) -> float:
    """The largest difference of a kept country's share of the choice from its due, 0 to 1."""
    kept = mapping.table[mapping.table["status"] == KEPT]
    return float((kept["chosen_share"] - kept["due_share"]).abs().max())


def _check(pairs: pd.DataFrame, minimum_share: float, slack_factor: float) -> None:
    if not 0 <= minimum_share <= 1:
        msg = f"Expected a minimum share of 0 to 1, but got {minimum_share}"
        raise ValueError(msg)
    if not 0 < slack_factor <= 1:
        msg = f"Expected a slack factor of more than 0 and at most 1, but got {slack_factor}"
        raise ValueError(msg)
    several = pairs.groupby("place")["code"].nunique()
    if (several > 1).any():
        place = several.index[several > 1][0]
        codes = sorted(set(pairs.loc[pairs["place"] == place, "code"]))
        msg = f"Expected one country a place, but place {place!r} has {codes}"
        raise ValueError(msg)


def _statuses(available: pd.Series, target: pd.Series, minimum_share: float) -> pd.DataFrame:
    """Countries of source and target, by falling target, with numbers, shares and status."""
    codes = sorted(set(available.index) | set(target.index[target > 0]))
    table = pd.DataFrame(index=pd.Index(codes, name="code", dtype=object))
    table["name"] = [name_of(code) for code in codes]
    table["available"] = available.reindex(codes, fill_value=0).astype(int)
    table["target"] = target.reindex(codes, fill_value=0).astype(int)
    table["source_share"] = table["available"] / max(1, int(available.sum()))
    table["target_share"] = table["target"] / max(1, int(target.sum()))
    # In whole numbers: a share that is just the minimum must not fail by a rounding error.
    needed = Fraction(str(minimum_share)) * int(available.sum())
    table["status"] = [
        NOT_IN_TARGET
        if wanted == 0
        else NOT_IN_SOURCE
        if has == 0
        else KEPT
        if has >= needed
        else TOO_RARE
        for has, wanted in zip(table["available"], table["target"], strict=True)
    ]
    return table.sort_values(["target", "available"], ascending=False, kind="stable")


def _due_shares(target: dict[str, int]) -> dict[str, Fraction]:
    total = sum(target.values())
    return {code: Fraction(pairs, total) for code, pairs in target.items()}


def _largest_size(available: dict[str, int], due: dict[str, Fraction], slack: Fraction) -> Fraction:
    scarcest = min(Fraction(available[code]) / (slack * share) for code, share in due.items())
    return min(scarcest, Fraction(sum(available.values())))


def _choose(pairs: pd.DataFrame, quotas: dict[str, int], seed: int) -> list[str]:
    """Pairs of whole places, in the places' stable order, within each country's quota."""
    views: dict[str, list[str]] = {}
    for id_, place in pairs["place"].items():
        views.setdefault(str(place), []).append(str(id_))
    country = dict(zip(pairs["place"].astype(str), pairs["code"], strict=True))
    left = dict(quotas)
    full: set[str] = set()
    chosen: list[str] = []
    for place in stable_order(views, seed):
        code = country[place]
        if code not in left or code in full:
            continue
        if len(views[place]) > left[code]:
            full.add(code)  # no smaller place is let past it: the choice stays a beginning
            continue
        left[code] -= len(views[place])
        chosen += views[place]
    return sorted(chosen)


def _with_result(
    table: pd.DataFrame, chosen: pd.Series, due: dict[str, Fraction], quotas: dict[str, int]
) -> pd.DataFrame:
    counts = chosen.value_counts()
    codes: Sequence[str] = table.index.tolist()
    return table.assign(
        due_share=[float(due.get(code, 0)) for code in codes],
        quota=[quotas.get(code, 0) for code in codes],
        chosen=[int(counts.get(code, 0)) for code in codes],
        chosen_share=[float(counts.get(code, 0)) / max(1, len(chosen)) for code in codes],
    )
