"""Country codes, names, continents and sovereigns; and codes of names as people write them.

A *code* is ISO 3166-1 alpha-2, and `XK` for Kosovo, which ISO leaves to its users. The table is
`shared/tables/countries.csv`: `code, name, continent, sovereign`.

* `name` is the short English name; `continent` follows the United Nations' M49 regions (Russia is
  Europe; Turkey, Cyprus and the Caucasus are Asia), with the Americas cut at Panama.
* `sovereign` is the code itself, but for territories that ISO gives a code of their own: Puerto
  Rico's is US, Réunion's FR, Greenland's DK, Hong Kong's CN, the Isle of Man's GB. Kosovo, Taiwan,
  Palestine and Western Sahara stand for themselves: the table says how photos are counted, and is
  no opinion on who should govern whom. Northern Cyprus counts as CY and Somaliland as SO, since
  they have no code.

Names are matched exactly after folding (case, accents, punctuation), against the table, pycountry
and the aliases of `shared/tables/country_aliases.csv`, which give their reasons. A name that does
not match is an error: fuzzy matching alone takes "UK" for Ukraine and Kosovo for Serbia.
"""

import csv
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pycountry
from rapidfuzz import fuzz, process

TABLES = Path(__file__).parent / "tables"
TERRITORIES = ("own", "sovereign")


class Country(NamedTuple):
    """A row of the country table."""

    code: str
    name: str
    continent: str
    sovereign: str


class Suggestion(NamedTuple):
    """A known name that looks like an unknown one: for a person to judge."""

    name: str
    code: str
    score: float


class UnknownCountryError(ValueError):
    """A name or code that no rule turns into a country."""

    def __init__(self, name: str, suggestions: list[Suggestion]) -> None:
        """Say what came, what it looks like, and where to add it."""
        self.name = name
        self.suggestions = suggestions
        looks = ", ".join(f"{s.name} ({s.code}, {s.score:.0f})" for s in suggestions) or "nothing"
        super().__init__(
            f"Unknown country {name!r}. It looks like: {looks}. "
            "If it is one of these, add a row to shared/tables/country_aliases.csv."
        )

    def __reduce__(self) -> tuple[type["UnknownCountryError"], tuple[str, list[Suggestion]]]:
        """Let the error travel between processes."""
        return type(self), (self.name, self.suggestions)


def fold(name: str) -> str:
    """A name without case, accents, punctuation and a leading "the", with single spaces.

    `"St. Lucia"` and `"Saint Lucia"`, `"Bosnia & Herzegovina"` and `"Bosnia and Herzegovina"`
    fold to the same.
    """
    plain = unicodedata.normalize("NFKD", name.replace("&", " and ").casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    # Dots vanish ("U.S.A." is "usa"); other punctuation parts words ("Timor-Leste").
    words = "".join(c if c.isalnum() else " " for c in plain.replace(".", "")).split()
    if words[:1] == ["the"] and len(words) > 1:
        words = words[1:]
    return " ".join("saint" if word == "st" and len(words) > 1 else word for word in words)


def all_codes() -> list[str]:
    """All 250 codes, sorted."""
    return list(_table())


def name_of(code: str) -> str:
    """The short English name of a code; `UnknownCountryError` for no code."""
    return _country(code).name


def continent_of(code: str) -> str:
    """The continent of a code; `UnknownCountryError` for no code."""
    return _country(code).continent


def sovereign_of(code: str) -> str:
    """The state that a territory belongs to, or the code itself; see the module's notes."""
    return _country(code).sovereign


def resolve_territory(code: str, territories: str = "own") -> str:
    """The code under which a photo is counted.

    Args:
        code: the code of the place itself.
        territories: `"own"` (a territory is a class of its own) or `"sovereign"` (it is counted
            to its sovereign).

    Raises:
        ValueError: for another value of `territories`.
        UnknownCountryError: for no code.
    """
    if territories not in TERRITORIES:
        msg = f"Expected territories to be one of {TERRITORIES}, but got {territories!r}"
        raise ValueError(msg)
    return sovereign_of(code) if territories == "sovereign" else _country(code).code


def code_of(name: str) -> str:
    """The code of a country as a player or a web page names it: "USA", "Réunion", "cze".

    Args:
        name: a name, an alias, or an ISO 3166-1 alpha-2 or alpha-3 code, in any case.

    Returns:
        The code.

    Raises:
        UnknownCountryError: when nothing matches exactly after folding. Its `suggestions` are the
            known names that look most like it.
    """
    code = _names().get(fold(name))
    if code is None:
        raise UnknownCountryError(name, suggest(name))
    return code


def spellings() -> dict[str, str]:
    """The names that `code_of` accepts, as people write them, each with its code.

    The short English names come first, then the others, both by the alphabet. Codes are left out
    where nobody writes them (FRA; but USA), and so are names that fold to one that is there
    ("Aland" beside "Åland").
    """
    short = {country.name: country.code for country in _table().values()}
    found: dict[str, tuple[str, str]] = {}
    for names in (short, dict([*_aliases(), *_long_names()])):
        for name in sorted(names, key=fold):
            found.setdefault(fold(name), (name, names[name]))
    return dict(found.values())


def suggest(name: str, count: int = 3) -> list[Suggestion]:
    """Known names that look like a name, best first, at most one for each code."""
    # Codes are left out: "us" would look like half of the world's names.
    known_names = [known for known in _names() if len(known) > 3]
    found = process.extract(
        fold(name), known_names, scorer=fuzz.WRatio, limit=8 * count, score_cutoff=60
    )
    best: dict[str, Suggestion] = {}
    for known, score, _ in sorted(found, key=lambda hit: (-hit[1], hit[0])):
        code = _names()[known]
        best.setdefault(code, Suggestion(name_of(code), code, score))
    return list(best.values())[:count]


def _country(code: str) -> Country:
    country = _table().get(code)
    if country is None:
        raise UnknownCountryError(code, suggest(code))
    return country


@lru_cache(maxsize=1)
def _table() -> dict[str, Country]:
    """The country table by code, in the order of the file, which is sorted."""
    with (TABLES / "countries.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: Country(**row) for row in csv.DictReader(file)}


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """Folded names of all sources, each with its code. Two codes for one name is an error."""
    names: dict[str, str] = {}
    for name, code in _named_codes():
        folded = fold(name)
        if names.setdefault(folded, code) != code:
            msg = f"The name {name!r} stands for {code} and for {names[folded]}: remove one of them"
            raise ValueError(msg)
    return names


def _named_codes() -> list[tuple[str, str]]:
    """Names and codes of the table, the aliases, and pycountry."""
    pairs = [pair for c in _table().values() for pair in ((c.code, c.code), (c.name, c.code))]
    codes = [(country.alpha_3, country.alpha_2) for country in pycountry.countries]
    return [*pairs, *_aliases(), *_long_names(), *codes]


def _aliases() -> list[tuple[str, str]]:
    with (TABLES / "country_aliases.csv").open(encoding="utf-8", newline="") as file:
        return [(row["alias"], row["code"]) for row in csv.DictReader(file)]


def _long_names() -> list[tuple[str, str]]:
    """The names that pycountry has of a country: its name, the official and the common one."""
    fields = ("name", "official_name", "common_name")
    return [
        (name, country.alpha_2)
        for country in pycountry.countries
        for field in fields
        if (name := getattr(country, field, None))
    ]
