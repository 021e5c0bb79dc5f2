"""Prototype refinement on made embeddings whose answers are known by hand."""

from pathlib import Path

import numpy as np
import pytest

from shared.evaluation.refinement import (
    CLOSEST,
    FARTHEST,
    MIDDLE,
    PUBLISHED,
    RefinementSettings,
    Refiner,
    choose_settings,
)
from shared.evaluation.refinement_neighbours import Found, Neighbours, cell_votes
from shared.evaluation.refinement_prototypes import (
    PIGEON_CLUSTERS,
    PIGEOTTO_CLUSTERS,
    Prototypes,
    fit_prototypes,
)
from shared.geo import haversine_km
from shared.processing.geocells_cluster import Trial

ANYWHERE = float("inf")
# Cell 0 has two clusters, three places each, cell 1 one of three; cell 2 has no training place.
POINTS = np.array(
    [[0, 0], [0, 0.01], [0.01, 0], [5, 5], [5, 5.01], [5.01, 5], [40, 9], [40, 9.01], [40.01, 9]],
    dtype=float,
)
EMBEDDINGS = np.array(
    [[0, 0], [0, 1], [0, 2], [10, 0], [10, 1], [10, 2], [20, 0], [20, 1], [20, 5]],
    dtype=np.float32,
)
CELLS = np.array([0] * 6 + [1] * 3)
CENTRES = np.array([[2.5, 2.5], [40.0, 9.0], [-30.0, -60.0]])


@pytest.fixture
def prototypes() -> Prototypes:
    return fit_prototypes(EMBEDDINGS, POINTS, CELLS, 3, Trial("optics", 3, 0.15))


@pytest.fixture
def refiner(prototypes: Prototypes) -> Refiner:
    return Refiner(prototypes, CENTRES, Neighbours(EMBEDDINGS, POINTS))


def test_published_settings() -> None:
    settings = PUBLISHED["pigeon"], PUBLISHED["pigeotto"]
    assert [(s.top_k, s.temperature, s.max_move_km) for s in settings] == [
        (5, 1.6, 1000),
        (40, 0.6, ANYWHERE),
    ]
    clusters = PIGEON_CLUSTERS, PIGEOTTO_CLUSTERS
    assert [(c.method, c.min_samples, c.xi) for c in clusters] == [
        ("optics", 3, 0.15),
        ("optics", 100, 0.1),
    ]


def test_prototypes_are_the_means_of_clusters_within_cells(prototypes: Prototypes) -> None:
    assert prototypes.cells.tolist() == [0, 0, 1]
    assert prototypes.vectors.tolist() == [[0, 1], [10, 1], [20, 2]]
    assert [sorted(prototypes.members_of(k)) for k in range(3)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_few_places_are_one_cluster_and_none_make_none() -> None:
    made = fit_prototypes(EMBEDDINGS[:2], POINTS[:2], np.array([1, 1]), 3, PIGEON_CLUSTERS)
    assert made.cells.tolist() == [1]
    assert made.vectors.tolist() == [[0, 0.5]]
    assert len(fit_prototypes(EMBEDDINGS[:2], POINTS[:2], np.array([-1, -1]), 3)) == 0


def test_prototypes_are_read_again_as_they_were_written(
    prototypes: Prototypes, tmp_path: Path
) -> None:
    prototypes.save(tmp_path / "prototypes.safetensors")
    again = Prototypes.load(tmp_path / "prototypes.safetensors")
    assert again.n_cells == 3
    assert (again.vectors == prototypes.vectors).all()
    assert (again.members == prototypes.members).all()
    with pytest.raises(FileNotFoundError, match="make them with `fit_prototypes`"):
        Prototypes.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("member", "expected"),
    [(CLOSEST, [5, 5]), (FARTHEST, [5.01, 5]), (MIDDLE, [5.0033, 5.0033])],
)
def test_the_answer_is_a_place_of_the_nearest_prototype(
    refiner: Refiner, member: str, expected: list[float]
) -> None:
    settings = RefinementSettings(2, 1.0, ANYWHERE, member)
    # Near (10, 1): of its places that at (10, 0) is closest and that at (10, 2) farthest.
    refined = refiner.refine(np.array([[10, 0.2]], dtype=np.float32), [[0.8, 0.1, 0.1]], settings)
    assert refined.prototypes.tolist() == [1]
    assert refined.points[0] == pytest.approx(expected, abs=1e-3)


def test_cells_are_weighed_by_a_softmax_of_nearness(refiner: Refiner) -> None:
    # At (14, 1) the nearest prototypes are 4 off in cell 0, and sqrt(37) = 6.08 in cell 1. Cell 1
    # wins from e^(2.08 / T) times the probability on: 8.02 at T = 1, 1.23 at T = 10.
    query = np.array([[14, 1]], dtype=np.float32)

    def cell(probabilities: list[float], temperature: float) -> int:
        settings = RefinementSettings(2, temperature, ANYWHERE)
        return int(refiner.refine(query, [probabilities], settings).cells[0])

    assert cell([0.11, 0.87, 0.02], 1.0) == 0
    assert cell([0.10, 0.88, 0.02], 1.0) == 1
    assert cell([0.45, 0.54, 0.01], 10.0) == 0
    assert cell([0.44, 0.55, 0.01], 10.0) == 1


def test_only_the_top_cells_are_looked_at(refiner: Refiner) -> None:
    query = np.array([[0, 1]], dtype=np.float32)
    one = refiner.refine(query, [[0.3, 0.6, 0.1]], RefinementSettings(1, 0.1, ANYWHERE))
    two = refiner.refine(query, [[0.3, 0.6, 0.1]], RefinementSettings(2, 0.1, ANYWHERE))
    assert (one.cells[0], two.cells[0]) == (1, 0)


def test_a_move_that_is_too_far_is_cancelled(refiner: Refiner) -> None:
    query = np.array([[0, 1]], dtype=np.float32)
    guess = [[0.3, 0.6, 0.1]]
    stays = refiner.refine(query, guess, RefinementSettings(2, 0.1, 1000.0))
    assert stays.points.tolist() == [[40, 9]]
    assert (stays.cells[0], stays.prototypes[0], stays.moved_km[0]) == (1, -1, 0)
    moves = refiner.refine(query, guess, RefinementSettings(2, 0.1, 5000.0))
    assert moves.moved_km[0] == pytest.approx(haversine_km(CENTRES[1], POINTS[1]))


def test_a_cell_without_prototypes_cannot_win_and_alone_keeps_its_centre(refiner: Refiner) -> None:
    query = np.array([[0, 1]], dtype=np.float32)
    alone = refiner.refine(query, [[0.0, 0.0, 1.0]], RefinementSettings(1, 1.0, ANYWHERE))
    assert alone.points.tolist() == [[-30, -60]]
    both = refiner.refine(query, [[0.1, 0.0, 0.9]], RefinementSettings(2, 1.0, ANYWHERE))
    assert both.cells.tolist() == [0]


def test_batches_give_what_places_give_alone(
    refiner: Refiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(0)
    queries = draw.normal(8, 8, (50, 2)).astype(np.float32)
    chances = draw.dirichlet([1, 1, 1], 50)
    whole = refiner.refine(queries, chances, RefinementSettings())
    monkeypatch.setattr("shared.evaluation.refinement.BATCH", 7)
    parts = refiner.refine(queries, chances, RefinementSettings())
    assert (whole.points == parts.points).all()
    assert refiner.refine(queries[:0], chances[:0], RefinementSettings()).points.shape == (0, 2)


def test_batched_refinement_is_what_a_plain_loop_finds() -> None:
    draw = np.random.default_rng(1)
    points = np.column_stack([draw.uniform(-60, 60, 300), draw.uniform(-170, 170, 300)])
    cells = draw.integers(0, 20, 300)
    embeddings = draw.normal(size=(300, 8)).astype(np.float32)
    made = fit_prototypes(embeddings, points, cells, 20, Trial("hdbscan", 3))
    centres = np.column_stack([np.linspace(-50, 50, 20), np.zeros(20)])
    queries, chances = draw.normal(size=(40, 8)), draw.dirichlet(np.ones(20), 40)
    settings = RefinementSettings(5, 0.7, 4000.0)
    refined = Refiner(made, centres).refine(queries.astype(np.float32), chances, settings)
    for row in range(40):
        best, answer = -1.0, centres[chances[row].argmax()]
        first = answer
        for cell in np.argsort(-chances[row])[:5]:
            own = np.flatnonzero(made.cells == cell)
            away = np.linalg.norm(made.vectors[own] - queries[row], axis=1)
            weight = chances[row, cell] * np.exp(-away.min() / 0.7)
            if weight > best:
                best = weight
                members = made.members_of(own[away.argmin()])
                near = np.linalg.norm(embeddings[members] - queries[row], axis=1).argmin()
                answer = points[members[near]]
        expected = answer if haversine_km(first, answer) <= 4000 else first
        assert refined.points[row] == pytest.approx(expected)


def test_the_nearest_neighbour_answers_with_its_place() -> None:
    search = Neighbours(EMBEDDINGS, POINTS)
    assert search.guess(np.array([[19, 4]], dtype=np.float32)).tolist() == [[40.01, 9]]
    found = search.find(np.array([[0, 0]], dtype=np.float32), 2)
    assert found.rows.tolist() == [[0, 1]]
    assert found.distance.tolist() == [[0, 1]]


def test_neighbours_that_lie_together_outvote_a_nearer_one_alone() -> None:
    places = np.array([[60.0, 60.0], [0, 0], [0, 0.1], [0.1, 0]])
    vectors = np.array([[0.9], [1.0], [1.1], [1.2]], dtype=np.float32)
    search = Neighbours(vectors, places)
    assert search.guess(np.array([[0.0]], dtype=np.float32), 4).tolist() != [[60, 60]]
    assert search.guess(np.array([[0.0]], dtype=np.float32), 1).tolist() == [[60, 60]]


def test_the_graph_finds_what_the_exact_search_finds() -> None:
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(2000, 16)).astype(np.float32)
    places = np.column_stack([draw.uniform(-80, 80, 2000), draw.uniform(-180, 180, 2000)])
    exact, graph = (
        Neighbours(vectors, places, s).find(vectors[:200] + 0.01) for s in ("exact", "graph")
    )
    assert (exact.rows == graph.rows).mean() > 0.99


def test_votes_are_the_shares_of_neighbours_in_each_cell() -> None:
    found = Found(np.array([[0, 2, 3]]), np.array([[1.0, 1.0, 1.0]], dtype=np.float32))
    votes = cell_votes(found, np.array([1, 0, 1, -1]), 3, 1.0)
    assert votes.tolist() == [[0, 1, 0]]
    half = Found(np.array([[0, 1]]), np.array([[0.0, np.log(3)]], dtype=np.float32))
    assert cell_votes(half, np.array([0, 2]), 3, 1.0)[0] == pytest.approx([0.75, 0, 0.25])


def test_a_mixture_listens_to_the_neighbours(refiner: Refiner) -> None:
    query = np.array([[20, 1]], dtype=np.float32)
    chances = [[0.9, 0.05, 0.05]]
    alone = RefinementSettings(1, 1.0, ANYWHERE, n_neighbours=3)
    mixed = RefinementSettings(1, 1.0, ANYWHERE, neighbour_share=0.8, n_neighbours=3)
    assert refiner.refine(query, chances, alone).cells.tolist() == [0]
    assert refiner.refine(query, chances, mixed).cells.tolist() == [1]


def test_settings_are_chosen_by_validation(refiner: Refiner) -> None:
    queries = np.array([[10, 1], [20, 1]], dtype=np.float32)
    chances = [[0.3, 0.6, 0.1], [0.4, 0.5, 0.1]]
    truth = [[5, 5.01], [40, 9.01]]
    best, tried = choose_settings(
        refiner,
        queries,
        chances,
        truth,
        top_ks=(1, 2),
        temperatures=(1.0,),
        max_moves_km=(ANYWHERE,),
    )
    assert best.top_k == 2  # with one cell the first place is never found
    assert [row["top_k"] for row in tried] == [1, 2]
    assert tried[1]["figure"] == pytest.approx(5000)


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ({"top_k": 0}, "top_k of at least 1"),
        ({"temperature": 0.0}, "a temperature above 0"),
        ({"max_move_km": -1.0}, "max_move_km of at least 0"),
        ({"member": "nearest"}, "a member of"),
        ({"neighbour_share": 1.5}, "a share from 0 to 1"),
    ],
)
def test_settings_out_of_range_are_refused(bad: dict[str, object], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        RefinementSettings(**bad)  # type: ignore[arg-type]


def test_shapes_that_do_not_fit_are_refused(prototypes: Prototypes) -> None:
    with pytest.raises(ValueError, match="Expected 3 centres of cells, but got 2"):
        Refiner(prototypes, CENTRES[:2])
    plain = Refiner(prototypes, CENTRES)
    with pytest.raises(
        ValueError, match=r"Expected embeddings \(M, 2\) and probabilities \(M, 3\)"
    ):
        plain.refine(np.zeros((1, 3), dtype=np.float32), [[1, 0, 0]], RefinementSettings())
    with pytest.raises(ValueError, match="Expected neighbours for a mixture"):
        plain.refine(EMBEDDINGS[:1], [[1, 0, 0]], RefinementSettings(neighbour_share=0.5))
    with pytest.raises(ValueError, match=r"Expected embeddings \(N, D\), points \(N, 2\)"):
        fit_prototypes(EMBEDDINGS, POINTS[:3], CELLS, 3)
    with pytest.raises(ValueError, match="Expected cells from -1 to 0"):
        fit_prototypes(EMBEDDINGS, POINTS, CELLS, 1)
    with pytest.raises(ValueError, match="and a search of"):
        Neighbours(EMBEDDINGS, POINTS, "guess")
