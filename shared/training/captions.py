"""Captions of places, from templates with optional parts: drawn anew for each photo and epoch.

A template holds facts in braces and optional parts in square brackets:
`"A Street View photo[ close to the town of {city}][ in the region of {region}] in {country}."` A
part is left out where one of its facts is not known, or where the draw says so. So is a whole
sentence of `CaptionStyle.extras`. A caption follows from the facts, the style, the photo's id, the
seed and the epoch alone.

Facts: `country`, `region`, `city`, `climate`, `driving_side`, `month`, `facing`, and what the
coordinates alone say: `continent`, `near`, `belt`, `position` (see `caption_facts`).

Sources of the published styles: StreetCLIP (Haas, Alberti and Skreta, 2023, arXiv 2302.00275) for
its location sentence; PIGEON (Haas, Skreta, Alberti and Finn, 2023, arXiv 2307.05845) and its
released code for which parts are drawn how often. The other sentences are our own.
"""

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

FACTS = (
    "country",
    "region",
    "city",
    "climate",
    "driving_side",
    "month",
    "facing",
    "continent",
    "near",
    "belt",
    "position",
)
PART = re.compile(r"\[([^\[\]]*)\]")
FACT = re.compile(r"\{(\w*)\}")

SENTENCES = {
    "climate": "The climate here is {climate}.",
    "driving_side": "Traffic keeps to the {driving_side}.",
    "facing": "The camera looks {facing}.",
    "month": "It was taken in {month}.",
    "continent": "This is in {continent}.",
    "near": "It is not far from {near}.",
    "belt": "It lies in {belt}.",
    "position": "It lies near {position}.",
}
STREET = (
    "A Street View photo[ close to the town of {city}][ in the region of {region}] in {country}."
)
PHOTO = "A photo I took[ close to the town of {city}][ in the region of {region}] in {country}."


def facts_of_template(template: str) -> list[str]:
    """The facts that a template names, in order.

    Raises:
        ValueError: for a name that is no fact, or brackets that do not pair.
    """
    bare = PART.sub("", template)
    names = FACT.findall(template)
    unknown = [name for name in names if name not in FACTS]
    if unknown or any(c in FACT.sub("", bare) for c in "[]{}"):
        msg = (
            f"Expected facts out of {FACTS} in braces and optional parts in square brackets, not "
            f"nested, but got {template!r} (unknown: {unknown})"
        )
        raise ValueError(msg)
    return [str(name) for name in names]


@dataclass(frozen=True)
class CaptionStyle:
    """What captions look like.

    Attributes:
        location: the template of the first sentence.
        extras: templates of further sentences, by the name of what they tell.
        chances: how likely each optional part and each extra is, 0 to 1, by its fact or name; 1
            where none is given. A part with several facts takes the smallest of theirs.
        keep_location: how likely the location sentence stays once one of the extras of `instead`
            was drawn: without it the caption must be told by what can be seen.
        instead: the extras that may stand without the location sentence.
        excludes: pairs of extras of which the second is drawn only without the first.
        is_shuffled: whether the extras come in a drawn order.
    """

    location: str = STREET
    extras: Mapping[str, str] = field(default_factory=dict)
    chances: Mapping[str, float] = field(default_factory=dict)
    keep_location: float = 1.0
    instead: tuple[str, ...] = ("climate",)
    excludes: tuple[tuple[str, str], ...] = ()
    is_shuffled: bool = True

    def __post_init__(self) -> None:
        """Hold templates to the facts that there are, and chances to 0..1."""
        for template in (self.location, *self.extras.values()):
            facts_of_template(template)
        for name, chance in {**self.chances, "keep_location": self.keep_location}.items():
            if not 0 <= chance <= 1:
                msg = f"Expected a chance from 0 to 1 for {name!r}, but got {chance}"
                raise ValueError(msg)
        known = {*FACTS, *self.extras}
        if strange := sorted(set(self.chances) - known):
            msg = f"Expected chances of facts or extras out of {sorted(known)}, but got {strange}"
            raise ValueError(msg)


STYLES: Mapping[str, CaptionStyle] = {
    "streetclip": CaptionStyle(),
    "pigeon": CaptionStyle(
        STREET,
        {name: SENTENCES[name] for name in ("climate", "driving_side", "facing", "month")},
        {
            "region": 0.6,
            "city": 0.4,
            "climate": 0.4,
            "driving_side": 0.3,
            "facing": 0.3,
            "month": 0.3,
        },
        keep_location=0.7,
        excludes=(("climate", "driving_side"),),
    ),
    "pigeotto": CaptionStyle(
        PHOTO,
        {name: SENTENCES[name] for name in ("climate", "driving_side")},
        {"climate": 0.45, "driving_side": 0.2},
        keep_location=0.8,
        excludes=(("climate", "driving_side"),),
    ),
    # The published sentences and, beside them, what places have in common across borders, half of
    # the time without the country's name: so its words are learned, and a country without photos
    # can be told by its neighbours and its latitude.
    "attributes": CaptionStyle(
        STREET,
        {
            name: SENTENCES[name]
            for name in (
                "climate",
                "driving_side",
                "month",
                "continent",
                "near",
                "belt",
                "position",
            )
        },
        {
            "region": 0.6,
            "city": 0.4,
            "climate": 0.5,
            "driving_side": 0.5,
            "month": 0.3,
            "continent": 0.5,
            "near": 0.5,
            "belt": 0.5,
            "position": 0.5,
        },
        keep_location=0.5,
        instead=("climate", "driving_side", "continent", "near", "belt", "position"),
    ),
}


def style_named(
    name: str,
    location: str = "",
    extras: Mapping[str, str] | None = None,
    chances: Mapping[str, float] | None = None,
) -> CaptionStyle:
    """A style of `STYLES`, with changes.

    Args:
        name: of the style.
        location: another template for the first sentence; "" for the style's own.
        extras: sentences to add or to change, by name; "" takes one out.
        chances: chances to change, by fact or name.

    Raises:
        ValueError: for an unknown style, a fact that there is none of, or a chance out of range.
    """
    if name not in STYLES:
        msg = f"Expected a style out of {list(STYLES)}, but got {name!r}"
        raise ValueError(msg)
    style = STYLES[name]
    sentences = {k: v for k, v in {**style.extras, **(extras or {})}.items() if v}
    odds = {**style.chances, **(chances or {})}
    left = {k: v for k, v in odds.items() if k in FACTS or k in sentences}
    return CaptionStyle(
        location or style.location,
        sentences,
        left,
        style.keep_location,
        style.instead,
        style.excludes,
        style.is_shuffled,
    )


def fill(
    template: str,
    facts: Mapping[str, str],
    draw: random.Random | None = None,
    chances: Mapping[str, float] | None = None,
) -> str:
    """A template with its facts; "" where a fact outside the optional parts is not known.

    Args:
        template: with facts in braces and optional parts in brackets.
        facts: by name; "" or absent where not known.
        draw: decides about optional parts; None keeps all that are known.
        chances: of the parts, by fact; 1 where none is given.
    """
    odds = chances or {}

    def part(found: re.Match[str]) -> str:
        names = FACT.findall(found[1])
        chance = min((odds.get(name, 1.0) for name in names), default=1.0)
        is_drawn = draw is None or draw.random() < chance
        return found[1] if is_drawn and all(facts.get(name) for name in names) else ""

    kept = PART.sub(part, template)
    if not all(facts.get(name) for name in FACT.findall(kept)):
        return ""
    return FACT.sub(lambda found: facts[found[1]], kept)


def caption(facts: Mapping[str, str], style: CaptionStyle, draw: random.Random) -> str:
    """One caption; "" where nothing that the style tells is known.

    Where the draws leave nothing, the location sentence stays; where that lacks its facts, the
    first sentence that can be told does.
    """
    told: dict[str, str] = {}
    for name, template in style.extras.items():
        is_drawn = draw.random() < style.chances.get(name, 1.0)
        barred = any(second == name and first in told for first, second in style.excludes)
        if is_drawn and not barred and (sentence := fill(template, facts)):
            told[name] = sentence
    location = fill(style.location, facts, draw, style.chances)
    has_location = (
        not any(name in told for name in style.instead) or draw.random() < style.keep_location
    )
    extras = list(told.values())
    if style.is_shuffled:
        draw.shuffle(extras)
    if not has_location and extras:
        return " ".join(extras)
    if not location and not extras:
        known = (fill(template, facts) for template in style.extras.values())
        return next((sentence for sentence in known if sentence), "")
    return " ".join(part for part in (location, *extras) if part)


def captions(facts: pd.DataFrame, style: CaptionStyle, seed: int, epoch: int = 0) -> list[str]:
    """A caption for each photo, drawn by its id, the seed and the epoch.

    Args:
        facts: indexed by id: some or all of `FACTS` as texts, "" where not known.
        style: what the captions look like.
        seed: feeds the draws.
        epoch: another epoch draws other captions.

    Returns:
        N captions, in the order of the rows.

    Raises:
        ValueError: when nothing that the style tells is known of a photo.
    """
    columns = [name for name in FACTS if name in facts.columns]
    rows = facts[columns].to_dict("records")
    found = []
    for name, row in zip(facts.index, rows, strict=True):
        text = caption({str(k): v for k, v in row.items()}, style, draw_of(str(name), seed, epoch))
        if not text:
            msg = f"Expected facts that the captions can tell, but nothing is known of {name}"
            raise ValueError(msg)
        found.append(text)
    return found


def draw_of(name: str, seed: int, epoch: int) -> random.Random:
    """The draws of one photo in one epoch, whatever other photos there are."""
    key = hashlib.blake2b(f"caption:{seed}:{epoch}:{name}".encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(key, "big"))


def same_captions(texts: Sequence[str]) -> list[int]:
    """A number for each caption: equal captions have equal numbers, counted from 0."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(text, len(numbers)) for text in texts]
