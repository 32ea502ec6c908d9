"""An `nn.Sequential` that can hold recurrent modules, which give a pair."""

from typing import Any

from torch import nn


class RecurrentSequential(nn.Sequential):  # type: ignore[misc]
    """Modules one after another; behind a recurrent one its output sequence goes on, not its final state."""

    def forward(self, input: Any) -> Any:
        """From [samples, timesteps, features], or numbers [samples, timesteps], to [samples, timesteps, outputs]."""
        for module in self:
            found = module(input)
            input = found[0] if isinstance(found, tuple) else found
        return input
