from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import metrics as sk
from torchmetrics.classification import MulticlassAccuracy

from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.metrics import (
    all_classes,
    by_continent,
    class_figures,
    compare,
    confident_mistakes,
    confusion,
    country_table,
    evaluate,
    figures,
    place_index,
    rank_of_truth,
    split_by_knowledge,
    sums_of,
)
from shared.evaluation.predictions import class_probabilities

TableOf = Callable[..., pd.DataFrame]
FEW_DRAWS = PlaceBootstrap(seed=0, draws=40)


def values_of(table: pd.DataFrame) -> dict[str, float]:
    return {name: found.value for name, found in evaluate(table, FEW_DRAWS).items()}


def test_figures_agree_with_scikit_learn(random_table: pd.DataFrame) -> None:
    found = values_of(random_table)
    true, guessed = random_table["true_code"], random_table["pred_code"]
    assert found["top_1"] == pytest.approx(sk.accuracy_score(true, guessed))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(true, guessed))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(true, guessed, average="macro"))


def test_top_k_agrees_with_scikit_learn_and_torchmetrics(random_table: pd.DataFrame) -> None:
    known, _ = split_by_knowledge(random_table)
    found = values_of(known)
    classes, probabilities = class_probabilities(known)
    for k in (1, 3):
        expected = sk.top_k_accuracy_score(known["true_code"], probabilities, k=k, labels=classes)
        assert found[f"top_{k}"] == pytest.approx(expected)
    assert found["top_5"] == 1.0  # of four classes
    measure = MulticlassAccuracy(len(classes), top_k=3, average="micro")
    truth = torch.tensor([classes.index(code) for code in known["true_code"]])
    assert found["top_3"] == pytest.approx(float(measure(torch.tensor(probabilities), truth)))


def test_figures_of_a_hand_count(table_of: TableOf) -> None:
    # CZ: right, second, third. FR: right. JP: second.
    rows = [[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.1, 0.6, 0.3], [0.2, 0.7, 0.1], [0.5, 0.2, 0.3]]
    found = values_of(table_of(["CZ", "CZ", "CZ", "FR", "JP"], rows))
    assert found["top_1"] == pytest.approx(2 / 5)
    assert found["top_3"] == found["top_5"] == 1.0
    assert found["balanced_accuracy"] == pytest.approx((1 / 3 + 1 + 0) / 3)
    # F1: CZ 2*1/(3+2), FR 2*1/(1+3), JP 0/(1+0).
    assert found["macro_f1"] == pytest.approx((2 / 5 + 2 / 4 + 0) / 3)


def test_a_class_that_the_model_lacks_is_never_right(table_of: TableOf) -> None:
    table = table_of(["KE", "CZ"], [[0.6, 0.3, 0.1], [0.6, 0.3, 0.1]])
    assert list(rank_of_truth(table)) == [3, 0]
    found = values_of(table)
    assert found["top_5"] == 0.5
    assert found["balanced_accuracy"] == 0.5


def test_a_draw_is_what_scikit_learn_says_of_the_drawn_photos(random_table: pd.DataFrame) -> None:
    place, n_places = place_index(random_table)
    classes = all_classes(random_table)
    sums = sums_of(random_table, classes)
    weights = next(PlaceBootstrap(seed=3, draws=8).weights(n_places))
    drawn = {name: weights @ array for name, array in sums.items()}
    found, by_class = figures(drawn), class_figures(drawn)
    for draw in range(8):
        photos = random_table.iloc[np.repeat(np.arange(200), weights[draw][place].astype(int))]
        true, guessed = photos["true_code"], photos["pred_code"]
        assert found["top_1"][draw] == pytest.approx(sk.accuracy_score(true, guessed))
        f1 = sk.f1_score(true, guessed, average="macro", zero_division=0)
        assert found["macro_f1"][draw] == pytest.approx(f1)
        present = sorted(set(true))
        recall = sk.recall_score(true, guessed, labels=present, average=None, zero_division=0)
        assert found["balanced_accuracy"][draw] == pytest.approx(recall.mean())
        kept = [classes.index(code) for code in present]
        assert by_class["recall"][draw][kept] == pytest.approx(recall)


def test_country_table_agrees_with_scikit_learn(random_table: pd.DataFrame) -> None:
    found = country_table(random_table, FEW_DRAWS).set_index("code")
    classes = sorted(found.index)
    precision, recall, f1, n = sk.precision_recall_fscore_support(
        random_table["true_code"], random_table["pred_code"], labels=classes, zero_division=np.nan
    )
    found = found.loc[classes]
    assert found["photos"].to_numpy() == pytest.approx(n)
    assert found["recall"].to_numpy() == pytest.approx(recall)
    assert found["precision"].to_numpy() == pytest.approx(precision, nan_ok=True)
    assert found["f1"].to_numpy() == pytest.approx(f1)
    inside = found["recall_lower"] <= found["recall"]
    assert (inside & (found["recall"] <= found["recall_upper"])).all()
    assert not found.loc["US", "is_known"]
    assert found.drop(index="US")["is_known"].all()


def test_country_table_of_a_hand_count(table_of: TableOf) -> None:
    to_cz, to_fr, to_jp = [0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.1, 0.3, 0.6]
    codes = ["CZ", "CZ", "CZ", "CZ", "FR"]
    places = ["a", "a", "b", "c", "d"]
    table = table_of(codes, [to_cz, to_fr, to_fr, to_jp, to_fr], places)
    found = country_table(table, FEW_DRAWS)
    # Asia before Europe, and by name within: Japan, Czechia, France.
    assert list(found["code"]) == ["JP", "CZ", "FR"]
    assert list(found["photos"]) == [0, 4, 1]
    assert list(found["places"]) == [0, 3, 1]
    assert list(found["guessed"]) == [1, 1, 3]
    assert list(found["recall"])[1:] == [0.25, 1.0]
    assert np.isnan(found["recall"].iloc[0])
    assert list(found["precision"]) == [0.0, 1.0, pytest.approx(1 / 3)]
    assert list(found["confused_with"]) == ["", "FR", ""]
    assert list(found["confused"]) == [0, 2, 0]


def test_confusion_counts_true_rows_and_guessed_columns(table_of: TableOf) -> None:
    table = table_of(["CZ", "CZ"], [[0.6, 0.3, 0.1], [0.3, 0.6, 0.1]])
    assert confusion(table, ["CZ", "FR"]).tolist() == [[1, 1], [0, 0]]


def test_countries_are_ordered_by_continent_then_name() -> None:
    codes = ["US", "JP", "DE", "CZ", "KE", "BR", "AU"]
    expected = ["KE", "JP", "CZ", "DE", "US", "AU", "BR"]
    assert by_continent(codes) == expected


def test_comparison_is_the_difference_of_the_figures(
    random_table: pd.DataFrame, table_of: TableOf
) -> None:
    uniform = [[0.25] * 4] * len(random_table)
    codes, places = list(random_table["true_code"]), list(random_table["place"])
    other = table_of(codes, uniform, places, ["CZ", "FR", "JP", "KE"])
    found = compare(random_table, other, FEW_DRAWS)
    first, second = values_of(random_table), values_of(other)
    for name, interval in found.items():
        assert interval.value == pytest.approx(first[name] - second[name])
        assert interval.lower <= interval.value <= interval.upper


def test_predictions_of_other_photos_are_not_compared(
    random_table: pd.DataFrame, table_of: TableOf
) -> None:
    with pytest.raises(ValueError, match="same photos"):
        compare(random_table, table_of(["CZ"], [[1.0, 0, 0]]), FEW_DRAWS)


def test_confident_mistakes_are_one_a_place_the_surest_first(table_of: TableOf) -> None:
    rows = [[0.9, 0.1, 0.0], [0.95, 0.05, 0.0], [0.99, 0.01, 0.0], [0.8, 0.1, 0.1]]
    table = table_of(["FR", "FR", "CZ", "JP"], rows, ["a", "a", "b", "c"])
    found = confident_mistakes(table, 5)
    assert list(found["id"]) == ["photo_001", "photo_003"]
    assert list(found["confidence"]) == pytest.approx([0.95, 0.8])
    assert list(confident_mistakes(table, 1)["id"]) == ["photo_001"]
