"""Machine code for this very CPU: from the cache, else from the package's bitcode, else compiled from the sources.

The kernels are compiled unit by unit (see `kernels.build`), and only those a network uses. Each unit's machine code is
kept under a hash of everything it depends on: its own sources, the compilers' versions, the CPU and its features, the
vector width. A later process needs only llvmlite and milliseconds. A wheel brings every unit as bitcode, which llvmlite
turns into machine code in a fraction of a second; Numba is needed only where the sources are newer than that.

The driver is called with the address of a job (see `kernels.table`) and a thread number, through ctypes, which
releases the interpreter's lock.
"""

import ctypes
import functools
import hashlib
import json
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tsuzuki.engine import code_cache
from tsuzuki.engine.code_cache import cache_folder
from tsuzuki.kernels.host import WIDTH, features

Program = Callable[[int, int], int]
BITCODE = Path(__file__).parents[1] / "kernels" / "bitcode"
# What every network needs besides its layer kinds, those first that others call.
ALWAYS = ("shared", "losses", "updates", "driver")
_lock = threading.RLock()
_loaded: set[str] = set()
_engines: list[Any] = []
_addresses: dict[str, int] = {}
_names: dict[int, str] = {}


@functools.cache
def _source_keys() -> dict[str, str]:
    """Each unit's hash of its sources: from the package or the cache where the sources are the same as there."""
    from tsuzuki.kernels.build import UNITS, source_key, sources_digest

    digest = sources_digest()
    index = cache_folder() / f"units-{digest}.json"
    try:
        return dict(json.loads((BITCODE / index.name).read_text()))
    except (OSError, ValueError, TypeError):
        pass
    if kept := code_cache.read(index):
        return dict(json.loads(kept))
    keys = {unit: source_key(unit) for unit in UNITS}
    code_cache.write(index, json.dumps(keys).encode())
    return keys


@functools.cache
def _machine_key() -> str:
    """A hash of the compilers and the CPU."""
    import llvmlite
    from llvmlite import binding

    facts = [llvmlite.__version__, binding.get_host_cpu_name(), str(WIDTH), *sorted(features())]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()


def _file(unit: str) -> Path:
    key = hashlib.sha256(f"{_source_keys()[unit]} {_machine_key()}".encode()).hexdigest()[:24]
    return cache_folder() / f"{unit}-{key}.bin"


def is_compiled(units: Sequence[str] = ()) -> bool:
    """Whether all that is needed is loaded, on disk or in the package, so that it takes no time to speak of."""
    wanted = [unit for unit in (*ALWAYS, *units) if unit not in _loaded]
    return all(_file(unit).is_file() or _shipped(unit) is not None for unit in wanted)


def _shipped(unit: str) -> bytes | None:
    """The package's bitcode of a unit, if it was made from these very sources."""
    try:
        return (BITCODE / f"{unit}-{_source_keys()[unit]}.bc").read_bytes()
    except OSError:
        return None


def bitcode_of(unit: str) -> bytes:
    """A unit's bitcode: the package's, else the cache's, else built from the sources."""
    if (found := _shipped(unit)) is not None:
        return found
    kept = cache_folder() / f"{unit}-{_source_keys()[unit]}.bc"
    if (found := code_cache.read(kept)) is not None:
        return found
    from tsuzuki.kernels.build import bitcode

    made = bitcode(unit)
    code_cache.write(kept, made)
    return made


def host_machine() -> Any:
    """LLVM's picture of this machine."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple()
    return target.create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="small",
        jit=True,
    )


def emit(bitcode: bytes) -> bytes:
    """Turn optimised bitcode into machine code for this CPU: its procedures' names, a zero byte, an object file."""
    from llvmlite import binding

    module = binding.parse_bitcode(bitcode)
    names = [function.name for function in module.functions if function.linkage == binding.Linkage.external]
    defined = [name for name in names if not module.get_function(name).is_declaration]
    return " ".join(defined).encode() + b"\0" + bytes(host_machine().emit_object(module))


def _stored(unit: str) -> bytes | None:
    """A unit's code from the cache, or None where there is none that can be linked."""
    from tsuzuki.engine.object_file import fits

    code = code_cache.read(_file(unit))
    if code is None:
        return None
    names, _, machine_code = code.partition(b"\0")
    return code if fits(machine_code, names.decode("latin-1").split()) else None


def _code_of(units: Sequence[str]) -> dict[str, bytes]:
    """Machine code of each unit."""
    found = {unit: code for unit in units if (code := _stored(unit)) is not None}
    made = {unit: emit(shipped) for unit in units if unit not in found and (shipped := _shipped(unit)) is not None}
    if missing := [unit for unit in units if unit not in found and unit not in made]:
        from tsuzuki.engine.compiling import compile_units

        made |= compile_units(missing)
    for unit, code in made.items():
        code_cache.write(_file(unit), code)
    return found | made


def _in_memory(machine_code: bytes) -> Any:
    """Bring an object file into memory; what it calls must be there already."""
    from llvmlite import binding

    # The small code model reads constants relative to the code, so both must lie within 2 GB of each other; only this
    # memory manager sees to it. Without it the process is aborted where the address space is crowded (after JAX). It
    # takes one object file alone, so each unit has an engine of its own.
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), host_machine(), use_lmm=True)
    engine.add_object_file(binding.ObjectFileRef.from_data(machine_code))
    engine.finalize_object()
    _engines.append(engine)
    return engine


def _link(code: bytes) -> None:
    """Bring a unit's code into memory and make its procedures known to the units that come after it."""
    from llvmlite import binding

    names, _, machine_code = code.partition(b"\0")
    engine = _in_memory(machine_code)
    for name in names.decode().split():
        _addresses[name] = engine.get_function_address(name)
        _names[_addresses[name]] = name
        binding.add_symbol(name, _addresses[name])


@functools.cache
def _name_what_windows_lacks() -> None:
    """On Windows, have the kernels' calls of POSIX's sched_yield reach SwitchToThread, which does the same."""
    if sys.platform == "win32":
        from llvmlite import binding

        switch = ctypes.WinDLL("kernel32").SwitchToThread
        binding.add_symbol("sched_yield", ctypes.cast(switch, ctypes.c_void_p).value)


def load(units: Sequence[str] = ()) -> None:
    """Have the driver and some layer kinds in memory, compiling first what this machine has not compiled yet."""
    with _lock:
        missing = [unit for unit in dict.fromkeys((*ALWAYS, *units)) if unit not in _loaded]
        if missing:
            _name_what_windows_lacks()
            code = _code_of(missing)
            for unit in missing:
                _link(code[unit])
                _loaded.add(unit)


def address_of(module: str, procedure: str) -> int:
    """The address of a loaded procedure, by the names of its module and itself."""
    return _addresses[f"tsuzuki_{module}_{procedure}"]


def name_of(address: int) -> str | None:
    """The symbol of a loaded procedure, or None for a number that is no procedure's address."""
    return _names.get(address)


_NATIVE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


@functools.cache
def program() -> Program:
    """The driver, as a function of a job's address and a thread's number that returns how many updates were finite."""
    load()
    return _NATIVE(address_of("driver", "run"))


def own_file(units: Sequence[str], key: str) -> Path:
    """Where a network's own program is kept that consists of some units and is called for by `key`."""
    sources = " ".join(_source_keys()[unit] for unit in units)
    digest = hashlib.sha256(f"{key} {sources} {_machine_key()}".encode()).hexdigest()
    return cache_folder() / f"own-{digest[:24]}.bin"


def linked(file: Path, symbol: str) -> Program | None:
    """A network's own program from the cache, or None where there is none that can be linked."""
    from tsuzuki.engine.object_file import fits

    code = code_cache.read(file)
    if code is None or not fits(code, [symbol]):
        return None
    with _lock:
        return _NATIVE(_in_memory(code).get_function_address(symbol))


def bind(address: int, *, briefly: bool) -> Callable[[], object]:
    """The program with its arguments in place, for one thread: a call costs a third of what `program`'s costs.

    Args:
        address: of a job, which must live as long as what is returned.
        briefly: keep the interpreter's lock meanwhile, which is sooner done than letting go of it and taking it back.
    """
    load()
    native = (ctypes.PYFUNCTYPE if briefly else ctypes.CFUNCTYPE)(None)(address_of("driver", "run"))
    return functools.partial(native, ctypes.c_int64(address), ctypes.c_int64(0))
