"""Figures of classification, each with an interval over places.

With N photos (or places), true class y, predicted class p, and classes k:

* top-j accuracy: share of rows whose y is among the j most probable classes;
* recall of k: TP_k / #(y = k); precision of k: TP_k / #(p = k); F1 of k: the harmonic mean of the
  two, 2 TP_k / (#(y = k) + #(p = k));
* balanced accuracy: mean recall of the classes that some row truly has (Brodersen et al., 2010);
* macro F1: mean F1 of the classes that some row truly has or is given (the mean of the F1s, as
  in scikit-learn, not the F1 of the means: Opitz and Burst, 2019, arXiv 1911.03347).

They agree with scikit-learn's `top_k_accuracy_score`, `balanced_accuracy_score`, `f1_score` and
`precision_recall_fscore_support` (the tests hold them to it), and are written as functions of
counts so that thousands of bootstrap draws are a matrix product. In a draw a class without any row
is left out of the means, as scikit-learn would.

A class that the model does not have can be true, and then every guess is wrong.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from shared.countries import continent_of, name_of
from shared.evaluation.intervals import (
    Floats,
    Interval,
    PlaceBootstrap,
    Sums,
    count_by_place,
    sum_by_place,
)
from shared.evaluation.predictions import code_matrix

TOP = (1, 3, 5)
FIGURES = ("top_1", "top_3", "top_5", "balanced_accuracy", "macro_f1")
FIGURE_TITLES = {
    "top_1": "top-1",
    "top_3": "top-3",
    "top_5": "top-5",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
}


def all_classes(table: pd.DataFrame) -> list[str]:
    """The classes that are true or guessed somewhere in a table of predictions, sorted."""
    return sorted(set(table["true_code"]) | set(table["pred_code"]))


def rank_of_truth(table: pd.DataFrame) -> NDArray[np.intp]:
    """(N,) how many classes each row ranks before the true one; K where the model lacks it."""
    hits = code_matrix(table) == table["true_code"].to_numpy(dtype=object)[:, None]
    return np.asarray(np.where(hits.any(axis=1), hits.argmax(axis=1), hits.shape[1]), dtype=np.intp)


def place_index(table: pd.DataFrame) -> tuple[NDArray[np.intp], int]:
    """(N,) the place of each row as a number, places in sorted order; and how many there are."""
    places, index = np.unique(table["place"].to_numpy(dtype=str), return_inverse=True)
    return index.astype(np.intp), len(places)


def sums_of(table: pd.DataFrame, classes: list[str]) -> dict[str, Floats]:
    """What the figures need, summed over each place.

    Args:
        table: predictions.
        classes: K classes: all that are true or guessed in the table.

    Returns:
        `rows` (P,), `top` (P, 3), and (P, K) of `true`, `guessed` and `hits`.
    """
    place, n_places = place_index(table)
    number = {code: column for column, code in enumerate(classes)}
    true = np.asarray(table["true_code"].map(number), dtype=np.intp)
    guessed = np.asarray(table["pred_code"].map(number), dtype=np.intp)
    rank, ones = rank_of_truth(table), np.ones(len(table))
    depths = np.minimum(TOP, len(table["codes"].iloc[0]))  # a class that is lacking has rank K
    shape = (n_places, len(classes))
    return {
        "rows": sum_by_place(place, ones, n_places),
        "top": sum_by_place(place, rank[:, None] < depths, n_places),
        "true": count_by_place(place, true, *shape, ones),
        "guessed": count_by_place(place, guessed, *shape, ones),
        "hits": count_by_place(place, true, *shape, true == guessed),
    }


def figures(sums: Sums) -> dict[str, Floats]:
    """The figures of `FIGURES` from sums over places, with leading axes for draws."""
    classes = class_figures(sums)
    top = sums["top"] / sums["rows"][..., None]
    return {
        **{f"top_{j}": top[..., column] for column, j in enumerate(TOP)},
        "balanced_accuracy": mean_of_known(classes["recall"]),
        "macro_f1": mean_of_known(classes["f1"]),
    }


def class_figures(sums: Sums) -> dict[str, Floats]:
    """Recall, precision and F1 of each class, (..., K); NaN where there is nothing to divide by."""
    true, guessed, hits = sums["true"], sums["guessed"], sums["hits"]
    return {
        "recall": ratio(hits, true),
        "precision": ratio(hits, guessed),
        "f1": ratio(2 * hits, true + guessed),
    }


def ratio(part: Floats, whole: Floats) -> Floats:
    """Part / whole, NaN where the whole is 0."""
    found = np.full(np.broadcast_shapes(np.shape(part), np.shape(whole)), np.nan)
    np.divide(part, whole, out=found, where=np.asarray(whole) > 0)
    return found


def mean_of_known(values: Floats) -> Floats:
    """The mean over the last axis of what is not NaN."""
    is_known = ~np.isnan(values)
    return ratio(np.where(is_known, values, 0.0).sum(axis=-1), is_known.sum(axis=-1))


def evaluate(table: pd.DataFrame, bootstrap: PlaceBootstrap) -> dict[str, Interval]:
    """The figures of `FIGURES` of a table of predictions, with intervals over its places."""
    return bootstrap.intervals(sums_of(table, all_classes(table)), figures)


def compare(
    first: pd.DataFrame, second: pd.DataFrame, bootstrap: PlaceBootstrap
) -> dict[str, Interval]:
    """The figures of `first` minus those of `second`, of the same rows, with paired intervals.

    Raises:
        ValueError: when the two are not about the same photos, places and true classes.
    """
    same = ["id", "place", "true_code"]
    if not first[same].reset_index(drop=True).equals(second[same].reset_index(drop=True)):
        msg = f"Expected predictions of the same photos, but {same} differ ({len(first)} rows here)"
        raise ValueError(msg)
    classes = sorted({*all_classes(first), *all_classes(second)})
    return bootstrap.differences(sums_of(first, classes), sums_of(second, classes), figures)


def confusion(table: pd.DataFrame, classes: list[str]) -> NDArray[np.int64]:
    """(K, K) how many rows of each true class (down) are given each class (across)."""
    found = confusion_matrix(table["true_code"], table["pred_code"], labels=classes)
    return np.asarray(found, dtype=np.int64)


def by_continent(codes: list[str]) -> list[str]:
    """Country codes ordered by continent, then name."""
    return sorted(codes, key=lambda code: (continent_of(code), name_of(code)))


def country_table(table: pd.DataFrame, bootstrap: PlaceBootstrap) -> pd.DataFrame:
    """A row for each country that is true or guessed, ordered by continent, then name.

    Returns:
        `code`, `name`, `continent`, `is_known` (the model has the class), `photos` and `places`
        (truly there), `guessed` (rows given the class), `recall`, `precision` and `f1`, each with
        `_lower` and `_upper` (NaN where undefined), `confused_with` (the code most often given to
        its photos instead, the first in order of equals; "" for none) and `confused` (how often).
    """
    classes = by_continent(all_classes(table))
    counts = confusion(table, classes)
    sums = sums_of(table, classes)
    wrong = counts - np.diag(np.diag(counts))
    worst = wrong.argmax(axis=1)
    model = set(code_matrix(table)[0])
    found = pd.DataFrame(
        {
            "code": classes,
            "name": [name_of(code) for code in classes],
            "continent": [continent_of(code) for code in classes],
            "is_known": [code in model for code in classes],
            "photos": counts.sum(axis=1),
            "places": (sums["true"] > 0).sum(axis=0),
            "guessed": counts.sum(axis=0),
            "confused": wrong.max(axis=1),
        }
    )
    found["confused_with"] = np.where(
        found["confused"] > 0, np.asarray(classes, dtype=object)[worst], ""
    )
    for name, interval in bootstrap.intervals(sums, class_figures).items():
        found[name] = interval.value
        found[f"{name}_lower"], found[f"{name}_upper"] = interval.lower, interval.upper
    return found


def split_by_knowledge(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows whose true class the model has, and rows whose true class it cannot name."""
    is_known = table["true_code"].isin(set(code_matrix(table)[0]))
    return table[is_known].reset_index(drop=True), table[~is_known].reset_index(drop=True)


def confident_mistakes(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """The mistakes of which the model was surest, at most one a place.

    Returns:
        Up to `count` rows of the table by falling confidence (then by id), with a column
        `confidence`: the probability of the guess.
    """
    wrong = table[table["true_code"] != table["pred_code"]].copy()
    wrong["confidence"] = [float(row[0]) for row in wrong["probabilities"]]
    ordered = wrong.sort_values(["confidence", "id"], ascending=[False, True])
    return ordered.drop_duplicates("place").head(count).reset_index(drop=True)
