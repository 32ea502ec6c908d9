"""PyTorch modules in and out: recurrent modules of `torch.nn` as a Network with its weights, and back.

    from_torch: a module as a Network
    to_torch: a Network as a module

PyTorch is imported by these modules alone, when they are first used.
"""

from importlib import import_module
from typing import Any

_HOMES = {"from_torch": "module_to_network", "to_torch": "network_to_module"}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        require_torch()
        return getattr(import_module(f"tsuzuki.torch.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'tsuzuki.torch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


def require_torch() -> None:
    """Raise MissingExtraError where PyTorch is not installed."""
    from importlib.util import find_spec

    from tsuzuki.errors import MissingExtraError

    if find_spec("torch") is None:
        raise MissingExtraError(
            "tsuzuki.torch needs the package torch, which is not installed; install it as pytorch.org says"
        )
