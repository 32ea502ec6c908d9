"""The arrays that training and forecasting read: checked against the network and the layout, ready for the kernels.

The compiled program reads where the layout points, so everything that could point beside the arrays is refused here.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.data import Data, Objective, check_columns
from tsuzuki.errors import SettingError
from tsuzuki.layouts.layout import CARRY, Block, Layout
from tsuzuki.network.losses import Loss, forecasts_values, named
from tsuzuki.network.network import Network

Lags = Sequence[tuple[int, int]]


def as_data(
    network: Network,
    inputs: NDArray[np.float32],
    targets: NDArray[np.float32] | None = None,
    sample_weights: NDArray[np.float32] | None = None,
    horizon: int | None = None,
    *,
    residual: bool = False,
    lags: Lags = (),
    impute_from: int | None = None,
) -> Data:
    """Check arrays and settings against the network and one another; see `training.fit` for what they mean.

    Args:
        network: the description.
        inputs: [points, features]; float32 in one piece is not copied.
        targets: [points, stride], or None where nothing is scored.
        sample_weights: [points], or None.
        horizon: target values of a forecast; the columns of `targets` if None.
        residual: the network forecasts a change.
        lags: pairs (behind, over).
        impute_from: the output that stands in for a missing first input, or None.

    Raises:
        SettingError: sizes that do not fit one another, or a lag that looks ahead.
    """
    inputs = _flat("inputs", inputs)
    check_columns(network, inputs, lags)
    if targets is not None:
        targets = _flat("targets", targets)
        if len(targets) != len(inputs):
            raise SettingError(f"there are {len(inputs)} inputs but {len(targets)} targets; give as many of both")
    if sample_weights is not None:
        sample_weights = np.ascontiguousarray(sample_weights, np.float32)
        if sample_weights.shape != (len(inputs),):
            raise SettingError(
                f"sample_weights have shape {sample_weights.shape}; give one for each of {len(inputs)} points"
            )
    for behind, over in lags:
        if behind < 0 or over < 1:
            raise SettingError(f"lag ({behind}, {over}) looks ahead or at nothing; give behind >= 0 and over >= 1")
    stride = 1 if targets is None else targets.shape[1]
    return Data(inputs, targets, horizon or stride, residual, sample_weights, tuple(lags), impute_from=impute_from)


def as_held_out(data: Data, targets: NDArray[np.float32] | None) -> Data:
    """The training data with the targets that validation scores: `targets` [points, stride], or the same if None.

    Raises:
        SettingError: they have another shape than those of training.
    """
    held_out = data if targets is None else replace(data, targets=_flat("targets", targets))
    if held_out.targets is None or data.targets is None or held_out.targets.shape != data.targets.shape:
        raise SettingError("validation_targets are not as many as the targets; give both the same shape")
    return held_out


def as_objective(
    network: Network, loss: str | Loss, output_weights: NDArray[np.float32] | None, *, residual: bool
) -> Objective:
    """What is minimised: a loss or its Keras name, and a factor for each output ([outputs]) or None.

    Raises:
        SettingError: an unknown loss, another number of factors, or a loss that cannot score changes.
    """
    if output_weights is not None and len(output_weights) != network.outputs:
        raise SettingError(
            f"there are {len(output_weights)} output_weights for {network.outputs} outputs; give one for each"
        )
    chosen = named(loss)
    if residual and not forecasts_values(chosen):
        name = type(chosen).__name__
        raise SettingError(f"{name} has a head that is no forecast, so none can be residual; use residual=False")
    return Objective(chosen, output_weights)


def _flat(name: str, array: NDArray[np.float32]) -> NDArray[np.float32]:
    if array.ndim != 2:
        raise SettingError(f"{name} have {array.ndim} axes; give them as [points, columns]")
    return np.ascontiguousarray(array, np.float32)


def check_returns(network: Network, layout: Layout) -> None:
    """Check that the last recurrent layer returns what the layout scores, unless the steps change on the way.

    Raises:
        SettingError: its `return_sequences` says otherwise, or a layer looks ahead where that makes no sense.
    """
    carries = (layout.block(0, min(2, layout.updates)).entries == CARRY).any()
    if network.looks_ahead and (layout.every_step or carries):
        raise SettingError(
            "a layer of the network looks ahead in its row, as Reverse does, but the layout "
            + ("scores every step, with targets that lie ahead in the row" if layout.every_step else "carries states")
            + "; use Windows without stateful=True"
        )
    last = network.layers[network.last_recurrent]
    returns = getattr(last, "return_sequences", None)
    if returns is not None and returns != layout.every_step and not network.whole_rows:
        scored = "every step" if layout.every_step else "only the last step of a window"
        raise SettingError(
            f"layer {network.last_recurrent + 1} has return_sequences={returns}, but the layout scores {scored}; "
            "leave return_sequences out, or use Streams to score every step and Windows to score the last"
        )


def within(block: Block, data: Data) -> Block:
    """The same rows, if the arrays hold all that they read and forecast.

    Raises:
        SettingError: they do not; the program would read what lies beside the arrays.
    """
    there = block.valid > 0
    if not there.any():
        return block
    first, last = int(block.starts[there].min()), int((block.starts + block.valid)[there].max())
    reach = max((behind + over - 1 for behind, over in data.lags), default=0)
    points, ahead = len(data.inputs), 0
    if data.targets is not None:
        ahead = -(-max(0, data.horizon - data.targets.shape[1]) // data.targets.shape[1])
    if last + ahead >= points:
        raise SettingError(
            f"the layout's last target is at position {last} (and {ahead} further), but there are {points} points; lay "
            "out fewer, or append rows of NaN targets"
        )
    if first < reach:
        raise SettingError(
            f"the lags reach {reach} rows back, but the layout begins at position {first}; begin its segments later"
        )
    return block
