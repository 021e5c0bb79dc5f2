import pytest

from shared.collection.demo_plan import DemoSettings


@pytest.fixture
def small() -> DemoSettings:
    """A few small pictures with more faults than usual."""
    rates = {"black frame": 0.1, "no record": 0.1, "broken record": 0.1, "odd format": 0.1}
    return DemoSettings(
        n_places=6, n_multiplayer=4, width=64, height=36, seed=1, faults=rates, repeated_places=0.2
    )
