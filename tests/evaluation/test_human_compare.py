from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from shared.evaluation.human_compare import exact_share, mcnemar, paired_answers, versus
from shared.evaluation.human_report import player_table, verdict
from shared.evaluation.intervals import PlaceBootstrap

BOOTSTRAP = PlaceBootstrap(0, 500)
FRANCE, JAPAN = (0.2, 0.7, 0.1), (0.1, 0.2, 0.7)  # of CZ, FR, JP


def answers_of(player: str, said: dict[str, list[str]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "player": player,
            "experience": "often",
            "session": 1,
            "id": list(said),
            "answers": list(said.values()),
            "seconds": 5.0,
            "size": "32x18-crop",
        }
    )


def test_shares_have_the_exact_interval_of_the_tables() -> None:
    # 8 of 30, as the ancestor's advanced player (26.67 %): Clopper-Pearson 12.28 to 45.89 %,
    # R: binom.test(8, 30)$conf.int.
    found = exact_share(np.arange(30) < 8)
    assert (found.value, found.lower, found.upper) == pytest.approx(
        (0.266667, 0.122795, 0.458894), abs=1e-6
    )


def test_mcnemar_is_the_binomial_test_of_discordant_pairs() -> None:
    # 2 * (C(10,0) + C(10,1) + C(10,2)) / 2^10 = 112 / 1024, by hand.
    assert mcnemar(2, 8) == pytest.approx(112 / 1024)
    assert mcnemar(8, 2) == pytest.approx(112 / 1024)
    assert mcnemar(0, 0) == 1.0


def test_people_and_model_are_compared_on_the_photos_that_both_saw(
    table_of: Callable[..., pd.DataFrame],
) -> None:
    table = table_of(["FR", "FR", "JP", "JP", "CZ"], [FRANCE, JAPAN, JAPAN, FRANCE, FRANCE])
    said = {
        "photo_000": ["JP", "FR"],  # the model alone at once, the player second
        "photo_001": ["FR"],  # the player alone
        "photo_002": ["JP"],  # both
        "photo_003": [],  # no idea; the model third
        "unknown": ["FR"],  # not of this test
    }
    pairs = paired_answers(answers_of("Ann", said), table)
    assert list(pairs["people_rank"]) == [1, 0, 0, 99]
    assert list(pairs["model_rank"]) == [0, 1, 0, 2]
    found = versus(pairs, "country", BOOTSTRAP)
    assert (found.n_answers, found.n_photos) == (4, 4)
    assert (found.only_model, found.only_people) == (1, 1)
    assert found.people[1].value == found.machine[1].value == 0.5
    assert found.people[3].value == 0.75
    assert found.machine[3].value == 1.0
    assert found.difference[3].value == 0.25
    assert found.p_value == 1.0
    row = player_table(pairs).iloc[0]
    assert (row["player"], row["photos"]) == ("Ann", 4)
    assert row["top-1"].startswith("50.0 % (")


def test_a_class_that_the_model_lacks_is_never_right(
    table_of: Callable[..., pd.DataFrame],
) -> None:
    table = table_of(["KE"], [FRANCE])
    pairs = paired_answers(answers_of("Ann", {"photo_000": ["KE"]}), table)
    assert list(pairs["model_rank"]) == [99]


def test_players_together_are_drawn_by_photo_and_get_no_mcnemar(
    table_of: Callable[..., pd.DataFrame],
) -> None:
    table = table_of(["FR"] * 4, [FRANCE] * 2 + [JAPAN] * 2)
    said = {f"photo_{n:03d}": ["FR"] if n % 2 else ["JP"] for n in range(4)}
    both = pd.concat([answers_of("Ann", said), answers_of("Bob", said)], ignore_index=True)
    one = versus(paired_answers(answers_of("Ann", said), table), "m", BOOTSTRAP)
    two = versus(paired_answers(both, table), "m", BOOTSTRAP)
    assert two.n_answers == 8
    assert two.n_photos == 4
    # The same answers twice tell nothing more of which photos are hard.
    assert two.difference[1] == one.difference[1]
    assert np.isnan(two.p_value)


def outcome(
    n: int, model_right: int, people_right: int, table_of: Callable[..., pd.DataFrame]
) -> str:
    table = table_of(["FR"] * n, [FRANCE if k < model_right else JAPAN for k in range(n)])
    said = {f"photo_{k:03d}": ["FR"] if k >= n - people_right else ["JP"] for k in range(n)}
    pairs = paired_answers(answers_of("Ann", said), table)
    return verdict(versus(pairs, "country", BOOTSTRAP), 1)


def test_the_verdict_follows_from_the_numbers(table_of: Callable[..., pd.DataFrame]) -> None:
    assert verdict(None, 0).startswith("Nobody has played yet")
    assert outcome(40, 36, 8, table_of).startswith("Yes, on these photos.")
    assert outcome(40, 8, 36, table_of).startswith("No, not on these photos.")
    assert outcome(40, 20, 20, table_of).startswith("Undecided.")
    few = outcome(10, 10, 0, table_of)
    assert few.startswith("Too few to tell.")
    assert "10 photos" in few
    assert "this is one person" in outcome(40, 36, 8, table_of)


def test_no_answers_are_no_comparison(table_of: Callable[..., pd.DataFrame]) -> None:
    pairs = paired_answers(answers_of("Ann", {}), table_of(["FR"], [FRANCE]))
    with pytest.raises(ValueError, match="at least one answer"):
        versus(pairs, "country", BOOTSTRAP)
