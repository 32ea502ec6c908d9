"""The compiled program on disk: built once for a machine, loaded in milliseconds ever after.

Numba's own cache looks only at the file of the function it caches, so an edited callee would leave old code in use;
and loading from it means importing all of Numba, which takes longer than training a small network. So the machine code
itself is kept, under a name that is a hash of everything it depends on: all kernel sources, the versions of Numba and
LLVM, the CPU and its features, the vector width. A later process needs only llvmlite.

The program is called with the address of a job (see `plan`) and a thread number, through ctypes, which releases the
interpreter's lock.
"""

import ctypes
import functools
import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from tsuzuki.kernels.host import WIDTH, features

Program = Callable[[int, int], int]
_lock = threading.Lock()
_DIGEST = 32


def cache_folder() -> Path:
    """The folder of the machine code: TSUZUKI_CACHE_DIR, or the user's cache folder of this platform."""
    if chosen := os.environ.get("TSUZUKI_CACHE_DIR"):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "tsuzuki"


@functools.cache
def key() -> str:
    """Hash everything that the machine code depends on."""
    from llvmlite import binding

    digest = hashlib.sha256()
    for source in sorted((Path(__file__).parent.parent / "kernels").glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    facts = [metadata.version("numba"), metadata.version("llvmlite"), binding.get_host_cpu_name(), str(WIDTH)]
    digest.update("\0".join([*facts, *sorted(features())]).encode())
    return digest.hexdigest()[:24]


def _file() -> Path:
    return cache_folder() / f"kernels-{key()}.bin"


def is_compiled() -> bool:
    """Whether the program is on disk or loaded already, so that `load` will take no time to speak of."""
    return _load.cache_info().currsize > 0 or _file().is_file()


def _compile() -> tuple[str, bytes]:
    """Let Numba type and lower the kernels; return the entry's symbol and the machine code."""
    from llvmlite import binding
    from numba import types

    from tsuzuki.kernels.epoch import run

    signature = (types.int64, types.int64)
    run.compile(signature)
    module = binding.parse_assembly(run.inspect_llvm(signature))
    symbol = run.overloads[signature].fndesc.llvm_func_name
    return symbol, _machine().emit_object(module)


def _machine() -> Any:
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


def _read(path: Path) -> tuple[str, bytes] | None:
    """The stored symbol and code, or None where the file is absent or not whole."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, body = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        return None
    symbol, _, code = body.partition(b"\0")
    return symbol.decode(), code


def _write(path: Path, symbol: str, code: bytes) -> None:
    """Store the code whole or not at all; a folder that cannot be written only means compiling again next time."""
    body = symbol.encode() + b"\0" + code
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.sha256(body).digest() + body)
        os.replace(file.name, path)
    except OSError:
        return


@functools.cache
def _engine(symbol: str, code: bytes) -> tuple[Any, int]:
    from llvmlite import binding

    machine = _machine()
    # The small code model reads constants relative to the code, so both must lie within 2 GB of each other; only this
    # memory manager sees to it. Without it the process is aborted where the address space is crowded (after JAX).
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine, use_lmm=True)
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine, engine.get_function_address(symbol)


@functools.cache
def _address() -> int:
    found = _read(_file())
    if found is None:
        found = _compile()
        _write(_file(), *found)
    return _engine(*found)[1]


@functools.cache
def _load() -> Program:
    # Numba's calling convention: a place for the result, a place for an exception (none can occur), the arguments.
    native = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(
        _address()
    )

    def program(job: int, thread: int) -> int:
        result, trouble = ctypes.c_int64(0), ctypes.c_void_p(None)
        native(ctypes.addressof(result), ctypes.addressof(trouble), job, thread)
        return result.value

    return program


def load() -> Program:
    """Return the program, compiling it first (about 15 s) where this machine has not done so yet.

    Returns:
        A function of a job's address and a thread's number that returns how many updates were finite.
    """
    with _lock:
        return _load()


def bind(address: int, *, briefly: bool) -> Callable[[], object]:
    """The program with its arguments in place, for one thread: a call costs a third of what `load`'s costs.

    Args:
        address: of a job, which must live as long as what is returned.
        briefly: keep the interpreter's lock meanwhile, which is sooner done than letting go of it and taking it back.
    """
    load()
    native = (ctypes.PYFUNCTYPE if briefly else ctypes.CFUNCTYPE)(None)(_address())
    result, trouble = ctypes.c_int64(0), ctypes.c_void_p(None)
    places = ctypes.c_void_p(ctypes.addressof(result)), ctypes.c_void_p(ctypes.addressof(trouble))
    call = functools.partial(native, *places, ctypes.c_int64(address), ctypes.c_int64(0))
    # What the addresses point at lives as long.
    call.kept = result, trouble  # type: ignore[attr-defined]
    return call
