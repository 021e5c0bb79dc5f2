"""The ablation: trials of a sweep, steps upon one another and alone, what each of them changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared.evaluation import ablation as code
from shared.evaluation.ablation import (
    StepAnswer,
    TrainedStep,
    ablation_document,
    all_figures,
    answers_of_step,
    answers_table,
    seed_runs,
    step_answer,
    step_changes,
    step_order,
    trained_steps,
)
from shared.evaluation.ablation_tables import (
    change_line,
    changes_frame,
    step_titles,
    steps_figure,
    steps_frame,
    tasks_frame,
)
from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.published import PUBLISHED
from shared.evaluation.published_ablation import STEPS as PUBLISHED_STEPS
from shared.evaluation.published_ablation import published_steps
from shared.paths import ROOT_VARIABLE
from shared.training.geocell_steps import ORDER
from tests.evaluation.test_geocell import EAST, TRAIN, WEST, answers, two_cells

BOOTSTRAP = PlaceBootstrap(0, 300)
HELD = ["base", "smoothing", "views", "only-views", "prototypes", "only-prototypes"]


def write_results(root: Path, rows: list[dict[str, object]]) -> None:
    folder = root / "3-training" / ".data" / "tiny" / "sweeps" / "abl"
    folder.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(folder / "results.csv", index=False)


def answer(step: str, seed: int, km: list[float], errors: bool = False) -> StepAnswer:
    """An answer whose guesses are right about the country below 100 km."""
    array = np.asarray(km, dtype=float)
    facts = {"elevation_m": array / 10, "month": (array < 50).astype(float)} if errors else {}
    return StepAnswer(step, seed, np.zeros((len(km), 2)), array, array < 100, facts)


def many(step: str, shift: float) -> list[StepAnswer]:
    km = np.linspace(10, 900, 60)
    return [answer(step, seed, list(km + shift + seed), errors=True) for seed in range(3)]


def test_trials_are_those_that_are_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    write_results(
        tmp_path,
        [
            {"state": "complete", "step": "views", "seed": 1, "folder": "b"},
            {"state": "fail", "step": "views", "seed": 2, "folder": ""},
            {"state": "complete", "step": "base", "seed": 0, "folder": "a"},
        ],
    )
    found = trained_steps("tiny", "abl")
    assert [(one.step, one.seed) for one in found] == [("base", 0), ("views", 1)]
    runs = tmp_path / "3-training" / ".data" / "tiny" / "runs" / "sweeps" / "abl"
    assert found[0].folder == runs / "a" / "best"


def test_a_sweep_that_has_not_run_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match="--dataset tiny --only 3-training/ablation"):
        trained_steps("tiny", "abl")
    write_results(tmp_path, [{"state": "fail", "step": "base", "seed": 0, "folder": ""}])
    with pytest.raises(ValueError, match="none of 1 is"):
        trained_steps("tiny", "abl")


def test_another_sweep_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    write_results(tmp_path, [{"state": "complete", "lr": 0.1, "folder": "a"}])
    with pytest.raises(ValueError, match="a sweep over step and seed"):
        trained_steps("tiny", "abl")


def test_an_answer_is_measured_in_km_and_by_its_facts() -> None:
    made = answers([(0, 0), (0, 1)], [WEST, WEST])
    known = pd.DataFrame({"elevation_m": [5.0, 7.0]})
    facts = {"elevation_m": np.array([6.0, 10.0])}
    told = replace(made, facts=facts)
    found = step_answer("tasks", 1, told, np.array([[0.0, 0.0], [0.0, 0.0]]), known)
    # A degree of the equator of a sphere of 6,371.0088 km.
    assert found.km == pytest.approx([0, 111.195], abs=1e-3)
    assert found.errors["elevation_m"].tolist() == [1, 3]


def test_prototypes_are_made_on_top_of_a_trial(tmp_path: Path) -> None:
    parts = {
        "train": answers(TRAIN, [WEST] * 8 + [EAST] * 4),
        "validation": answers([(2.04, 2.03), (8.02, 8.07), (2.03, 12.04)], [WEST, WEST, EAST]),
        "test": answers([(8.04, 8.04), (2.06, 12.06)], [WEST, EAST]),
    }
    trained = TrainedStep("views", 2, tmp_path)
    found = answers_of_step(trained, two_cells(), parts.__getitem__, "prototypes")
    assert [(one.step, one.seed) for one in found] == [("views", 2), ("prototypes", 2)]
    assert found[0].km.min() > 400  # the cells' middles
    assert found[1].km.max() < 10  # the places of the right clusters
    alone = answers_of_step(trained, two_cells(), {"test": parts["test"]}.__getitem__)
    assert [one.step for one in alone] == ["views"]


def test_steps_stand_in_their_order_and_alone_where_they_were_trained_alone() -> None:
    upon, alone = step_order(HELD, [*ORDER, "prototypes"])
    assert upon == ["base", "smoothing", "views", "prototypes"]
    assert alone == {
        "smoothing": "smoothing",  # the first after the base has nothing else
        "views": "only-views",
        "prototypes": "only-prototypes",
    }


def test_a_step_that_helps_at_every_place_is_told_from_one_that_does_nothing() -> None:
    runs = seed_runs([*many("base", 300), *many("smoothing", 0), *many("views", 0)])
    assert runs["base"].n_seeds == 3
    first, second = step_changes([("smoothing", "base"), ("views", "smoothing")], runs, BOOTSTRAP)
    assert (first.verdict, second.verdict) == ("helps", "no clear change")
    assert first.figures["median_km"].interval.value == pytest.approx(-300)
    assert first.p == pytest.approx(2 * 2 / 301)  # the smaller p, times two tests
    back = step_changes([("base", "smoothing")], runs, BOOTSTRAP)[0]
    assert back.verdict == "hurts"
    # Clear alone, with a p of 0.02, but not among three tests.
    assert replace(first, p=3 * 0.02).verdict == "may help"
    titles = step_titles(runs)
    line = change_line(first, titles)
    assert "+ label smoothing by distance helps against base" in line
    assert "median -300" in line


def test_tables_hold_a_row_a_step_with_interval_and_spread() -> None:
    made = [one for step in HELD for one in many(step, 10.0 * len(step))]
    runs = seed_runs(made)
    figures, titles = all_figures(runs, BOOTSTRAP), step_titles(runs)
    upon, alone = step_order(runs, [*ORDER, "prototypes"])
    table = steps_frame(figures, upon, titles)
    assert list(table.index) == [
        "base",
        "+ label smoothing by distance",
        "+ four views",
        "+ prototypes",
    ]
    assert list(table)[:3] == ["country", "mean km", "median km"]
    # 455 is the mean and the median of 10 to 900; base adds 40, seeds 0, 1 and 2.
    assert str(table.loc["base", "mean km"]).startswith("496.0 (")
    assert str(table.loc["base", "mean km"]).endswith("± 1.0")
    tasks = tasks_frame(figures, upon, titles)
    assert list(tasks) == ["elevation, m", "month, % right"]
    assert str(tasks.loc["base", "elevation, m"]).startswith("50 (")
    changes = step_changes([("views", "base")], runs, BOOTSTRAP)
    assert changes_frame(changes, titles).loc["+ four views minus base", ""] == "hurts"
    document = ablation_document(figures, changes)
    assert document["steps"]["base"]["mean_km"]["seeds"] == [495, 496, 497]
    figure = steps_figure(figures, upon, alone, titles, "note")
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "GeoScore, of 5,000",
        "median distance, km",
    ]


def test_every_answer_is_kept() -> None:
    table = answers_table(
        [answer("base", 0, [1, 200], errors=True), answer("views", 1, [3, 4])], "ab"
    )
    assert table[["step", "seed", "place"]].to_numpy().tolist() == [
        ["base", 0, "a"],
        ["base", 0, "b"],
        ["views", 1, "a"],
        ["views", 1, "b"],
    ]
    assert table["is_right_country"].tolist() == [True, False, True, True]
    assert table["error_month"].isna().tolist() == [False, False, True, True]


def test_published_steps_end_in_the_published_result() -> None:
    final = next(row for row in PUBLISHED if row.name == "PIGEON").figures
    assert PUBLISHED_STEPS["prototypes"] == (
        final["country"],
        final["median_km"],
        final["geo_score"],
    )
    assert list(PUBLISHED_STEPS) == [*ORDER, code.REFINED]
    table = published_steps({"views": "+ four views"})
    assert list(table.loc["+ four views"]) == ["87.64 %", "60.81", "4,442"]
    assert list(table.loc["base"]) == ["72.12 %", "148", "3,890"]
