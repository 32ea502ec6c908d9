"""From kernels to LLVM: each unit is typed by Numba, linked, optimised once, and left as bitcode.

    python -m tsuzuki.kernels.build FOLDER     writes all units' bitcode, as the wheel brings it

A unit is what is compiled together: the `driver`, the `losses`, the `updates` (optimisers), what all layer
kinds share (`shared`), and each layer kind by itself. Units know one another's procedures by their symbols alone, so
one can be compiled without the others, and an edited one without those that call it.

Numba's own optimisation is left out (NUMBA_OPT=0, set by whoever starts this): it would optimise a function anew in
every function that calls it, two thirds of the whole time.
"""

import ast
import functools
import hashlib
import inspect
import json
import os
import platform
import sys
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import Instruction, Kernel, Procedure

HERE = Path(__file__).parent
UNITS = {
    "driver": ("driver",),
    "losses": ("losses",),
    "class_losses": ("class_losses",),
    "rare_losses": ("rare_losses",),
    "given_slopes": ("given_slopes",),
    "updates": ("optimizers",),
    "rare_updates": ("rare_optimizers",),
    "weight_rules": ("weight_rules",),
    "rare_activations": ("rare_activations",),
    "committee_step": ("committee_step",),
    "number_text": ("number_text",),
    "naive_errors": ("naive_errors",),
    "one_reading": ("one_reading",),
    "standing_worker": ("standing_worker",),
    "shared": ("matrix", "dropout_masks", "activations", "projection", "recurrence", "step_masks"),
    **{path.stem: (f"layers.{path.stem}",) for path in sorted(HERE.glob("layers/[a-z]*.py"))},
}
# What LLVM may assume of the machine while it optimises: no more than every machine with vectors of this width has.
GENERIC = {16: "x86-64-v4", 8: "sandybridge", 4: "x86-64"}


# Calls of C's library (exp, memset) go by way of the address table too, see `_external`.
USE_ADDRESS_TABLE = '!llvm.module.flags = !{!0}\n!0 = !{i32 7, !"RtLibUseGOT", i32 1}\n'


def modules_of(unit: str) -> list[Any]:
    """The modules whose procedures a unit holds."""
    return [import_module(f"tsuzuki.kernels.{name}") for name in UNITS[unit]]


def procedures_of(unit: str) -> list[Procedure]:
    """The procedures that a unit defines."""
    return [
        value
        for module in modules_of(unit)
        for value in vars(module).values()
        if isinstance(value, Procedure) and value.function.__module__ == module.__name__
    ]


@functools.cache
def _imports(path: Path) -> tuple[tuple[Path, tuple[str, ...]], ...]:
    """The kernel modules that a file imports, and the names it takes from each."""
    found = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tsuzuki.kernels."):
            file = HERE.joinpath(*node.module.split(".")[2:]).with_suffix(".py")
            found.append((file, tuple(alias.name for alias in node.names)))
    return tuple(found)


@functools.cache
def _declared(path: Path) -> dict[str, str]:
    """The procedures that a file declares, by name: how each is called."""
    found = {}
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "procedure":
                    found[node.name] = ast.unparse(decorator)
    return found


def _sources(path: Path, seen: dict[Path, None], calls: set[str]) -> None:
    """Gather the files that shape a unit's code; of other units' procedures only how they are called."""
    if path in seen:
        return
    seen[path] = None
    for file, names in _imports(path):
        outside = _declared(file)
        calls.update(f"{file.stem}.{name} {outside[name]}" for name in names if name in outside)
        if any(name not in outside for name in names):
            _sources(file, seen, calls)


@functools.cache
def source_key(unit: str) -> str:
    """A hash of all sources that a unit's code is made of, and of the vector width."""
    seen: dict[Path, None] = {}
    calls: set[str] = set()
    meanings = ("instructions.py", "call_instructions.py", "register_tile.py")
    compilers = [HERE / name for name in (*meanings, "language.py", "build.py", "host.py")]
    for path in [*compilers, *(HERE.joinpath(*name.split(".")).with_suffix(".py") for name in UNITS[unit])]:
        _sources(path, seen, calls)
    digest = hashlib.sha256(f"{WIDTH} {platform.machine()} {sys.platform}\0".encode())
    for text in sorted(calls):
        digest.update(text.encode() + b"\0")
    for path in sorted(seen):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:32]


@functools.cache
def _external(procedure: Procedure) -> Any:
    """How a procedure is called from kernels: by its symbol, with C's calling convention."""
    from llvmlite import ir
    from numba.core import cgutils
    from numba.extending import intrinsic

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        result = context.get_value_type(signature.return_type) if procedure.result else ir.VoidType()
        kind = ir.FunctionType(result, [value.type for value in args])
        function = cgutils.get_or_insert_function(builder.module, kind, procedure.symbol)
        # Called by way of an address table, which the linker in memory makes large enough only for such calls.
        function.attributes.add("nonlazybind")
        value = builder.call(function, args)
        return value if procedure.result else context.get_dummy_value()

    def call(typing: Any, *args: Any) -> Any:
        return _signature(procedure), generate

    names = ["typing", *(f"argument_{i}" for i in range(len(procedure.arguments)))]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    call.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
    return intrinsic(call)


def _signature(procedure: Procedure) -> Any:
    from numba import types

    from tsuzuki.kernels.instructions import floats, ints, vector

    kinds = {"i": types.int64, "t": ints, "f": floats, "d": types.float64, "v": vector, "": types.void}
    return kinds[procedure.result](*(kinds[letter] for letter in procedure.arguments))


@functools.cache
def _translated(declared: Kernel | Procedure) -> Any:
    """A kernel or procedure as Numba takes it: words for instructions, kernels for their translations."""
    from numba import njit

    from tsuzuki.kernels import call_instructions, instructions, register_tile

    function, meanings = declared.function, (instructions, call_instructions, register_tile)
    words = dict(function.__globals__)
    for name in function.__code__.co_names:
        value = words.get(name)
        if isinstance(value, Instruction):
            words[name] = next(getattr(one, value.name) for one in meanings if hasattr(one, value.name))
        elif isinstance(value, Kernel):
            words[name] = _translated(value)
        elif isinstance(value, Procedure):
            words[name] = _external(value)
    plain = FunctionType(function.__code__, words, function.__name__, function.__defaults__)
    plain.__module__, plain.__qualname__ = function.__module__, function.__qualname__
    vanishes = isinstance(declared, Kernel) and declared.vanishes
    return njit(
        error_model="numpy",
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
        # Nothing here is an array or counted: without the passes for these, typing takes a fifth less.
        _nrt=False,
        no_rewrites=True,
        **({"forceinline": True} if vanishes else {}),
    )(plain)


@functools.cache
def _emit_nothing() -> None:
    """Keep Numba (tried: 0.68) from emitting machine code for each function: the unit is emitted as a whole."""
    from numba import _dynfunc
    from numba.core import codegen, cpu

    def entry(context: Any, library: Any, description: Any, environment: Any) -> Any:
        # Nobody calls it here; Numba knows the function by it.
        name = description.qualname.rpartition(".")[2]
        return _dynfunc.make_function(description.lookup_module(), name, "", 1, environment, (library,))

    cpu.CPUContext.get_executable = entry
    codegen.JITCPUCodegen._add_module = lambda self, module: None
    codegen.JITCodeLibrary._finalize_specific = lambda self: None


def _export(procedure: Procedure, module: Any) -> Any:
    """Compile a procedure and link it into a module under its symbol; return the module's function."""
    from llvmlite import binding, ir
    from numba.core.compiler_lock import global_compiler_lock

    from tsuzuki.kernels.instructions import VECTOR

    signature = _signature(procedure)
    dispatcher = _translated(procedure)
    dispatcher.compile(signature.args)
    compiled = dispatcher.overloads[signature.args]
    with global_compiler_lock:
        compiled.library._ensure_finalized()
    module.link_in(binding.parse_bitcode(compiled.library._final_module.as_bitcode()))
    inner_name = compiled.fndesc.llvm_func_name
    # Numba's calling convention has a place for the result and one for an exception first; C's has neither.
    pointers = {"t": ir.IntType(64).as_pointer(), "f": ir.FloatType().as_pointer()}
    letters = {"i": ir.IntType(64), "v": VECTOR, **pointers}
    results = {"": ir.IntType(8).as_pointer(), "i": ir.IntType(64), "d": ir.DoubleType(), "v": VECTOR}
    kinds = [letters[letter] for letter in procedure.arguments]
    result = results[procedure.result]
    wrapper = ir.Module()
    trouble = ir.IntType(8).as_pointer()
    inner = ir.Function(
        wrapper, ir.FunctionType(ir.IntType(32), [result.as_pointer(), trouble.as_pointer(), *kinds]), inner_name
    )
    function = ir.Function(
        wrapper, ir.FunctionType(result if procedure.result else ir.VoidType(), kinds), procedure.symbol
    )
    if not procedure.inlines:
        function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    place, failure = builder.alloca(result), builder.alloca(trouble)
    builder.call(inner, [place, failure, *function.args])
    builder.ret(builder.load(place)) if procedure.result else builder.ret_void()
    module.link_in(binding.parse_assembly(str(wrapper)))
    module.get_function(inner_name).linkage = binding.Linkage.internal
    module.get_function(inner_name).add_function_attribute("alwaysinline")
    return module.get_function(procedure.symbol)


def generic_machine() -> Any:
    """The machine that bitcode is optimised for."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    cpu = GENERIC[WIDTH] if platform.machine() in ("x86_64", "AMD64") else "generic"
    return binding.Target.from_default_triple().create_target_machine(cpu=cpu, opt=3, reloc="pic", codemodel="small")


def bitcode(unit: str) -> bytes:
    """Compile a unit to optimised bitcode."""
    from llvmlite import binding

    if os.environ.get("NUMBA_OPT") != "0":
        raise RuntimeError("kernels are built with NUMBA_OPT=0 in the environment, set before Numba is imported")
    _emit_nothing()
    machine = generic_machine()
    module = binding.parse_assembly(USE_ADDRESS_TABLE)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    exported = [_export(procedure, module).name for procedure in procedures_of(unit)]
    for function in module.functions:
        if not function.is_declaration and function.name not in exported:
            function.linkage = binding.Linkage.internal
    for variable in module.global_variables:
        if not variable.is_declaration and variable.linkage != binding.Linkage.internal:
            variable.linkage = binding.Linkage.internal
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    options.slp_vectorization = False
    passes = binding.create_pass_builder(machine, options)
    early = passes.getModulePassManager()
    early.add_loop_rotate_pass()
    early.add_instruction_combine_pass()
    early.add_jump_threading_pass()
    early.run(module, passes)
    passes = binding.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    module.verify()
    return bytes(module.as_bitcode())


def sources_digest() -> str:
    """A hash of all kernel sources together: quicker to have than each unit's own, and what these are kept under."""
    digest = hashlib.sha256(str(WIDTH).encode())
    for path in sorted([*HERE.glob("*.py"), *HERE.glob("layers/*.py")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:32]


def write_bitcode(folder: Path) -> None:
    """Write every unit's bitcode for one vector width, and the list of their keys, as a wheel holds them."""
    keys = {unit: source_key(unit) for unit in UNITS}
    for unit, key in keys.items():
        (folder / f"{unit}-{key}.bc").write_bytes(bitcode(unit))
    (folder / f"units-{sources_digest()}.json").write_text(json.dumps(keys))


if __name__ == "__main__":
    write_bitcode(Path(sys.argv[1]))
