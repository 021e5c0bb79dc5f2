import numpy as np
import pytest
from scipy.special import ive
from scipy.stats import vonmises_fisher

from shared.geo import haversine_km, to_lat_lon, to_unit_vectors
from shared.vmf import VmfMixture, least_distance, log_vmf, mean_length


def mixture(
    weights: list[float], points: list[tuple[float, float]], kappas: list[float]
) -> VmfMixture:
    return VmfMixture(np.array([weights]), to_unit_vectors(points)[None], np.array([kappas]))


@pytest.mark.parametrize("kappa", [0.01, 0.5, 5.0, 80.0, 3000.0])
def test_density_is_scipys(kappa: float) -> None:
    rng = np.random.default_rng(0)
    points = to_lat_lon(rng.normal(size=(40, 3)))
    centre = to_unit_vectors((35.0, 139.0))
    one = VmfMixture(np.ones((40, 1)), np.tile(centre, (40, 1, 1)), np.full((40, 1), kappa))
    expected = vonmises_fisher(centre, kappa).logpdf(to_unit_vectors(points))
    assert one.log_density(points) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("kappas", [[0.02, 3.0], [40.0, 200.0]])
def test_density_integrates_to_one_over_the_sphere(kappas: list[float]) -> None:
    both = mixture([0.3, 0.7], [(89.0, 10.0), (-10.0, 179.9)], kappas)

    nodes, shares = np.polynomial.legendre.leggauss(200)
    lons = np.arange(-180, 180, 1.0)
    total = sum(
        share
        * np.exp(
            VmfMixture(
                *(np.repeat(part, 360, axis=0) for part in (both.weights, both.means, both.kappas))
            ).log_density(np.column_stack([np.full(360, np.degrees(np.arcsin(node))), lons]))
        ).sum()
        * np.pi
        / 180
        for node, share in zip(nodes, shares, strict=True)
    )
    assert total == pytest.approx(1.0, abs=2e-3)


def test_density_is_finite_from_the_whole_earth_to_a_metre() -> None:
    for kappa in (1e-12, 1e-6, 1.0, 1e6, 4e13):
        assert np.isfinite(log_vmf([0.0, 1e-14, 2.0], kappa)).all()
    assert log_vmf(0.7, 1e-12) == pytest.approx(-np.log(4 * np.pi), abs=1e-6)  # uniform


def test_mean_length_is_the_ratio_of_bessel_functions() -> None:
    kappas = np.array([1e-9, 1e-4, 0.1, 2.0, 50.0, 1e5])
    assert mean_length(kappas) == pytest.approx(ive(1.5, kappas) / ive(0.5, kappas), rel=1e-6)


@pytest.mark.parametrize("how", ["expected-distance", "mode", "mean"])
@pytest.mark.parametrize("point", [(0.0, 180.0), (89.999, 50.0), (-90.0, 0.0), (48.0, -179.9)])
def test_a_single_component_is_read_as_its_mean_everywhere(
    how: str, point: tuple[float, float]
) -> None:
    found = mixture([1.0], [point], [30.0]).points(how)
    assert haversine_km(found, [point])[0] < 0.01


def test_two_places_across_the_antimeridian_have_their_middle_on_it() -> None:
    both = mixture([0.5, 0.5], [(10.0, 175.0), (10.0, -175.0)], [300.0, 300.0])
    lat, lon = both.points("mean")[0]
    assert abs(abs(lon) - 180) < 1e-6
    assert 10 < lat < 10.1  # a great circle bulges towards the pole


def test_mode_is_the_sharper_place_and_mean_lies_between() -> None:
    both = mixture([0.5, 0.5], [(0.0, 0.0), (0.0, 90.0)], [1000.0, 10.0])
    assert haversine_km(both.points("mode"), [(0, 0)])[0] < 1
    assert 30 < both.points("mean")[0, 1] < 60


def test_no_point_of_a_fine_grid_has_a_smaller_expected_distance() -> None:
    rng = np.random.default_rng(1)
    for _ in range(3):
        means = to_lat_lon(rng.normal(size=(3, 3)))
        shares = rng.dirichlet(np.ones(3))
        kappas = rng.uniform(5, 200, 3)
        three = mixture(shares.tolist(), [tuple(m) for m in means], kappas.tolist())
        samples = np.concatenate(
            [
                vonmises_fisher(to_unit_vectors(m), k).rvs(800, random_state=2)
                for m, k in zip(means, kappas, strict=True)
            ]
        )
        weights = np.repeat(shares / 800, 800)
        lats, lons = np.meshgrid(np.arange(-88, 90, 4.0), np.arange(-180, 180, 4.0))
        grid = to_unit_vectors(np.column_stack([lats.ravel(), lons.ravel()]))
        chosen = to_unit_vectors(three.points("expected-distance"))

        def cost(
            vectors: np.ndarray, samples: np.ndarray = samples, weights: np.ndarray = weights
        ) -> np.ndarray:
            return np.asarray(np.arccos(np.clip(vectors @ samples.T, -1, 1)) @ weights)

        assert cost(chosen)[0] <= cost(grid).min() + 0.01  # rad; the samples' own error


def test_least_distance_of_three_places_is_what_a_search_finds() -> None:
    from scipy.optimize import minimize

    places = to_unit_vectors([(48.0, 2.0), (52.0, 13.0), (41.0, 12.0)])
    found = to_lat_lon(least_distance(places[None], np.full((1, 3), 1 / 3), list(places[:, None])))[
        0
    ]

    def mean_km(point: np.ndarray) -> float:
        return float(haversine_km(to_lat_lon(places), point).mean())

    best = minimize(
        mean_km, (47.0, 9.0), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9}
    )
    assert found == pytest.approx(best.x, abs=1e-4)


def test_on_cells_is_the_density_integrated_over_them() -> None:
    # An equal-area grid: 40 steps of sin(lat) times 80 of longitude.
    sines = (np.arange(40) + 0.5) / 20 - 1
    lons = (np.arange(80) + 0.5) * 4.5 - 180
    lats = np.degrees(np.arcsin(sines))
    centres = np.column_stack([np.repeat(lats, 80), np.tile(lons, 40)])
    area_km2 = np.full(3200, 4 * np.pi * 6371.0088**2 / 3200)
    for kappa in (5.0, 50.0):
        found = mixture([1.0], [(20.0, 179.0)], [kappa]).on_cells(centres, area_km2)[0]
        assert found.sum() == pytest.approx(1)
        samples = vonmises_fisher(to_unit_vectors((20.0, 179.0)), kappa).rvs(
            200_000, random_state=0
        )
        points = to_lat_lon(samples)
        row = np.clip(((np.sin(np.radians(points[:, 0])) + 1) * 20).astype(int), 0, 39)
        column = np.clip(((points[:, 1] + 180) / 4.5).astype(int), 0, 79)
        counted = np.bincount(row * 80 + column, minlength=3200) / len(samples)
        assert np.abs(found - counted).sum() < 0.15  # total variation under 0.075


def test_a_component_narrower_than_its_cell_keeps_its_weight() -> None:
    centres = np.array([(0.0, 0.0), (0.0, 10.0), (0.0, 20.0)])
    areas = np.full(3, 1.2e6)
    sharp = mixture([0.6, 0.4], [(1.0, 1.0), (-1.0, 19.0)], [1e7, 1e7])
    assert sharp.on_cells(centres, areas)[0] == pytest.approx([0.6, 0.0, 0.4], abs=0.02)


def test_faults_are_named() -> None:
    one = mixture([1.0], [(0.0, 0.0)], [1.0])
    with pytest.raises(ValueError, match="a point for each of 1 mixtures"):
        one.log_density([(0, 0), (1, 1)])
    with pytest.raises(ValueError, match="'expected-distance', 'mode', 'mean'"):
        one.points("median")
    with pytest.raises(ValueError, match="kappas above 0"):
        mixture([1.0], [(0.0, 0.0)], [0.0])
    with pytest.raises(ValueError, match=r"means \(N, M, 3\)"):
        VmfMixture(np.ones((1, 2)), np.ones((1, 2, 2)), np.ones((1, 2)))
    with pytest.raises(ValueError, match="Expected 1 areas"):
        one.on_cells([(0, 0)], [1.0, 2.0])
