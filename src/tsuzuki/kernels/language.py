"""The words that kernels are written in, without the compiler behind them.

A kernel is a Python function that nobody ever calls: `build` translates it with Numba, in a process of its own, where
each word here stands for one of `instructions`. So the files of the kernels, which also say how large everything is,
are read in milliseconds where the machine code is on disk already.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Instruction:
    """A word that becomes a few instructions of the machine: the function of this name that `build` finds."""

    name: str


@dataclass(frozen=True, eq=False)
class Kernel:
    """A function that is compiled into its callers' unit, inlined as LLVM sees fit, or always with `vanishes`."""

    function: Callable[..., Any]
    vanishes: bool = False


@dataclass(frozen=True, eq=False)
class Procedure:
    """A function that is compiled once and called through its symbol, from its own unit and from others.

    Attributes:
        function: what it does.
        arguments: a letter each: "i" an integer, "t" the job's table or a row of it, "f" floats, "v" a vector.
        result: "" nothing, "i" an integer, "d" a double, "v" a vector.
        inlines: whether its own unit may inline it.
    """

    function: Callable[..., Any]
    arguments: str
    result: str = ""
    inlines: bool = False

    @property
    def symbol(self) -> str:
        """Its name among all units."""
        return f"tsuzuki_{self.function.__module__.rpartition('.')[2]}_{self.function.__name__}"


def kernel(function: Callable[..., Any]) -> Kernel:
    """Declare a kernel."""
    return Kernel(function)


def inlined(function: Callable[..., Any]) -> Kernel:
    """Declare a few-line kernel on vectors that must vanish into its callers."""
    return Kernel(function, vanishes=True)


def procedure(arguments: str, result: str = "", *, inlines: bool = False) -> Callable[[Callable[..., Any]], Procedure]:
    """Declare a procedure."""
    return lambda function: Procedure(function, arguments, result, inlines)


# Pointers and addresses
floats_at = Instruction("floats_at")
doubles_at = Instruction("doubles_at")
ints_at = Instruction("ints_at")
small_ints_at = Instruction("small_ints_at")
shift = Instruction("shift")
# Vectors
load = Instruction("load")
load_some = Instruction("load_some")
store = Instruction("store")
splat = Instruction("splat")
fma = Instruction("fma")
sqrt = Instruction("sqrt")
absolute = Instruction("absolute")
smaller = Instruction("smaller")
larger = Instruction("larger")
where_positive = Instruction("where_positive")
where_number = Instruction("where_number")
sum_lanes = Instruction("sum_lanes")
sum_lanes_widely = Instruction("sum_lanes_widely")
rounded = Instruction("rounded")
times_power_of_two = Instruction("times_power_of_two")
reciprocal = Instruction("reciprocal")
reciprocal_root = Instruction("reciprocal_root")
# Blocks of a matrix
transpose_square = Instruction("transpose_square")
tile = Instruction("tile")
# Calls through the table, and functions that stay functions
call_forward = Instruction("call_forward")
call_backward = Instruction("call_backward")
call_activation = Instruction("call_activation")
call_score = Instruction("call_score")
call_update = Instruction("call_update")
stand_alone = Instruction("stand_alone")
# Threads
add_atomically = Instruction("add_atomically")
read_atomically = Instruction("read_atomically")
give_way = Instruction("give_way")
