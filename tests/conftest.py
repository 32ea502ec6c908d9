"""Shared by all tests: where the real series lie, and patience for the first compilation."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("tsuzuki", deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
settings.load_profile("tsuzuki")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Compile the kernels once, before any test is timed by a person."""
    from tsuzuki.kernels import engine

    engine.load()


@pytest.fixture(scope="session")
def jfk() -> Path:
    """The hourly temperatures of New York JFK, where the folder of real series is at hand."""
    path = SHARED / "jfk_temperature.csv"
    if not path.exists():
        pytest.skip("the real series are not at hand: ../shared/data/jfk_temperature.csv is absent")
    return path
