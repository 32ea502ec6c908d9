"""The two variants with windows, trained by real Keras in a separate process.

Keras and its backend are slow to import and start their own threads. So the comparison writes the data to a file, runs
`python -m tsuzuki.experiment.keras_process` and reads the losses back. Both engines train on the same batches from the
same weights; states are reset at the start of each epoch.
"""

import importlib.util
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import MissingExtraError, SettingError, TsuzukiError
from tsuzuki.experiment.comparison import VariantResult
from tsuzuki.experiment.prepared_data import PreparedData
from tsuzuki.experiment.recipe import Recipe
from tsuzuki.experiment.variants import STATEFUL, STATELESS
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import CELLS

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check() -> None:
    """Check before training that real Keras can run the comparison.

    Raises:
        MissingExtraError: Keras or TensorFlow is not installed.
        SettingError: KERAS_BACKEND names a backend that does not carry states.
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend == "jax":
        raise SettingError(
            "KERAS_BACKEND is jax, but on that backend Keras 3.15 silently trains stateful layers as if they were "
            "stateless; unset it, so that TensorFlow is used"
        )
    needed = {"tensorflow": "tensorflow", "torch": "torch"}.get(backend, backend)
    for module in ("keras", needed):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(
                f"--engine keras needs the package {module}, which is not installed; "
                'install it with: pip install "tsuzuki[keras]"'
            )


def run(data: PreparedData, recipe: Recipe, advance: Callable[[float], object]) -> tuple[VariantResult, VariantResult]:
    """Train the stateless and the stateful windows in Keras.

    Args:
        data: from `prepare_data`.
        recipe: what to train.
        advance: called with the share of the whole work that was just done.

    Returns:
        The two results, with losses and times but without scores.

    Raises:
        TsuzukiError: Keras failed; its last line is in the message.
    """
    import numpy as np

    windows = {
        STATELESS: Windows(recipe.timesteps, recipe.batch_size).over(data.training),
        STATEFUL: Windows(recipe.timesteps, recipe.batch_size, stateful=True).over(data.training),
    }
    arrays: dict[str, NDArray[Any]] = {"series": data.scaled[:, 0]}
    for name, layout in windows.items():
        block = layout.block(0, layout.updates)
        arrays[f"{name} starts"] = block.starts
        # Keras cannot mask single rows of a stateful batch, so it resets where all rows start from zero.
        arrays[f"{name} resets"] = (block.entries == -1).all(axis=1)
    for seed in range(recipe.seeds):
        for i, weights in enumerate(initialise(recipe.network, seed)):
            arrays[f"weights {seed} {i}"] = weights
    with tempfile.TemporaryDirectory(prefix="tsuzuki-") as folder:
        np.savez(Path(folder) / "work.npz", **arrays)  # type: ignore[arg-type]
        settings = {name: getattr(recipe, name) for name in recipe.__dataclass_fields__}
        (Path(folder) / "recipe.json").write_text(json.dumps(settings))
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        environment.setdefault("KERAS_BACKEND", "tensorflow")
        with subprocess.Popen(
            [sys.executable, "-m", "tsuzuki.experiment.keras_process", folder],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=(Path(folder) / "stderr").open("w"),
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    if line.startswith("epoch"):
                        advance(1 / (2 * recipe.seeds * recipe.epochs))
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            lines = (Path(folder) / "stderr").read_text().strip().splitlines() or ["no message"]
            raise TsuzukiError(f"Keras ended with an error ({lines[-1][:200]}); run it with --engine tsuzuki instead")
        found = json.loads((Path(folder) / "losses.json").read_text())
    rows = []
    for name, layout in windows.items():
        rows.append(
            VariantResult(
                name=name,
                updates_per_epoch=layout.updates,
                samples_per_epoch=layout.targets,
                seconds_per_epoch=found[name]["seconds_per_epoch"],
                running_loss=tuple(tuple(losses) for losses in found[name]["running_loss"]),
                scores=(),
            )
        )
    return rows[0], rows[1]


def _model(recipe: dict[str, Any], rows: int | None, stateful: bool) -> Any:
    import keras

    layers: list[Any] = [keras.Input(batch_shape=(rows, recipe["timesteps"], 1))]
    for i in range(recipe["layers"]):
        kind = getattr(keras.layers, CELLS[recipe["cell"]].__name__)
        layers.append(kind(recipe["units"], stateful=stateful, return_sequences=i + 1 < recipe["layers"]))
    layers += [keras.layers.Dense(recipe["units"], activation="tanh"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.RMSprop(recipe["learning_rate"]), "mse")
    return model


def _reset(model: Any) -> None:
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_states()


def _train(
    work: "dict[str, NDArray[Any]]", recipe: dict[str, Any], name: str, seed: int
) -> "tuple[list[float], list[float]]":
    """One run; returns the epochs' losses and seconds."""
    import numpy as np

    series, starts, resets = work["series"], work[f"{name} starts"], work[f"{name} resets"]
    stateful = name == STATEFUL
    # A stateful batch must be complete: Keras does not train on the remainder.
    whole = (starts >= 0).all(axis=1)
    if stateful:
        starts, resets = starts[whole], resets[whole]
    batch = starts.shape[1]
    model = _model(recipe, batch if stateful else None, stateful)
    count = len([key for key in work if key.startswith(f"weights {seed} ")])
    model.set_weights([work[f"weights {seed} {i}"] for i in range(count)])
    flat = starts.ravel()[starts.ravel() >= 0]
    x = series[flat[:, None] + np.arange(recipe["timesteps"])][:, :, None]
    y = series[flat + recipe["timesteps"]][:, None]
    # Passes within an epoch are fitted separately, with a reset between them.
    begins = [*np.flatnonzero(resets if stateful else np.arange(len(starts)) == 0), len(starts)]
    losses, seconds = [], []
    for _ in range(recipe["epochs"]):
        began, total = time.perf_counter(), 0.0
        for first, last in itertools.pairwise(begins):
            _reset(model)
            part = slice(first * batch, last * batch)
            shown = model.fit(x[part], y[part], batch_size=batch, epochs=1, shuffle=False, verbose=0)
            total += shown.history["loss"][0] * len(x[part])
        seconds.append(time.perf_counter() - began)
        losses.append(total / len(x))
        print("epoch", flush=True)
    return losses, seconds


def main(arguments: Sequence[str]) -> None:
    """Read data and recipe from a folder, train, and write the losses there."""
    import numpy as np

    folder = Path(arguments[0])
    recipe = json.loads((folder / "recipe.json").read_text())
    work = dict(np.load(folder / "work.npz"))
    found: dict[str, Any] = {}
    for name in (STATELESS, STATEFUL):
        runs = [_train(work, recipe, name, seed) for seed in range(recipe["seeds"])]
        seconds = [second for _, times in runs for second in times]
        found[name] = {
            "running_loss": [losses for losses, _ in runs],
            "seconds_per_epoch": sum(seconds) / len(seconds),
        }
    (folder / "losses.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
