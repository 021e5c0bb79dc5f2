"""Views of a place: grouping, fillers that count for nothing, and networks that join them."""

import pytest
import torch

from shared.training.views import (
    POOLINGS,
    AttentionViews,
    LstmViews,
    MeanViews,
    drawn_order,
    drawn_views,
    group_views,
    is_view,
    view_pooling,
)


def padded(counts: list[int], width: int = 3) -> torch.Tensor:
    torch.manual_seed(1)
    features = torch.rand(len(counts), max(counts), width)
    for row, count in enumerate(counts):
        features[row, count:] = torch.nan
    return features


def test_photos_are_grouped_by_place_in_the_order_of_their_headings() -> None:
    views = group_views(["b", "a", "b", "b"], [270, 10, 0, 180])
    assert views.places == ["a", "b"]
    assert views.rows.tolist() == [[1, -1, -1], [2, 3, 0]]
    assert views.counts.tolist() == [1, 3]
    assert views.first(2).rows.tolist() == [[1, -1], [2, 3]]
    assert views.only(views.counts > 1).places == ["b"]


def test_rows_of_a_longer_list_are_kept_and_more_views_than_wanted_are_not() -> None:
    views = group_views(["a", "a", "b"], [1, 0, 0], rows=[7, 8, 9], limit=1)
    assert views.rows.tolist() == [[8], [9]]


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="a place, an order and a row"):
        group_views(["a"], [1, 2])


def test_an_order_that_is_drawn_follows_from_ids_and_seed() -> None:
    ids = [f"photo_{n}" for n in range(50)]
    assert drawn_order(ids, 0).tolist() == drawn_order(ids, 0).tolist()
    assert drawn_order(ids, 0).tolist() != drawn_order(ids, 1).tolist()
    whole = dict(zip(ids, drawn_order(ids, 3).tolist(), strict=True))
    some = drawn_order(ids[::2], 3).argsort()
    assert [ids[::2][i] for i in some] == sorted(ids[::2], key=lambda name: whole[name])


@pytest.mark.parametrize("name", POOLINGS)
def test_fillers_change_nothing(name: str) -> None:
    torch.manual_seed(0)
    pooling = view_pooling(name, 3).eval()
    features = padded([2])
    real = torch.tensor([[True, True, False, False]])
    longer = torch.cat([features, torch.full((1, 2, 3), 99.0)], dim=1)
    short = pooling(features, real[:, :2])
    torch.testing.assert_close(pooling(longer, real), short)


def test_the_mean_is_that_of_the_views_alone() -> None:
    embedded = torch.tensor([[[1.0], [3.0], [0.0]], [[5.0], [0.0], [0.0]]])
    real = torch.tensor([[True, True, False], [True, False, False]])
    assert MeanViews()(embedded, real).tolist() == [[2.0], [5.0]]


def test_the_lstm_ends_where_torchs_packed_sequences_end() -> None:
    torch.manual_seed(0)
    pooling = LstmViews(3)
    counts = [4, 1, 2]
    embedded = padded(counts).nan_to_num()
    real = torch.arange(4)[None] < torch.tensor(counts)[:, None]
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        embedded, torch.tensor(counts), batch_first=True, enforce_sorted=False
    )
    _, (wanted, _) = pooling.lstm(packed)
    torch.testing.assert_close(pooling(embedded, real), wanted[0])


def test_attention_weighs_views_and_does_not_mind_their_order() -> None:
    torch.manual_seed(0)
    pooling = AttentionViews(3)
    embedded, real = padded([3]), torch.ones(1, 3, dtype=torch.bool)
    turned = pooling(embedded[:, [2, 0, 1]], real)
    torch.testing.assert_close(pooling(embedded, real), turned)
    assert not torch.allclose(turned, embedded.mean(dim=1))


def test_drawn_views_are_one_to_all_of_a_places_own() -> None:
    torch.manual_seed(0)
    counts = [4] * 2000 + [2] * 2000
    features = torch.arange(4000.0 * 4).reshape(4000, 4, 1)
    for row, count in enumerate(counts):
        features[row, count:] = torch.nan
    drawn = drawn_views(features)
    real = is_view(drawn)
    kept = real.sum(dim=1)
    for first, most in ((0, 4), (2000, 2)):
        share = torch.bincount(kept[first : first + 2000], minlength=5)[1:] / 2000
        expected = [1 / most] * most + [0] * (4 - most)
        assert share.tolist() == pytest.approx(expected, abs=0.04)
    own = drawn[..., 0].nan_to_num(-1).div(4, rounding_mode="floor")
    rows = torch.arange(4000)[:, None].expand(4000, 4)
    assert (own[real] == rows[real]).all()
    assert (real.long().diff(dim=1) <= 0).all()  # views first, fillers last
    assert set(drawn[:2000, 0, 0].remainder(4).tolist()) == {0, 1, 2, 3}  # any view may come first
    again = drawn[..., 0].nan_to_num(-1)[:2000]
    assert all(len(set(row)) == len(row) for row in (r[r >= 0].tolist() for r in again[:50]))


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(ValueError, match="joined by one of"):
        view_pooling("max", 3)
