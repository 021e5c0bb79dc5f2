"""Training, validation and test: by place, stable by id, every country in each where possible.

The *unit* that is split is a place with all its views, or, with blocks, all places of one block
of a grid of latitudes and longitudes (a place without coordinates stays a unit of its own).

1. A unit's number u in [0, 1) is the beginning of the sha256 of `"<seed>:<unit>"`. With fractions
   0.7, 0.2 and 0.1 it goes to training below 0.7, to validation below 0.9, to test above. A unit's
   part so depends on its own name and the seed alone: a place that is added or removed moves no
   other, which a ranking within countries could not promise. The price is that the fractions are
   met only on average: of n places a country has 0.7 n ± sqrt(0.21 n) in training.
2. Chance may leave a part without any place of a small country. A country with at least as many
   units as there are parts that are not empty by design is given one: the unit, of a part where
   each of its countries has another, whose u is nearest to the part's interval. Only such
   countries can see a unit move when places are added, and where units are places only their own
   places count.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from shared.geo import Floats, block_names, nearest

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Which part each pair belongs to.

    Attributes:
        parts: `"train"`, `"validation"` or `"test"`, indexed by id, sorted.
        moved: the units that rule 2 moved, with the part that they came to.
        lacking: countries without a place in a part that is not empty by design, with that part.
        dropped: countries left out for having too few pairs or places, with the two numbers.
    """

    parts: pd.Series
    moved: dict[str, str]
    lacking: list[tuple[str, str]]
    dropped: dict[str, tuple[int, int]]

    def ids(self, part: str) -> list[str]:
        """The pairs of a part, sorted by id."""
        return [str(id_) for id_ in self.parts.index[self.parts == part]]


def split_places(
    pairs: pd.DataFrame,
    fractions: Sequence[float] = (0.7, 0.2, 0.1),
    *,
    block_deg: float = 0.0,
    min_photos_per_country: int = 1,
    min_places_per_country: int = 1,
    seed: int = 0,
) -> Split:
    """Split pairs into training, validation and test; the rule is in the module's notes.

    Args:
        pairs: indexed by id: `code` (country), `place` (views of one place have the same), and with
            blocks `lat`, `lon` (degrees, NaN where unknown).
        fractions: of training, validation and test; their sum is 1, a 0 leaves a part empty.
        block_deg: side of the blocks that stay together, degrees; 0 for none.
        min_photos_per_country: countries with fewer pairs are left out.
        min_places_per_country: countries with fewer places are left out.
        seed: what the parts depend on, with the names of the units.

    Raises:
        ValueError: when the fractions are none, or no pair is left.
    """
    shares = _checked(fractions)
    sizes = pairs.groupby("code")["place"].agg(["size", "nunique"])
    few = (sizes["size"] < min_photos_per_country) | (sizes["nunique"] < min_places_per_country)
    dropped = {
        str(code): (int(row["size"]), int(row["nunique"])) for code, row in sizes[few].iterrows()
    }
    kept = pairs[~pairs["code"].isin(list(dropped))].sort_index()
    if kept.empty:
        msg = (
            f"No pair is left of {len(pairs)}: all {len(dropped)} countries have fewer than "
            f"{min_photos_per_country} photos or {min_places_per_country} places"
        )
        raise ValueError(msg)
    units = split_units(kept, block_deg)
    countries = _countries_of_units(units, kept["code"])
    numbers = {unit: unit_number(unit, seed) for unit in countries}
    parts = {unit: _part_at(number, shares) for unit, number in numbers.items()}
    moved, lacking = _give_every_country_a_place(parts, countries, numbers, shares)
    of_pairs = pd.Series([parts[unit] for unit in units], index=kept.index, dtype=object)
    return Split(of_pairs.rename("part"), moved, lacking, dropped)


def split_units(pairs: pd.DataFrame, block_deg: float = 0.0) -> pd.Series:
    """The unit of each pair: its place, or with `block_deg` above 0 the block it lies in.

    A place whose views lie in two blocks is with its first view's (by id).
    """
    units = pairs["place"].astype(str)
    if block_deg == 0:
        return units
    located = pairs[["place", "lat", "lon"]].dropna().sort_index().drop_duplicates("place")
    blocks = block_names(located[["lat", "lon"]].to_numpy(dtype=float), block_deg)
    of_place = dict(zip(located["place"].astype(str), blocks, strict=True))
    return units.map(lambda place: of_place.get(place, place))


def unit_number(unit: str, seed: int) -> Fraction:
    """A number in [0, 1) that depends on the unit's name and the seed alone (64 bits)."""
    digest = hashlib.sha256(f"{seed}:{unit}".encode()).digest()
    return Fraction(int.from_bytes(digest[:8], "big"), 2**64)


def places_in_several_parts(parts: pd.Series, places: pd.Series) -> list[str]:
    """The places that have views in more than one part: there must be none."""
    number = parts.groupby(places.loc[parts.index]).nunique()
    return [str(place) for place in number.index[number > 1]]


def distances_to_training(points: pd.DataFrame, parts: pd.Series, part: str = "test") -> Floats:
    """How far each located photo of a part is from the nearest training photo.

    Args:
        points: `lat`, `lon` by id, degrees, NaN where unknown.
        parts: the part of each pair, by id.
        part: which part to measure from.

    Returns:
        (N,) distances, km, by id; empty when the part or training has no coordinates.
    """
    located = points.loc[parts.index, ["lat", "lon"]].dropna()
    of = parts.loc[located.index]
    train = located[of == "train"].to_numpy(dtype=float)
    other = located[of == part].to_numpy(dtype=float)
    if len(train) == 0 or len(other) == 0:
        return other[:0, 0]
    return nearest(train, other)[1]


def _checked(fractions: Sequence[float]) -> list[Fraction]:
    shares = [Fraction(str(fraction)) for fraction in fractions]
    if len(shares) != 3 or sum(shares) != 1 or min(shares) < 0 or shares[0] == 0:
        msg = (
            "Expected three fractions, of training, validation and test, from 0 to 1 with the sum "
            f"1 and some training, but got {list(fractions)}"
        )
        raise ValueError(msg)
    return shares


def _intervals(shares: Sequence[Fraction]) -> dict[str, tuple[Fraction, Fraction]]:
    """Where the numbers of the units of each part lie, for the parts that are not empty."""
    ends = [sum(shares[: n + 1], Fraction(0)) for n in range(3)]
    return {
        part: (end - share, end)
        for part, end, share in zip(PARTS, ends, shares, strict=True)
        if share
    }


def _part_at(number: Fraction, shares: Sequence[Fraction]) -> str:
    return next(part for part, (_, end) in _intervals(shares).items() if number < end)


def _countries_of_units(units: pd.Series, codes: pd.Series) -> dict[str, list[str]]:
    pairs = sorted(set(zip(units, codes, strict=True)))
    found: dict[str, list[str]] = {}
    for unit, code in pairs:
        found.setdefault(str(unit), []).append(str(code))
    return found


def _give_every_country_a_place(
    parts: dict[str, str],
    countries: Mapping[str, Sequence[str]],
    numbers: Mapping[str, Fraction],
    shares: Sequence[Fraction],
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Rule 2, in `parts` itself; what was moved, and what is lacking still."""
    intervals = _intervals(shares)
    count = Counter((code, parts[unit]) for unit, codes in countries.items() for code in codes)
    of_country: dict[str, list[str]] = {}
    for unit, codes in countries.items():
        for code in codes:
            of_country.setdefault(code, []).append(unit)
    moved: dict[str, str] = {}
    lacking: list[tuple[str, str]] = []
    for code in sorted(of_country):
        for part, (start, end) in intervals.items():
            if count[code, part]:
                continue
            can_spare = [
                unit
                for unit in of_country[code]
                if all(count[other, parts[unit]] > 1 for other in countries[unit])
            ]
            if len(of_country[code]) < len(intervals) or not can_spare:
                lacking.append((code, part))
                continue
            unit = min(can_spare, key=lambda u: (_gap(numbers[u], start, end), u))
            for other in countries[unit]:
                count[other, parts[unit]] -= 1
                count[other, part] += 1
            parts[unit] = moved[unit] = part
    return moved, lacking


def _gap(number: Fraction, start: Fraction, end: Fraction) -> Fraction:
    """How far a number is from an interval; 0 inside."""
    return max(start - number, number - end, Fraction(0))
