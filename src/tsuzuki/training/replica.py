"""A network that trains on drawn pieces of data, with all that a round needs; see `drawn_rows`."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import RowShape
from tsuzuki.engine.memory import Parameters, SavedStates
from tsuzuki.errors import TooShortError
from tsuzuki.layouts.layout import blocks, one_step_updates
from tsuzuki.network.losses import Loss
from tsuzuki.network.network import Network, check_weights
from tsuzuki.network.optimizers import Optimizer
from tsuzuki.training.arrays import Lags, as_data, as_objective, within
from tsuzuki.training.drawn_rows import DrawnRows, Piece, RowSource, Shape, room_for
from tsuzuki.training.epoch import HeldOut, train_epoch


@dataclass(frozen=True)
class Recipe:
    """What is trained, and how.

    Attributes:
        network: the description.
        shape: of a round.
        optimizer: its learning rate is the highest one.
        loss: a loss or its Keras name.
        horizon: target values of a forecast, if more than the columns of the targets.
        lags: as in `training.fit`.
        impute_from: the output whose own forecast replaces a first input that is missing; None where none is.
        residual: the outputs are changes from the first input.
        seed: of dropout's masks.
    """

    network: Network
    shape: Shape
    optimizer: Optimizer
    loss: str | Loss
    horizon: int | None = None
    lags: Lags = ()
    impute_from: int | None = 0
    residual: bool = True
    seed: int = 0


class Replica:
    """A network, its optimiser, and the arrays that a round's pieces are copied into.

    Args:
        recipe: what is trained.
        weights: arrays to start from; they are not changed.
        source: the data.
        usual: steps that a piece usually has.
        threads: as many as there is work for if None; the bits do not depend on it.

    Attributes:
        compiled: the network.
    """

    def __init__(
        self,
        recipe: Recipe,
        weights: Sequence[NDArray[np.float32]],
        source: RowSource,
        usual: float,
        threads: int | None,
    ) -> None:
        network, shape = recipe.network, recipe.shape
        check_weights(network, weights)
        self._recipe, self._source = recipe, source
        self._rows = rows = DrawnRows(source, shape, room_for(shape, source, usual))
        self.compiled = CompiledNetwork(
            network,
            RowShape(shape.lanes, shape.timesteps),
            as_data(
                network, rows.inputs, rows.targets, None, recipe.horizon, residual=recipe.residual, lags=recipe.lags
            ),
            as_objective(network, recipe.loss, None, residual=recipe.residual),
            recipe.optimizer,
            parameters=Parameters(network, weights),
            saved_states=SavedStates(network, 1),
            seed=recipe.seed,
            threads=threads,
        )
        self._imputation = _Imputation(rows, self.compiled, recipe.impute_from)

    def round(self, pieces: Sequence[Piece]) -> Iterator[NDArray[np.float64]]:
        """Train on some pieces.

        Yields:
            What some updates came to, [updates, 2]: losses and what they scored; the last one is not finite where
            training has diverged, which then ends it.

        Raises:
            TooShortError: no piece has a row that can be used.
        """
        compiled, layout = self.compiled, self._rows.fill(pieces)
        self._imputation.renew()
        for _, result in train_epoch(compiled, layout, within(layout.block(0, layout.updates), compiled.data)):
            yield result
            if not np.isfinite(result[-1, 0]):
                return

    def scored(self, pieces: Sequence[Piece]) -> "ScoredPieces | None":
        """Pieces to score with the weights as they are; None where there are none, or nothing but gaps."""
        if pieces:
            with contextlib.suppress(TooShortError):
                return ScoredPieces(self._source, self._recipe, pieces, self.compiled)
        return None


class _Imputation:
    """The network's own forecasts in place of missing first inputs, with the weights as they are."""

    def __init__(self, rows: DrawnRows, trained: CompiledNetwork, impute_from: int | None) -> None:
        self._rows = rows
        data = replace(trained.data, inputs=rows.inputs, targets=None, horizon=1, impute_from=impute_from)
        network, shape = trained.network, rows.shape
        self._compiled = CompiledNetwork(
            network,
            RowShape(shape.lanes),
            data,
            parameters=trained.parameters,
            saved_states=SavedStates(network, 1),
            threads=1,
        )

    def renew(self) -> None:
        """Forecast them anew."""
        if self._rows.with_holes is None:
            return
        self._rows.inputs[self._rows.holes, 0] = np.nan
        for block in blocks(self._rows.with_holes):
            self._compiled.forward(one_step_updates(block, self._rows.shape.timesteps))


class ScoredPieces:
    """Held-out pieces, and their loss with the weights as they are."""

    def __init__(self, source: RowSource, recipe: Recipe, pieces: Sequence[Piece], trained: CompiledNetwork) -> None:
        shape = recipe.shape
        # A piece a lane.
        longest = max(piece.stop - piece.start for piece in pieces)
        own = replace(shape, lanes=len(pieces), updates=-(-longest // shape.timesteps))
        rows = DrawnRows(source, own, len(pieces) * (source.before + longest + source.after))
        layout = rows.fill(pieces, together=False)
        data = replace(trained.data, inputs=rows.inputs, targets=rows.targets)
        self._imputation = _Imputation(rows, trained, recipe.impute_from)
        self._held_out = HeldOut(trained, layout, data)

    def loss(self) -> float:
        """The mean loss over what is scored."""
        self._imputation.renew()
        return self._held_out.loss()
