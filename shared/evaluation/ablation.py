"""The ablation of a model of geocells: what each step adds, in order, and alone.

The trainings are the trials of a sweep over `step` and `seed`. Each answers the test places once;
"+ prototypes" is made here, from a trained step's own embeddings, by settings chosen on the
validation places. Distances are kilometres, a row a place with all its views.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.evaluation.geocell import (
    PROTOTYPES,
    PlaceAnswers,
    learn_refinement,
    right_country,
)
from shared.evaluation.geocell_facts import place_errors
from shared.evaluation.intervals import Floats, PlaceBootstrap
from shared.evaluation.seeds import Difference, SeedFigure, SeedRuns, differences, figures_of, holm
from shared.geo import haversine_km
from shared.partitions import Partition
from shared.paths import data_folder, shown
from shared.training.sweeps.trial import sweep_folder

REFINED = "prototypes"  # the step that is made here
ALONE = "only-"  # begins the name of a step that has nothing but the base and itself
COUNTRY = "country"
TESTED = "geo_score"  # the figure whose p values are given: it counts every place
RESULTS = "results.csv"
SURE = 0.05  # of the p values of all steps together


@dataclass(frozen=True)
class TrainedStep:
    """A trial of the sweep.

    Attributes:
        step: its name.
        seed: of its training.
        folder: of its best checkpoint.
    """

    step: str
    seed: int
    folder: Path


@dataclass(frozen=True)
class StepAnswer:
    """What one training, refined or not, says of the test places.

    Attributes:
        step: its name.
        seed: of its training.
        points: (P, 2) guesses, degrees.
        km: (P,) how far off they are.
        is_right_country: (P,) whether the guess lies in the true country.
        errors: of the surroundings, by fact: (P,), NaN where the truth is not known.
    """

    step: str
    seed: int
    points: Floats = field(repr=False)
    km: Floats = field(repr=False)
    is_right_country: NDArray[np.bool_] = field(repr=False)
    errors: Mapping[str, Floats] = field(default_factory=dict, repr=False)


def trained_steps(
    dataset: str, sweep: str, notebook: str = "3-training/ablation"
) -> list[TrainedStep]:
    """The finished trials of an ablation's sweep.

    Args:
        dataset: what was learned from.
        sweep: its name.
        notebook: what trains them, for the error.

    Raises:
        FileNotFoundError: when the sweep has not run, with the command that runs it.
        ValueError: when it has no finished trial, or does not vary `step` and `seed`.
    """
    path = sweep_folder(dataset, sweep) / RESULTS
    if not path.is_file():
        msg = (
            f"Expected the trials of the sweep in {shown(path)}, but there are none. Run\n"
            f"    python -m shared.pipeline --dataset {dataset} --only {notebook}"
        )
        raise FileNotFoundError(msg)
    table = pd.read_csv(path)
    if not {"step", "seed", "state", "folder"} <= set(table.columns):
        msg = f"{shown(path)}: expected a sweep over step and seed, but got {list(table.columns)}"
        raise ValueError(msg)
    done = table[table["state"] == "complete"].sort_values(["step", "seed"])
    if done.empty:
        msg = f"{shown(path)}: expected a finished trial, but none of {len(table)} is: run it again"
        raise ValueError(msg)
    runs = data_folder("3-training", dataset) / "runs" / "sweeps" / sweep
    return [
        TrainedStep(str(row["step"]), int(row["seed"]), runs / str(row["folder"]) / "best")
        for row in done.to_dict("records")
    ]


def step_answer(
    step: str,
    seed: int,
    answers: PlaceAnswers,
    points: Floats,
    known: pd.DataFrame | None = None,
    polygons: Partition | None = None,
) -> StepAnswer:
    """The answer of one training, measured.

    Args:
        step: its name.
        seed: of its training.
        answers: what it says of the test places.
        points: (P, 2) its guesses, degrees.
        known: the facts of these places, in the same order; None: none are measured.
        polygons: of countries; None: the gazetteer's nearest place tells the country.
    """
    errors = {} if known is None else place_errors(answers.facts, known)
    countries = answers.truth["country"].to_numpy(dtype=object)
    right = right_country(points, list(countries), polygons)
    return StepAnswer(step, seed, points, haversine_km(answers.points, points), right, errors)


def answers_of_step(
    trained: TrainedStep,
    cells: Partition,
    tell: Callable[[str], PlaceAnswers],
    refined_as: str | None = None,
    known: pd.DataFrame | None = None,
    polygons: Partition | None = None,
) -> list[StepAnswer]:
    """What a trial says of the test places, by its likeliest cell, and refined where asked.

    Args:
        trained: the trial.
        cells: its classes.
        tell: its answers to the places of a part: `"train"`, `"validation"` or `"test"`.
        refined_as: the name of the step with prototypes on top of this one; None: without.
        known: the facts of the test places.
        polygons: of countries.
    """
    test = tell("test")
    likeliest = cells.centres[test.probabilities().argmax(axis=1)]
    found = [step_answer(trained.step, trained.seed, test, likeliest, known, polygons)]
    if refined_as is not None:
        refinement = learn_refinement(tell("train"), tell("validation"), cells)
        points = refinement.refined(test, PROTOTYPES).points
        found.append(step_answer(refined_as, trained.seed, test, points, known, polygons))
    return found


def seed_runs(answers: Iterable[StepAnswer]) -> dict[str, SeedRuns]:
    """The answers of each step, its seeds together."""
    by_step: dict[str, list[StepAnswer]] = {}
    for one in answers:
        by_step.setdefault(one.step, []).append(one)
    found = {}
    for step, ones in by_step.items():
        ordered = sorted(ones, key=lambda one: one.seed)
        means = {COUNTRY: np.stack([o.is_right_country.astype(np.float64) for o in ordered])}
        for name in ordered[0].errors:
            means[name] = np.stack([one.errors[name] for one in ordered])
        found[step] = SeedRuns(np.stack([one.km for one in ordered]), means)
    return found


def step_order(trained: Iterable[str], order: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The steps of a table: one upon the other, and each alone.

    Args:
        trained: names of the steps that there are answers of.
        order: of all steps one upon the other, the base first, `REFINED` last.

    Returns:
        Those that there are, in order; and for each of them but the base what holds it alone: of
        the first after the base that is itself.
    """
    there = set(trained)
    upon = [step for step in order if step in there]
    alone = {}
    for number, step in enumerate(upon[1:], start=1):
        if ALONE + step in there:
            alone[step] = ALONE + step
        elif number == 1 and upon[0] == order[0] and step == order[1]:
            alone[step] = step
    return upon, alone


@dataclass(frozen=True)
class StepChange:
    """What a step changes.

    Attributes:
        step: its name.
        against: what it is compared with.
        figures: the differences, paired over places, over the seeds of both.
        p: of `TESTED`, held against the number of steps that are tested together (Holm).
    """

    step: str
    against: str
    figures: Mapping[str, Difference]
    p: float

    @property
    def verdict(self) -> str:
        """Whether the step `"helps"` or `"hurts"` by its GeoScore.

        It does where p is below `SURE`; it `"may help"` or `"may hurt"` where that is so of its own
        test alone, whose interval leaves out 0, but not of all steps tested together.
        """
        found = self.figures[TESTED].interval
        if not found.is_clear:
            return "no clear change"
        what = "help" if found.value > 0 else "hurt"
        return f"{what}s" if self.p < SURE else f"may {what}"


def step_changes(
    pairs: Sequence[tuple[str, str]], runs: Mapping[str, SeedRuns], bootstrap: PlaceBootstrap
) -> list[StepChange]:
    """What steps change, each against another, tested together.

    Args:
        pairs: of a step and what it is compared with.
        runs: the answers by step.
        bootstrap: how places are drawn; seeds are drawn with it.
    """
    found = [differences(runs[step], runs[against], bootstrap) for step, against in pairs]
    held = holm([one[TESTED].p for one in found])
    return [
        StepChange(step, against, figures, p)
        for (step, against), figures, p in zip(pairs, found, held, strict=True)
    ]


def all_figures(
    runs: Mapping[str, SeedRuns], bootstrap: PlaceBootstrap
) -> dict[str, dict[str, SeedFigure]]:
    """The figures of every step."""
    return {step: figures_of(one, bootstrap) for step, one in runs.items()}


def answers_table(answers: Sequence[StepAnswer], places: Sequence[str]) -> pd.DataFrame:
    """Every answer, a row a step, seed and place: `step, seed, place, lat, lon, km, ...`.

    Args:
        answers: of all steps and seeds.
        places: the keys of the places, in the answers' order.
    """
    parts = [
        pd.DataFrame(
            {
                "step": one.step,
                "seed": one.seed,
                "place": list(places),
                "lat": one.points[:, 0],
                "lon": one.points[:, 1],
                "km": one.km,
                "is_right_country": one.is_right_country,
                **{f"error_{name}": values for name, values in one.errors.items()},
            }
        )
        for one in answers
    ]
    return pd.concat(parts, ignore_index=True)


def ablation_document(
    figures: Mapping[str, Mapping[str, SeedFigure]], changes: Sequence[StepChange]
) -> dict[str, Any]:
    """What `metrics.json` says: every figure with its interval and seeds, and every change."""
    return {
        "steps": {
            step: {
                name: {
                    **one.interval.as_dict(),
                    "seeds": [round(float(value), 6) for value in one.seeds],
                }
                for name, one in found.items()
            }
            for step, found in figures.items()
        },
        "changes": [
            {
                "step": change.step,
                "against": change.against,
                "verdict": change.verdict,
                "p_holm": round(change.p, 6),
                "figures": {
                    name: {**one.interval.as_dict(), "p": round(one.p, 6)}
                    for name, one in change.figures.items()
                },
            }
            for change in changes
        ],
    }
