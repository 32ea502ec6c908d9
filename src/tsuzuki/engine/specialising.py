"""One network's own program: the units' bitcode linked together, with the table of its job as constants.

    python -m tsuzuki.engine.specialising     reads a request from standard input, keeps machine code in the cache

The kernels read every size, offset and choice from the table (see `kernels.table`). Where LLVM knows them it unrolls
the loops over layers, calls each layer's passes directly, folds the addresses, and leaves out whatever the network
does not use. No operation may be reordered (see `kernels.instructions`), so the bits are those of the general program.

LLVM cannot know that the table does not change: whatever is stored through a bare pointer might change it. So the loads
of constant cells are turned to a constant array of the same content, in the program's text. A load that is not found
stays as it is, and is right as well.
"""

import os
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tsuzuki.engine.own_program import RUN
from tsuzuki.kernels import table as p

TABLE = "tsuzuki_table"
CELL = 8
_PLACE = re.compile(r"getelementptr (?:inbounds |nuw |nusw )*i8, ptr (%[\w.]+), i64 (\d+)")
_DEFINED = re.compile(r"^define .*?@\"?([\w.$]+)\"?\(")
_JOB = re.compile(r"\s+(%[\w.]+) = inttoptr i64 %\.1 to ptr")
# What hides from LLVM how the places in a register tile follow from one another (see `kernels.register_tile`).
_HIDDEN_INDEX = re.compile(r"(?:tail )?call i64 asm [^(]*\(i64 (%[\w.]+)\)(?: #\d+)?")
_HIDDEN_PLACE = re.compile(r"(?:tail )?call ptr asm [^(]*\(ptr (%[\w.]+)\)(?: #\d+)?")


def specialise(units: Sequence[bytes], takes_job: Collection[str], cells: Mapping[int, int | str]) -> bytes:
    """Link and optimise bitcode for one job; return an object file that defines RUN.

    Args:
        units: bitcode of all units that the job calls.
        takes_job: the procedures whose first argument is the job.
        cells: what never changes of the job's table, by position: a number, or a procedure's name for its address.
    """
    from llvmlite import binding

    from tsuzuki.engine.machine_code import host_machine

    machine = host_machine()
    module = binding.parse_assembly("")
    for bitcode in units:
        text = _shown(str(binding.parse_bitcode(bitcode)))
        text = _with_constants(text, {cell for cell in cells if cell < p.HEADER}, takes_job)
        module.link_in(binding.parse_assembly(f"{text}\n@{TABLE} = external constant [{max(cells) + 1} x i64]\n"))
    module.link_in(binding.parse_assembly(_constant_table(module, cells)))
    called = {value for value in cells.values() if isinstance(value, str)}
    _keep_only(module, {RUN, TABLE, *called})
    _optimise(module, machine, level=1)
    # With the loops over layers unrolled, the places of rows are plain.
    module = binding.parse_assembly(_with_constants(str(module), cells, takes_job))
    for function in module.functions:
        if function.name != RUN and not function.is_declaration:
            function.add_function_attribute("alwaysinline")
    _keep_only(module, {RUN, TABLE})
    _optimise(module, machine, level=3)
    # With the layers' passes taken in, those of their own rows too.
    module = binding.parse_assembly(_with_constants(str(module), cells, takes_job))
    _keep_only(module, {RUN})
    _optimise(module, machine, level=3)
    return bytes(machine.emit_object(module))


def _shown(text: str) -> str:
    """Let LLVM see through what a unit keeps apart: for calls from others, and for places that are no constants."""
    text = re.sub(r"\bnoinline\b", "nounwind", text)
    return _HIDDEN_PLACE.sub(r"getelementptr i8, ptr \1, i64 0", _HIDDEN_INDEX.sub(r"add i64 \1, 0", text))


def _with_constants(text: str, cells: Collection[int], takes_job: Collection[str]) -> str:
    """Turn the places of constant cells behind a job's address to places in the constant table."""
    lines: list[str] = []
    jobs: set[str] = set()
    running = False

    def constant(found: "re.Match[str]") -> str:
        place = int(found[2])
        if found[1] in jobs and place % CELL == 0 and place // CELL in cells:
            return f"getelementptr i8, ptr @{TABLE}, i64 {place}"
        return found[0]

    for line in text.split("\n"):
        if defined := _DEFINED.match(line):
            # Numba gives the arguments of kernels their names; those of procedures have numbers.
            jobs = {"%arg.job"} | ({"%.1"} if defined[1] in takes_job else set())
            running = defined[1] == RUN
        elif running and (job := _JOB.match(line)):
            jobs.add(job[1])
        lines.append(_PLACE.sub(constant, line))
    return "\n".join(lines)


def _constant_table(module: Any, cells: Mapping[int, int | str]) -> str:
    """The table as a constant array; cells that may change are zero in it, and are not read there."""
    head = [f'target datalayout = "{module.data_layout}"', f'target triple = "{module.triple}"']
    called = sorted({value for value in cells.values() if isinstance(value, str)})
    for name in called:
        # "; comments \n define TYPE @NAME(ARGUMENTS) local_unnamed_addr #1 {"
        (line,) = [one for one in str(module.get_function(name)).split("\n") if one.startswith("define ")]
        head.append("declare " + line.removeprefix("define ").split(" local_unnamed_addr")[0].split(" #")[0])
    values = [cells.get(cell, 0) for cell in range(max(cells) + 1)]
    content = ", ".join(f"i64 ptrtoint (ptr @{v} to i64)" if isinstance(v, str) else f"i64 {v}" for v in values)
    return "\n".join([*head, f"@{TABLE} = constant [{len(values)} x i64] [{content}]\n"])


def _keep_only(module: Any, names: Collection[str]) -> None:
    """Hide all but these from outside, so that what is not used goes."""
    from llvmlite import binding

    for thing in [*module.functions, *module.global_variables]:
        if not thing.is_declaration and thing.name not in names:
            thing.linkage = binding.Linkage.internal


def _optimise(module: Any, machine: Any, level: int) -> None:
    from llvmlite import binding

    options = binding.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization, options.slp_vectorization, options.loop_unrolling = level > 1, False, True
    passes = binding.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)


def main() -> None:
    """Do what standard input asks for: units, cells and the file of the cache where the code goes."""
    import json

    from tsuzuki.engine import code_cache
    from tsuzuki.engine.machine_code import bitcode_of
    from tsuzuki.kernels.build import procedures_of

    if hasattr(os, "nice"):
        os.nice(10)
    asked = json.load(sys.stdin)
    takes_job = {
        procedure.symbol
        for unit in asked["units"]
        for procedure in procedures_of(unit)
        if procedure.function.__code__.co_varnames[0] == "job"
    }
    cells = {int(cell): value for cell, value in asked["cells"].items()}
    code = specialise([bitcode_of(unit) for unit in asked["units"]], takes_job, cells)
    code_cache.write(Path(asked["file"]), code)


if __name__ == "__main__":
    main()
