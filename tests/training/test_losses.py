"""Every loss against an independent computation: loops, scipy, closed forms; gradients too."""

import math

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from scipy.stats import vonmises_fisher
from torch import Tensor

from shared.geo import haversine_km, to_lat_lon, to_unit_vectors
from shared.training.coordinates import LOSSES, Coordinates, best_constant, groups_of
from shared.training.heads import LARGEST_KAPPA, LEAST_KAPPA, VmfHead, point_head
from shared.training.smoothing import SMOOTHINGS, HaversineSmoothing, PlaceClassification
from shared.training.sphere import Centres, angles, distances_km, unit_vectors
from shared.training.targets import located

EVERYWHERE = [
    *(
        (90.0, 0.0),
        (-90.0, 77.0),
        (89.9999, -180.0),
        (0.0, 180.0),
        (0.0, -180.0),
        (12.0, 179.99999),
    ),
    *((12.0, -179.99999), (0.0, 0.0), (48.2, 16.4), (-33.9, 151.2), (64.1, -21.9), (1.3, 103.8)),
]
CENTRES = np.array([(48.0, 16.0), (50.0, 14.0), (-34.0, 151.0), (65.0, 179.5), (88.0, 0.0), (0, 0)])


def double(points: object) -> Tensor:
    return torch.tensor(np.asarray(points, dtype=float))


def test_centres_are_exact_to_a_millimetre_in_float32_at_a_metre() -> None:
    metre_deg = math.degrees(0.001 / 6371.0088)
    for lat, lon in EVERYWHERE:
        north = lat + (metre_deg if lat < 80 else -metre_deg)
        found = Centres(double([(lat, lon)])).distances_km(double([(north, lon), (lat, lon)]))
        assert found.dtype == torch.float32
        assert found[:, 0].tolist() == pytest.approx([0.001, 0.0], abs=2e-6)


def test_centres_are_the_haversine_distances_to_the_antipode() -> None:
    points = np.array([*EVERYWHERE, (-48.0, -164.0), (-48.00001, -164.0)])
    found = Centres(double(CENTRES)).distances_km(double(points)).numpy()
    # The arc tangent's own rounding: a part in ten million of half the way round.
    assert found == pytest.approx(haversine_km(points[:, None], CENTRES[None]), rel=2e-7, abs=3e-3)


def loop_loss(
    logits: np.ndarray,
    points: np.ndarray,
    classes: np.ndarray,
    tau: float,
    how: str,
    normal: bool,
) -> float:
    """PIGEON's loss, sample by sample and class by class."""
    total = 0.0
    for row, point in enumerate(points):
        km = [float(haversine_km(point, centre)) for centre in CENTRES]
        reference = km[classes[row]] if how == "true" else min(km)
        shares = [math.exp(-(d - reference) / tau) for d in km]
        if normal:
            shares = [share / sum(shares) for share in shares]
        logs = log_softmax(logits[row])
        total -= sum(share * log for share, log in zip(shares, logs, strict=True))
    return total / len(points)


@pytest.mark.parametrize("tau", [65.0, 75.0, 500.0])
@pytest.mark.parametrize("how", ["true", "nearest"])
@pytest.mark.parametrize("normal", [True, False])
def test_smoothed_cross_entropy_is_the_loop_over_samples(
    tau: float, how: str, normal: bool
) -> None:
    rng = np.random.default_rng(0)
    points = CENTRES[[0, 1, 1, 2, 3, 4, 5]] + rng.normal(size=(7, 2)) * 0.9 * [1, 0.5]
    points[4, 1] = -179.9  # beyond the antimeridian from its centre
    classes = np.array([0, 1, 0, 2, 3, 4, 5])  # the third lies nearer to another class's centre
    logits = rng.normal(size=(7, len(CENTRES))).astype(np.float32) * 3
    objective = PlaceClassification(CENTRES, HaversineSmoothing(tau, how, normal))
    found = objective.loss(torch.from_numpy(logits), located(points, torch.from_numpy(classes)))
    assert float(found) == pytest.approx(
        loop_loss(logits, points, classes, tau, how, normal), rel=1e-5
    )


def test_paper_and_code_differ_where_another_centre_is_nearer() -> None:
    # Of classes with centres 30 and 20 km away, the first is true.
    km = torch.tensor([[30.0, 20.0, 500.0]])
    truth = torch.tensor([0])
    paper, code = SMOOTHINGS["pigeon-paper"], SMOOTHINGS["pigeon-code"]
    assert paper is not None
    assert code is not None
    over, under = math.exp(10 / 75), math.exp(-10 / 75)
    assert paper.targets(km, truth)[0, :2].tolist() == pytest.approx([1.0, over])
    assert code.targets(km, truth)[0, :2].tolist() == pytest.approx([under, 1.0])
    normal = SMOOTHINGS["normalised"]
    assert normal is not None
    assert float(normal.targets(km, truth).sum()) == pytest.approx(1)
    pigeotto = HaversineSmoothing.named("pigeotto-code")
    assert pigeotto == HaversineSmoothing(65.0, "nearest", is_normalised=False)
    assert HaversineSmoothing.named("pigeon-paper", 10.0) == HaversineSmoothing(10.0, "true", False)


def test_a_tiny_temperature_is_the_hard_label_of_the_nearest_centre() -> None:
    logits = torch.randn(3, len(CENTRES), generator=torch.Generator().manual_seed(0))
    targets = located(CENTRES[[0, 3, 5]], torch.tensor([0, 3, 5]))
    soft = PlaceClassification(CENTRES, HaversineSmoothing(1e-3)).loss(logits, targets)
    hard = PlaceClassification(CENTRES).loss(logits, targets)
    assert float(soft) == pytest.approx(float(hard), rel=1e-6)


def test_class_weights_weigh_photos_by_their_true_class() -> None:
    logits = torch.randn(2, len(CENTRES), generator=torch.Generator().manual_seed(0))
    targets = located(CENTRES[[0, 2]], torch.tensor([0, 2]))
    weights = torch.tensor([3.0, 1, 1, 1, 1, 1])
    smoothing = HaversineSmoothing(75.0)
    each = [PlaceClassification(CENTRES, smoothing).loss(logits[[i]], targets[[i]]) for i in (0, 1)]
    both = PlaceClassification(CENTRES, smoothing, class_weights=weights).loss(logits, targets)
    assert float(both) == pytest.approx(float(3 * each[0] + each[1]) / 4, rel=1e-6)


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_gradients_of_smoothed_losses_are_finite_everywhere(name: str) -> None:
    objective = PlaceClassification(CENTRES, HaversineSmoothing.named(name))
    for scale in (0.0, 1.0, 1e4):
        logits = scale * torch.randn(12, 6, generator=torch.Generator().manual_seed(1))
        logits.requires_grad_()
        # Every place with every class, however far: the paper's targets grow beyond 1.
        for number in range(6):
            targets = located(EVERYWHERE, torch.full((12,), number))
            objective.loss(logits, targets).backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


def test_smoothing_and_label_smoothing_are_alternatives() -> None:
    with pytest.raises(ValueError, match="label_smoothing=0 beside haversine smoothing"):
        PlaceClassification(CENTRES, HaversineSmoothing(75.0), label_smoothing=0.1)
    with pytest.raises(ValueError, match="smoothing to be one of"):
        HaversineSmoothing.named("soft")
    with pytest.raises(ValueError, match="temperature_km above 0"):
        HaversineSmoothing(0.0)
    with pytest.raises(ValueError, match="relative_to to be one of"):
        HaversineSmoothing(75.0, "own")


def made(loss: str) -> Coordinates:
    groups = groups_of(EVERYWHERE, 4, 0) if loss == "vmf-mixture" else None
    return Coordinates(loss, groups)


def outputs_of(objective: Coordinates, scale: float) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return scale * torch.randn(len(EVERYWHERE), objective.n_outputs, generator=generator)


def test_unit_vector_loss_is_the_mean_squared_error_of_x_y_z() -> None:
    objective = made("unit-vector")
    outputs = outputs_of(objective, 1.0)
    expected = ((outputs.numpy() - to_unit_vectors(EVERYWHERE)) ** 2).mean()
    assert float(objective.loss(outputs, located(EVERYWHERE))) == pytest.approx(expected, rel=1e-5)


def test_great_circle_loss_is_the_mean_angle() -> None:
    objective = made("great-circle")
    outputs = outputs_of(objective, 1.0)
    guesses = objective.point_head.points(outputs).numpy()
    expected = (haversine_km(guesses, EVERYWHERE) / 6371.0088).mean()
    assert float(objective.loss(outputs, located(EVERYWHERE))) == pytest.approx(expected, rel=1e-5)


def test_lat_lon_loss_is_the_squared_error_of_the_shares() -> None:
    outputs = torch.tensor([[0.5, -0.25]])
    found = made("lat-lon").loss(outputs, located([(0.0, 90.0)]))
    assert float(found) == pytest.approx((0.5**2 + 0.75**2) / 2)


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_mixture_loss_is_scipys_density(scale: float) -> None:
    objective = made("vmf-mixture")
    outputs = outputs_of(objective, scale)
    mixture = objective.point_head.mixture(outputs)
    assert mixture is not None
    total = 0.0
    for row, vector in enumerate(to_unit_vectors(EVERYWHERE)):
        density = sum(
            weight * vonmises_fisher(mean / np.linalg.norm(mean), kappa).pdf(vector)
            for weight, mean, kappa in zip(
                mixture.weights[row], mixture.means[row], mixture.kappas[row], strict=True
            )
        )
        total -= math.log(density) if density > 0 else mixture.log_density(EVERYWHERE)[row]
    found = float(objective.loss(outputs, located(EVERYWHERE)))
    assert found == pytest.approx(total / len(EVERYWHERE), rel=2e-4)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", [0.0, 1e-8, 1.0, 30.0, 1e4])
def test_gradients_of_coordinates_are_finite_everywhere(loss: str, scale: float) -> None:
    objective = made(loss)
    outputs = outputs_of(objective, scale).requires_grad_()
    objective.loss(outputs, located(EVERYWHERE)).backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


def test_gradients_are_finite_at_the_truth_and_at_its_antipode() -> None:
    truth = to_unit_vectors(EVERYWHERE)
    for sign in (1.0, -1.0):
        for loss in ("unit-vector", "great-circle"):
            outputs = torch.tensor(sign * truth, dtype=torch.float32, requires_grad=True)
            made(loss).loss(outputs, located(EVERYWHERE)).backward()  # type: ignore[no-untyped-call]
            assert outputs.grad is not None
            assert outputs.grad.isfinite().all()


@pytest.mark.parametrize("loss", ["unit-vector", "great-circle", "vmf-mixture"])
def test_turning_the_world_changes_no_loss(loss: str) -> None:
    # So that neither the antimeridian nor a pole can be a special case.
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_rotvec([0.4, -1.9, 2.2]).as_matrix()
    truth = to_unit_vectors(EVERYWHERE)
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(len(truth), 20, generator=generator).double()
    losses = []
    for matrix in (np.eye(3), turn):
        places = torch.from_numpy(truth @ matrix.T)
        if loss == "vmf-mixture":
            anchors = torch.from_numpy(truth[:4] @ matrix.T).float()
            vectors = raw[:, 8:].reshape(-1, 4, 3) @ torch.from_numpy(matrix.T)
            outputs = torch.cat([raw[:, :8], vectors.reshape(len(truth), -1)], dim=1)
            objective = Coordinates(loss, (anchors, torch.tensor([3.0, 30.0, 300.0, 3000.0])))
        else:
            objective = Coordinates(loss)
            outputs = raw[:, :3] @ torch.from_numpy(matrix.T)
        points = torch.rad2deg(
            torch.stack(
                [places[:, 2].clamp(-1, 1).asin(), torch.atan2(places[:, 1], places[:, 0])], 1
            )
        )
        losses.append(float(objective.loss(outputs.float(), points)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_neighbours_across_the_antimeridian_are_near_but_for_the_baseline() -> None:
    east, west = [(10.0, 179.999)], [(10.0, -179.999)]
    for loss in ("unit-vector", "great-circle"):
        outputs = unit_vectors(double(east)).float()
        assert float(made(loss).loss(outputs, located(west))) < 1e-4
    assert (
        float(
            made("lat-lon").loss(double(east).float() / torch.tensor([90.0, 180.0]), located(west))
        )
        > 1
    )


def test_angles_are_exact_from_a_metre_to_the_antipode() -> None:
    for wanted in (1.6e-7, 1e-3, 1.0, math.pi - 1e-3, math.pi):
        a = torch.tensor([1.0, 0.0, 0.0])
        b = torch.tensor([math.cos(wanted), math.sin(wanted), 0.0])
        assert float(angles(a, b)) == pytest.approx(wanted, rel=1e-5)
    poles = distances_km(double([(90, 0)]), double([(90, 135)]))
    assert float(poles) == pytest.approx(0, abs=1e-9)


def test_heads_are_made_again_from_their_facts() -> None:
    for loss in LOSSES:
        objective = made(loss)
        again = point_head(objective.head())
        outputs = outputs_of(objective, 1.0)
        assert again.n_outputs == objective.n_outputs
        assert torch.equal(again.points(outputs), objective.point_head.points(outputs))
    with pytest.raises(ValueError, match="of one of the kinds"):
        point_head({"kind": "polar"})


def test_concentrations_stay_between_their_limits_and_begin_where_told() -> None:
    head = VmfHead([[0.0, 0.0, 1.0]], [5.0])
    for raw, expected in ((-1e6, LEAST_KAPPA), (1e6, LARGEST_KAPPA), (0.0, 5.0)):
        _, means, kappas = head.parts(torch.tensor([[0.0, raw, 0.0, 0.0, 0.0]]))
        assert float(kappas[0, 0]) == pytest.approx(expected, rel=1e-3)
        assert means[0, 0].tolist() == [0.0, 0.0, 1.0]


def test_every_mixture_sums_to_one_and_leaves_a_hundredth_to_the_whole_earth() -> None:
    mixture = VmfHead(*groups_of(EVERYWHERE, 3, 0)).mixture(torch.randn(5, 15) * 9)
    assert mixture.weights.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert mixture.weights[:, 3] == pytest.approx(np.full(5, 0.01))
    far = mixture.log_density(np.tile([(-60.0, -120.0)], (5, 1)))
    assert (far >= math.log(0.01 / (4 * math.pi)) - 0.02).all()


def test_anchors_are_the_middles_of_groups_across_the_antimeridian() -> None:
    points = [(0.0, 179.0), (0.0, -179.0), (0.0, 1.0), (0.0, -1.0)]
    found = sorted(groups_of(points, 2, 0)[0].tolist())
    assert np.asarray(found) == pytest.approx(np.array([[-1.0, 0, 0], [1.0, 0, 0]]), abs=1e-3)


def test_concentrations_of_groups_are_those_that_the_places_were_drawn_with() -> None:
    for kappa in (20.0, 300.0, 5000.0):
        drawn = vonmises_fisher(to_unit_vectors((12.0, 179.0)), kappa).rvs(4000, random_state=0)
        _, found = groups_of(to_lat_lon(drawn), 1, 0)
        assert float(found[0]) == pytest.approx(kappa, rel=0.06)


def test_the_best_constant_point_is_the_median_place() -> None:
    assert best_constant([(0.0, 0.0), (0.0, 1.0), (0.0, 90.0)]) == pytest.approx([0, 1], abs=1e-6)


def test_unknown_losses_and_missing_anchors_are_named() -> None:
    with pytest.raises(ValueError, match="Expected a loss out of"):
        Coordinates("polar")
    with pytest.raises(ValueError, match="Expected groups for the loss 'vmf-mixture'"):
        Coordinates("vmf-mixture")
