"""A smoke test of an installed tsuzuki, to be run outside the clone: `python smoke.py [REQUIREMENT==VERSION ...]`.

It trains a network, forecasts a file on the command line, follows a stream, and reads a model back. It imports nothing
but what tsuzuki depends on.
"""

import importlib.metadata
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]


def main(pinned: list[str]) -> None:
    """Run everything; what fails raises."""
    import numpy as np
    import pandas as pd

    import tsuzuki

    home = Path(tsuzuki.__file__).resolve()
    assert not home.is_relative_to(CLONE / "src"), f"{home} is the clone's, not an installed one"
    assert tsuzuki.__version__ == importlib.metadata.version("tsuzuki")
    for requirement in pinned:
        name, _, version = requirement.partition("==")
        found = importlib.metadata.version(name)
        # 1.26 is 1.26.0.
        assert re.sub(r"(\.0)+$", "", found) == re.sub(r"(\.0)+$", "", version), f"{name} is {found}"

    series = np.sin(np.arange(400, dtype=np.float32) / 7)[:, None]
    network = tsuzuki.Network(inputs=1, layers=(tsuzuki.GRU(10), tsuzuki.Dense(1)))
    layout = tsuzuki.Windows(timesteps=6, batch_size=6, stateful=True).over([tsuzuki.Segment(0, 400)])
    result = tsuzuki.fit(network, tsuzuki.initialise(network, seed=0), series, series, layout, epochs=20)
    losses = [record.loss for record in result.history]
    assert losses[-1] < losses[0] / 5, losses

    with tempfile.TemporaryDirectory() as folder:
        times = pd.date_range("2024-01-01", periods=500, freq="h")
        table = pd.DataFrame({"時刻": times, "temp": np.sin(np.arange(500) / 4)})
        table.to_csv(f"{folder}/readings.csv", index=False)
        small = ["--units", "8", "--ensemble", "2", "--epochs", "3", "--horizon", "6"]
        command(folder, "fit", "readings.csv", "-o", "m.tsuzuki", *small)
        assert command(folder, "forecast", "m.tsuzuki", "--csv", "-").count("\n") == 7
        assert "step               hour" in command(folder, "info", "readings.csv")
        assert "persistence" in command(folder, "compare", "readings.csv", "--seeds", "2", "--epochs", "1")
        lines = "readings,2024-01-21 20:00,0.5\nreadings,2024-01-21 21:00,0.6\n"
        assert command(folder, "stream", "m.tsuzuki", "--state", "s", given=lines).count("\n") >= 2
        model = tsuzuki.load(f"{folder}/m.tsuzuki")
        assert len(model.predict()) == 6
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "pandas", "pyarrow", "llvmlite")}
    print(f"tsuzuki {tsuzuki.__version__} works in {sys.version.split()[0]} with {versions}")


def command(folder: str, *arguments: str, given: str = "") -> str:
    """Run a command in a folder; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tsuzuki", *arguments], cwd=folder, input=given, capture_output=True, text=True
    )
    assert done.returncode == 0, f"tsuzuki {' '.join(arguments)}: {done.stderr}"
    return done.stdout


if __name__ == "__main__":
    main(sys.argv[1:])
