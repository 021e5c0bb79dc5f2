"""Zero-shot scoring: flat, down a tree, with cached texts; and the levels of names."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from shared.evaluation.zero_shot import (
    CachedTexts,
    class_vectors,
    flat_probabilities,
    hierarchical_probabilities,
    sibling_softmax,
    text_cache,
)
from shared.evaluation.zero_shot_levels import city_level, country_level, region_level
from shared.regions import regions_partition
from shared.training.images import Bytes


class Letters:
    """Stands for a model: a text's vector counts its letters."""

    scale = 10.0

    def __init__(self) -> None:
        self.asked: list[str] = []

    def image_embeddings(self, images: Bytes) -> Tensor:
        return F.normalize(torch.from_numpy(images).float().flatten(1)[:, :26], dim=1)

    def text_embeddings(self, texts: Sequence[str]) -> Tensor:
        self.asked += texts
        counts = [[text.lower().count(chr(97 + k)) + 1e-3 for k in range(26)] for text in texts]
        return F.normalize(torch.tensor(counts), dim=1)


def vectors(n: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(n, 8, generator=generator), dim=1)


def test_a_class_is_the_middle_of_its_prompts() -> None:
    model = Letters()
    found = class_vectors(model, [["abc"], ["a", "b"]])
    middle = model.text_embeddings(["a", "b"]).mean(dim=0)
    torch.testing.assert_close(found[1], middle / middle.norm())
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))
    with pytest.raises(ValueError, match="there are none for \\[1\\]"):
        class_vectors(model, [["a"], []])


def test_texts_are_embedded_once_for_a_model(tmp_path: Path) -> None:
    path = text_cache(tmp_path, "digest/1")
    first, second = Letters(), Letters()
    found = class_vectors(first, [["a", "b"], ["c", "a"]], path)
    assert first.asked == ["a", "b", "c"]
    again = class_vectors(second, [["d"], ["b", "a"]], path)
    assert second.asked == ["d"]
    torch.testing.assert_close(again[1], found[0])
    assert CachedTexts(second, path).text_embeddings(["c", "d", "c"]).shape == (3, 26)
    assert second.asked == ["d"]


def test_flat_probabilities_are_the_softmax_of_scaled_cosines() -> None:
    images, classes = vectors(5, 0), vectors(3, 1)
    expected = (7.0 * (images @ classes.T)).softmax(dim=1)
    np.testing.assert_allclose(flat_probabilities(images, classes, 7.0), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="\\(N, D\\) images"):
        flat_probabilities(images, classes[:, :4], 7.0)


def test_siblings_share_a_softmax() -> None:
    logits = np.array([[1.0, 5.0, 2.0, 0.0, 1000.0]])
    found = sibling_softmax(logits, np.array([1, 0, 1, 0, 2]))
    e = np.exp
    expected = [
        e(1) / (e(1) + e(2)),
        e(5) / (e(5) + 1),
        e(2) / (e(1) + e(2)),
        1 / (e(5) + 1),
        1.0,
    ]
    assert found[0] == pytest.approx(expected)


def test_probabilities_multiply_along_the_tree() -> None:
    images, top, middle, leaves = vectors(4, 0), vectors(3, 1), vectors(5, 2), vectors(7, 3)
    parents = [[0, 0, 1, 2, 2], [0, 1, 1, 2, 3, 4, 4]]
    found = hierarchical_probabilities(images, [top, middle, leaves], parents, 5.0)
    # By hand: P(top) P(middle | top) P(leaf | middle).
    first = (5 * images @ top.T).softmax(dim=1)
    for photo in range(4):
        for leaf in range(7):
            row = parents[1][leaf]
            among = [k for k in range(5) if parents[0][k] == parents[0][row]]
            cousins = [k for k in range(7) if parents[1][k] == row]
            a = (5 * images[photo] @ middle[among].T).softmax(dim=0)[among.index(row)]
            b = (5 * images[photo] @ leaves[cousins].T).softmax(dim=0)[cousins.index(leaf)]
            expected = float(first[photo, parents[0][row]] * a * b)
            assert found[2][photo, leaf] == pytest.approx(expected, rel=1e-4)
    for level in found:
        np.testing.assert_allclose(level.sum(axis=1), 1, rtol=1e-6)
    # Summed over children, a level is the one above it.
    summed = np.stack([found[1][:, np.array(parents[0]) == k].sum(axis=1) for k in range(3)], 1)
    np.testing.assert_allclose(summed, found[0], rtol=1e-6)


def test_a_beam_looks_below_the_best_alone() -> None:
    images, top, below = vectors(6, 0), vectors(4, 1), vectors(9, 2)
    parents = np.array([0, 0, 1, 1, 2, 2, 2, 3, 3])
    whole = hierarchical_probabilities(images, [top, below], [parents], 5.0)
    one = hierarchical_probabilities(images, [top, below], [parents], 5.0, beam=1)
    best = whole[0].argmax(axis=1)
    assert (parents[one[1].argmax(axis=1)] == best).all()
    assert ((one[1] > 0) == (parents == best[:, None])).all()
    np.testing.assert_allclose(one[1].sum(axis=1), 1)
    wide = hierarchical_probabilities(images, [top, below], [parents], 5.0, beam=4)
    np.testing.assert_allclose(wide[1], whole[1])


def test_a_class_without_children_is_passed_over() -> None:
    images = F.normalize(torch.tensor([[1.0, 0.0]]), dim=1)
    top, below = torch.eye(2), torch.eye(2)
    found = hierarchical_probabilities(images, [top, below], [[1, 1]], 2000.0, beam=1)
    assert found[0][0].tolist() == [1.0, 0.0]  # the best has no children
    assert found[1][0].tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match="a row of the level above"):
        hierarchical_probabilities(images, [top, below], [[0, 2]], 1.0)


def test_levels_are_told_by_gazetteer_places() -> None:
    templates = ["A photo in {country}.", "A photo in the region of {region} in {country}."]
    countries = country_level(["IE", "MT"], templates[:1], places=2)
    assert countries.prompts == [["A photo in Ireland."], ["A photo in Malta."]]
    regions = region_level(regions_partition(), countries, templates[1:])
    assert set(regions.partition.countries) == {"IE", "MT"}
    rows = dict(zip(regions.partition.names, regions.parents.tolist(), strict=True))
    assert all(row == ("Malta" in name) for name, row in rows.items())
    assert any("region of Leinster in Ireland" in texts[0] for texts in regions.prompts)
    cities = pd.DataFrame(
        {
            "code": ["a", "b", "c"],
            "name": ["Dublin", "Valletta", "Paris"],
            "lat": [53.33, 35.9, 48.86],
            "lon": [-6.25, 14.51, 2.35],
            "country": ["IE", "MT", "FR"],
        }
    )
    found = city_level(cities, regions, ["{city} in {region}, {country}"])
    assert found.partition.codes == ["a", "b"]  # Paris lies in neither country
    assert found.prompts[0] == ["Dublin in Leinster, Ireland"]
    assert regions.partition.countries[found.parents[1]] == "MT"
    with pytest.raises(ValueError, match="put what may be missing in square brackets"):
        country_level(["IE"], ["In {climate}."])
    more = country_level(["IE"], ["In {climate}."], more={"IE": {"climate": "mild rain"}})
    assert more.prompts == [["In mild rain."]]
