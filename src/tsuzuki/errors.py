"""The one family of errors a user can meet.

Each message has three parts: what is wrong, where, and what to do. It stands left of every other room, so that any of
them can raise it and the command line can catch it whole.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TsuzukiError(Exception):
    """Base of every error that this library raises on purpose."""


class DataError(TsuzukiError, ValueError):
    """The data cannot be used as they are: columns, stamps, values."""


class IrregularError(DataError):
    """Readings follow no regular grid.

    Attributes:
        what: what is wrong and where.
        freq: a step that suits them.
    """

    def __init__(self, what: str, freq: str) -> None:
        super().__init__(f"{what}; take the mean of each step with freq={freq!r}, or what resample= says")
        self.what, self.freq = what, freq


class FileError(TsuzukiError, OSError):
    """A file cannot be opened, read or written."""


class TooShortError(DataError):
    """There are fewer observations than the layout needs."""


class SettingError(TsuzukiError, ValueError):
    """An argument or option has a value that cannot work, alone or together with another."""


class DivergedError(TsuzukiError, ArithmeticError):
    """The loss is no longer finite; the message names the epoch and the update.

    Attributes:
        weights: the best weights so far, as `network.parameters` lists them.
    """

    def __init__(self, message: str, weights: "list[NDArray[np.float32]] | None" = None) -> None:
        super().__init__(message)
        self.weights = weights


class UnsupportedModel(TsuzukiError, ValueError):  # noqa: N818
    """A Keras model or the way it is compiled has no equal here; the message names the nearest thing that works.

    Attributes:
        problems: all that stands in the way, each with what to use in its place.
    """

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)


class MissingExtraError(TsuzukiError, ImportError):
    """An optional package is needed and not installed; the message names the extra."""


class NotSwappedError(TsuzukiError, RuntimeError):
    """`tsuzuki run --strict`: a call of the script cannot be done by the compiled engine; the message says why."""
