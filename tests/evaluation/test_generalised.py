"""Generalised zero-shot accuracy, against hand counts."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hmean
from sklearn.metrics import balanced_accuracy_score

from shared.evaluation.generalised import (
    affordable_lean,
    area_under,
    chances,
    generalised,
    generalised_difference,
    harmonic,
    lean,
    seen_unseen_curve,
)
from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.predictions import ranked_probabilities

BOOTSTRAP = PlaceBootstrap(0, 200)
Tables = Callable[..., pd.DataFrame]


@pytest.fixture
def table(table_of: Tables) -> pd.DataFrame:
    """Six photos: CZ and FR were seen, JP was not."""
    codes = ["CZ", "CZ", "CZ", "FR", "JP", "JP"]
    shares = [
        [0.8, 0.1, 0.1],
        [0.6, 0.3, 0.1],
        [0.2, 0.7, 0.1],
        [0.5, 0.4, 0.1],
        [0.1, 0.2, 0.7],
        [0.6, 0.1, 0.3],
    ]
    return table_of(codes, shares)


def test_seen_and_unseen_are_means_over_their_classes(table: pd.DataFrame) -> None:
    found = generalised(table, {"CZ", "FR"}, BOOTSTRAP)
    assert found["seen"].value == pytest.approx((2 / 3 + 0) / 2)
    assert found["unseen"].value == pytest.approx(1 / 2)
    assert found["harmonic"].value == pytest.approx(hmean([1 / 3, 1 / 2]))
    assert found["unseen_alone"].value == 1.0
    photos = generalised(table, {"CZ", "FR"}, BOOTSTRAP, "photo")
    assert photos["seen"].value == pytest.approx(2 / 4)


def test_each_side_agrees_with_sklearn(random_table: pd.DataFrame) -> None:
    seen = {"CZ", "FR", "US"}
    found = generalised(random_table, seen, BOOTSTRAP)
    for side, mine in (("seen", seen), ("unseen", {"JP", "KE"})):
        rows = random_table[random_table["true_code"].isin(mine)]
        with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
            expected = balanced_accuracy_score(rows["true_code"], rows["pred_code"])
        assert found[side].value == pytest.approx(expected)
        assert found[side].lower <= found[side].value <= found[side].upper


def test_a_side_without_photos_is_not_known(table: pd.DataFrame) -> None:
    found = generalised(table, {"CZ", "FR", "JP"}, BOOTSTRAP)
    assert found["seen"].value == pytest.approx((2 / 3 + 0 + 1 / 2) / 3)
    assert np.isnan(found["unseen"].value)
    assert np.isnan(found["harmonic"].value)


def test_the_harmonic_mean_is_zero_where_a_side_is() -> None:
    assert harmonic(0.0, 0.7) == 0
    assert harmonic(0.0, 0.0) == 0
    assert harmonic(0.3, 0.6) == pytest.approx(hmean([0.3, 0.6]))
    assert np.isnan(harmonic(np.nan, 0.5))


def test_leaning_moves_guesses_to_unseen_classes(table: pd.DataFrame) -> None:
    leant = lean(table, {"CZ", "FR"}, 1.0)
    # Photo 5: 0.6 exp(-1) = 0.22 for CZ falls below 0.3 for JP; photo 1 stays, 0.22 above 0.1.
    assert list(leant["pred_code"]) == ["CZ", "CZ", "FR", "CZ", "JP", "JP"]
    unmoved = lean(table, {"CZ", "FR"}, 0.0)
    assert list(unmoved["pred_code"]) == list(table["pred_code"])
    np.testing.assert_allclose(
        ranked_probabilities(unmoved), ranked_probabilities(table), rtol=1e-5
    )


def test_the_curve_goes_from_seen_alone_to_unseen_alone(table: pd.DataFrame) -> None:
    curve = seen_unseen_curve(table, {"CZ", "FR"}, [-9, 0, 1, 9])
    assert curve["unseen"].tolist() == [0.0, 0.5, 1.0, 1.0]
    assert curve["seen"].to_numpy() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert area_under(curve) == pytest.approx(1 / 3)


def test_a_lean_is_afforded_by_seen_photos_alone(table: pd.DataFrame) -> None:
    seen_photos = table[table["true_code"] != "JP"].reset_index(drop=True)
    # Right are photos 0 and 1, at 0.8 and 0.6 against 0.1 of JP: lost from ln 8 and ln 6 on.
    amounts = [0.0, 1.0, 1.7, 1.9, 2.2]
    assert affordable_lean(seen_photos, {"CZ", "FR"}, 0.0, amounts) == 1.7
    assert affordable_lean(seen_photos, {"CZ", "FR"}, 0.5, amounts) == 1.9
    with pytest.raises(ValueError, match="amounts of 0 and above"):
        affordable_lean(seen_photos, {"CZ", "FR"}, 0.5, [-1.0])


def test_chances_are_those_of_even_guesses() -> None:
    found = chances(["CZ", "FR", "JP", "KE"], {"CZ", "FR"})
    assert found == {"seen": 0.25, "unseen": 0.25, "harmonic": 0.25, "unseen_alone": 0.5}


def test_a_difference_is_of_the_same_photos(table: pd.DataFrame) -> None:
    same = generalised_difference(table, table, {"CZ"}, BOOTSTRAP)
    assert same["seen"].value == 0
    assert same["seen"].upper == 0
    with pytest.raises(ValueError, match="same photos"):
        generalised_difference(table, table.iloc[:3], {"CZ"}, BOOTSTRAP)


def test_another_average_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="average to be one of"):
        generalised(table, {"CZ"}, BOOTSTRAP, "median")
