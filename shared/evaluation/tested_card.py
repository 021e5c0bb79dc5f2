"""The model card with what the test found: `MODEL_CARD.md` beside `metrics.json`.

A checkpoint stays as its training left it, whose outputs are known by their digests: so the card of
the training is written anew in the folder of the evaluation, with a section more.
"""

from collections.abc import Mapping
from pathlib import Path

from shared.evaluation.trust import Trust
from shared.runs import write_atomically
from shared.training.checkpoint import Checkpoint
from shared.training.model_card import CARD, card

CREDIBLE_LEVEL = 0.9
BEFORE = "## Limits\n"  # the section of the training's card that the test's comes before


def write_tested_card(
    model: Checkpoint,
    headline: Mapping[str, str],
    trust: Trust,
    tested_on: str,
    folder: Path,
) -> Path:
    """Write the card of a model that was tested.

    Args:
        model: the checkpoint.
        headline: the figures of the test, as text with their intervals.
        trust: calibration, credible areas and leakage on the test.
        tested_on: which photos, how many, and whether they are synthetic.
        folder: of the evaluation.
    """
    names = [] if model.partition is None else list(model.partition.names)
    text = card(model.config, names)
    write_atomically(folder / CARD, with_test(text, headline, trust, tested_on))
    return folder / CARD


def with_test(text: str, headline: Mapping[str, str], trust: Trust, tested_on: str) -> str:
    """A card with a section on the test before that on its limits."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in headline.items())
    lines = "\n".join(f"* {line}" for line in trust_lines(trust))
    section = (
        "## On photos that it has never seen\n\n"
        f"{tested_on}. Brackets hold 95 % intervals over places.\n\n"
        f"| on the test list | |\n|---|---|\n{rows}\n\n{lines}\n\n"
    )
    if text.count(BEFORE) != 1:
        msg = f"Expected a card with one section {BEFORE.strip()!r}, got {text.count(BEFORE)} of it"
        raise ValueError(msg)
    return text.replace(BEFORE, section + BEFORE)


def trust_lines(trust: Trust) -> list[str]:
    """How honest its confidence and its test are, in sentences."""
    lines = []
    if (made := trust.tempering) is not None:
        lines.append(
            f"Calibration error (ECE) {made.before.ece.percent()} as it is, "
            f"{made.after.ece.percent()} with its temperature."
        )
    for one in trust.coverage:
        if one.level == CREDIBLE_LEVEL:
            lines.append(
                f"Areas that should hold the truth in {100 * one.level:g} % of the cases hold it "
                f"in {one.holds.percent()}."
            )
    if trust.leakage.is_honest:
        return [*lines, "The leakage audit found nothing against the test."]
    return [*lines, "**Not an honest test**: " + " ".join(trust.leakage.warnings)]
