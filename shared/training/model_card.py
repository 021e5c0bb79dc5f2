"""The model card beside a checkpoint: what it is, what it learned from, how far to trust it.

It is written for people, from what `config.json` holds; nothing reads it, and it is no part of the
training's fingerprint. After Mitchell et al. (2019), Model Cards for Model Reporting,
arXiv 1810.03993.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shared.countries import UnknownCountryError, name_of
from shared.data_loader import DataListError, dataset_settings
from shared.paths import data_folder, root
from shared.processing.resize import settings_of

CARD = "MODEL_CARD.md"
STAGE = ("3-training", ".data")
TASKS = {
    "country": "names the country in which a photo was taken",
    "region": "names the region (admin-1: state, province) in which a photo was taken",
    "coordinates": "estimates the coordinates at which a photo was taken",
    "grid": "names the cell of a grid in which a photo was taken",
    "geocell": "names the geocell in which photos were taken, and facts of what surrounds it",
    "city_clip": "names the city nearest to where a photo was taken, told by captions alone",
}
MEASURES = {
    "validation_top1": ("right at the first guess", "%"),
    "validation_top3": ("right among the first three", "%"),
    "validation_top5": ("right among the first five", "%"),
    "validation_balanced": ("right, mean over the classes", "%"),
    "validation_median_km": ("median distance to the true place", "km"),
    "validation_mean_km": ("mean distance to the true place", "km"),
    "validation_geoscore": ("GeoScore (0 to 5000)", ""),
}
INTENDED = """\
* Research and teaching on image geolocation, on photos like those that it was trained on.
* A first guess of a country or area, with its uncertainty, that a person goes on to check.
* Games, for fun, where the rules allow it."""
OUT_OF_SCOPE = """\
* Finding, following or identifying people, or telling where a private person is or lives.
* Evidence: a guess is not proof of where a photo was taken, however sure it looks.
* Decisions about people (asylum, police, insurance, moderation) without independent checks.
* Exact addresses. Exact points are drawn only on request, and are nearly never the true place."""
LIMITS = """\
* It knows only the classes listed here. A photo from elsewhere gets one of them all the same.
* It has seen photos of one kind of source. Other cameras, seasons, indoor photos and close-ups
  are harder, and its probabilities say too much there.
* Places with few training photos are guessed too rarely; it leans towards the frequent ones.
* The validation photos chose the epoch, so the figures above flatter it a little. What it does on
  photos that played no part is measured in `4-evaluation`."""


def dataset_of(folder: Path) -> str:
    """The data set in whose part of `3-training` a folder lies; "" when it lies elsewhere.

    Args:
        folder: of a training or a checkpoint.
    """
    absolute = Path(folder).resolve()
    if not absolute.is_relative_to(root()):
        return ""
    parts = absolute.relative_to(root()).parts
    return parts[2] if parts[:2] == STAGE and len(parts) > 2 else ""


def origin_facts(folder: Path) -> dict[str, Any]:
    """What using a model needs to know of its photos: the data set, and how they were made small.

    Args:
        folder: of the training, in the data set's part of `3-training`.

    Returns:
        `dataset` ("" when the folder lies elsewhere) and `resize` (the settings of 1-resize, None
        when they are not known), for `config.json`.
    """
    dataset = dataset_of(folder)
    made = settings_of(data_folder("2-data-processing/1-resize", dataset)) if dataset else None
    return {"dataset": dataset, "resize": None if made is None else asdict(made)}


def write_card(config: Mapping[str, Any], classes: Sequence[str], folder: Path) -> Path:
    """Write the card of a checkpoint into its folder.

    Args:
        config: what the checkpoint's `config.json` holds.
        classes: the names of the classes, none for a model without.
        folder: of the checkpoint.
    """
    path = folder / CARD
    temporary = folder / f".{CARD}.{os.getpid()}.part"
    temporary.write_text(card(config, classes), encoding="utf-8")
    temporary.replace(path)
    return path


def card(config: Mapping[str, Any], classes: Sequence[str]) -> str:
    """The text of a card, in Markdown.

    Args:
        config: what the checkpoint's `config.json` holds.
        classes: the names of the classes, none for a model without.
    """
    task = str(config["task"])
    what = TASKS.get(task, "guesses where a photo was taken")
    sections = {
        "What it is": _what(config),
        "What it learned from": _data(config),
        "What it can answer": _answers(config, classes),
        "How good it is": _accuracy(config),
        "Is its confidence honest?": _calibration(config),
        "Limits": LIMITS,
        "Intended use": INTENDED,
        "Out of scope": OUT_OF_SCOPE,
        "How it was made": _made(config),
    }
    text = "\n\n".join(f"## {title}\n\n{body}" for title, body in sections.items())
    return f"# Model card: {task}\n\nThis model {what}, from its pixels alone.\n\n{text}\n"


def _what(config: Mapping[str, Any]) -> str:
    size = config["preprocessing"]
    kind = str(config.get("head", {}).get("kind", "classes"))
    return (
        f"* Network: {config['backbone']}, head: {kind}.\n"
        f"* Input: {size['width']} x {size['height']} pixels, RGB ({size['fit']}).\n"
        f"* Starting weights: {config.get('parameters', {}).get('weights', 'unknown')}."
    )


def _data(config: Mapping[str, Any]) -> str:
    lines = []
    if dataset := config.get("dataset"):
        lines += _dataset_lines(str(dataset))
    lines += [f"* List `{step}`, digest `{digest}`." for step, digest in config["lists"].items()]
    facts = config.get("facts", {})
    for key in ("training_photos", "validation_photos"):
        if key in facts:
            lines.append(f"* {key.replace('_', ' ').capitalize()}: {facts[key]:,}.")
    if made := config.get("resize"):
        size = f"{made['width']} x {made['height']} ({made['fit']}), JPEG {made['quality']}"
        lines.append(f"* The photos were first made small: {size}.")
    return "\n".join(lines) or "Not recorded."


def _dataset_lines(dataset: str) -> list[str]:
    try:
        settings = dataset_settings(dataset)
    except (FileNotFoundError, DataListError):
        return [f"* Data set: {dataset}."]
    lines = [f"* Data set: {dataset} ({settings.title})."]
    if settings.synthetic:
        lines.append(
            "* **Synthetic**: its photos are painted by rules. It knows nothing of real photos."
        )
    if settings.licence:
        lines.append(f"* Licence of the photos: {settings.licence.rstrip('.')}.")
    return lines


def _answers(config: Mapping[str, Any], classes: Sequence[str]) -> str:
    codes = [str(code) for code in config.get("classes", [])]
    if not codes:
        return "Coordinates anywhere on Earth; what it has seen no photos of, it does not know."
    names = [_named(code, name) for code, name in zip(codes, classes, strict=True)]
    shown = ", ".join(names[:300])
    more = f", and {len(names) - 300} more (`config.json`)" if len(names) > 300 else ""
    kind = "countries" if config["task"] == "country" else "classes"
    return f"{len(names)} {kind}: {shown}{more}."


def _named(code: str, name: str) -> str:
    try:
        return f"{name_of(code)} ({code})"
    except UnknownCountryError:
        return name


def _accuracy(config: Mapping[str, Any]) -> str:
    measures = config.get("measures", {})
    rows = [
        f"| {title} | {_figure(float(measures[key]), unit)} |"
        for key, (title, unit) in MEASURES.items()
        if isinstance(measures.get(key), int | float)
    ]
    if not rows:
        return "Not measured yet."
    n_photos = config.get("facts", {}).get("validation_photos")
    counted = f", {n_photos:,} photos" if n_photos else ""
    head = f"| on the validation list{counted} | |\n|---|---|\n"
    return head + "\n".join(rows)


def _figure(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.1f} %"
    return f"{value:,.0f} {unit}".strip()


def _calibration(config: Mapping[str, Any]) -> str:
    if not config.get("classes"):
        return "It gives points; see its head for whether they come with a spread."
    temperature = config.get("temperature")
    if temperature is None:
        return (
            "Not calibrated: its probabilities may be too sure. `4-evaluation` draws its "
            "reliability and the calibration error."
        )
    leaning = "too sure" if temperature > 1 else "too modest"
    return (
        f"Its logits are divided by a temperature of {temperature:.3f}, fitted on the validation "
        f"photos: as trained it was {leaning}. `4-evaluation` draws the reliability before and "
        "after."
    )


def _made(config: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {v}" for name, v in config.get("versions", {}).items())
    lines = [
        f"* Commit: `{config.get('commit', 'unknown')}`"
        + (" with changes that were not committed." if config.get("is_dirty") else "."),
        f"* Seed {config.get('seed')}, epoch {config.get('epoch', 'unknown')}.",
        f"* Fingerprint of the training: `{config.get('fingerprint', 'unknown')}`.",
        f"* {versions}." if versions else "",
        "* All parameters: `config.json`.",
    ]
    return "\n".join(line for line in lines if line)
