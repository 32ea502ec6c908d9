"""Shared by all tests: where the real series lie, and patience for the first compilation."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# At home every run draws new examples; CI draws the same ones each time, so that it judges the change and not the draw.
settings.register_profile(
    "tsuzuki",
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("tsuzuki")

# What the commands say is tested in English wherever the tests run; those of Japanese ask for it.
os.environ |= dict.fromkeys(("LC_ALL", "LC_MESSAGES", "LANG"), "C.UTF-8")

# A compiler in the background, once a test has trained for ten seconds, would take a core from the other tests.
os.environ["TSUZUKI_OWN_PROGRAMS"] = "0"

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Compile the kernels once, before any test is timed by a person."""
    from tsuzuki.engine import machine_code
    from tsuzuki.kernels.layers import kinds

    machine_code.load(tuple(kinds()))


@pytest.fixture(scope="session")
def jfk() -> Path:
    """The hourly temperatures of New York JFK, where the folder of real series is at hand."""
    path = SHARED / "jfk_temperature.csv"
    if not path.exists():
        pytest.skip("the real series are not at hand: ../shared/data/jfk_temperature.csv is absent")
    return path


@pytest.fixture(scope="session")
def daily():
    """Sixty days of hourly readings with a daily cycle, some of them missing."""
    import numpy as np
    import pandas as pd

    generator = np.random.default_rng(0)
    hours = np.arange(24 * 60)
    values = 10 + 5 * np.sin(hours * 2 * np.pi / 24) + np.cumsum(generator.normal(0, 0.1, len(hours)))
    values[generator.random(len(hours)) < 0.03] = np.nan
    values[[0, -1]] = 10.0, 11.0
    return pd.Series(values, pd.date_range("2024-01-01", periods=len(hours), freq="h"), name="sensor")


@pytest.fixture(scope="session")
def small_forecaster(daily):
    """Two small networks that know the first fifty days."""
    from tsuzuki.forecaster import Forecaster

    small = {"units": 5, "layers": 2, "head": 4, "ensemble": 2, "epochs": 2, "max_gap": 5}
    return Forecaster(4, **small).fit(daily[: 24 * 50])


@pytest.fixture(scope="session")
def cluster():
    """Ray on two nodes of this machine, a core each; the tests that use it are in one group, "ray"."""
    import ray
    from ray.cluster_utils import Cluster

    # Ray's workers give way to all others, so that on a busy machine these tests would take minutes.
    own = {"num_cpus": 1, "include_dashboard": False, "_system_config": {"worker_niceness": 0}}
    cluster = Cluster(initialize_head=True, head_node_args=own)
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    yield cluster
    ray.shutdown()
    cluster.shutdown()
