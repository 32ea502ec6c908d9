"""A script run as Python would run it, in this process: its `__main__`, arguments, path, output, errors, exit code."""

import builtins
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType, TracebackType

from tsuzuki.autofit import swapping, texts
from tsuzuki.errors import FileError, NotSwappedError
from tsuzuki.formatting import LANGUAGES

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FAILED, NOT_SWAPPED, INTERRUPTED = 1, 2, 130


@dataclass(frozen=True)
class Call:
    """A command line of `tsuzuki run`: the script, what stands behind it, and the options before it."""

    script: str
    arguments: Sequence[str]
    strict: bool
    explain: bool
    lang: str = ""


def call_of(words: Sequence[str]) -> Call | None:
    """What stands behind `tsuzuki run`; None where it is not plainly a script that can be read.

    The command line then says what is wrong with it, or gives help.
    """
    options, rest = set[str](), list(words)
    lang = ""
    while rest:
        word = rest.pop(0)
        if word in ("--strict", "--explain"):
            options.add(word)
        elif word.partition("=")[0] == "--lang":
            lang = word.partition("=")[2] or (rest.pop(0) if rest else "")
            if lang not in LANGUAGES:
                break
        elif not word.startswith("-") and os.access(word, os.R_OK):
            return Call(word, rest, "--strict" in options, "--explain" in options, lang)
        else:
            break
    return None


def run_script(
    path: str, arguments: Sequence[str] = (), *, strict: bool = False, explain: bool = False, lang: str = ""
) -> None:
    """Run a script to its end.

    Args:
        path: the script.
        arguments: what it finds in `sys.argv` behind its own name.
        strict: raise at the first call that is not swapped.
        explain: swap nothing, and note what would be done.
        lang: of the table and the notices, en or ja; empty for that of the environment.

    Raises:
        FileError: the script cannot be read.
        SystemExit: the script ended by itself, or with an error that has been printed.
    """
    swapping.settings.strict, swapping.settings.explain = strict, explain
    texts.Spoken.lang = lang
    try:
        with io.open_code(os.path.abspath(path)) as file:
            source = file.read()
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror}); name a Python script") from error
    main = ModuleType("__main__")
    main.__dict__.update(__file__=path, __builtins__=builtins)
    sys.modules["__main__"] = main
    sys.argv = [path, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    # Whoever called may have put a hook of its own there.
    sys.excepthook = sys.__excepthook__
    try:
        exec(compile(source, path, "exec"), main.__dict__)
    except SystemExit:
        raise
    except NotSwappedError as error:
        print(texts.said("not swapped", said=error), file=sys.stderr)
        raise SystemExit(NOT_SWAPPED) from None
    except BaseException as error:
        shown = _script_alone(error)
        sys.excepthook(type(shown), shown, shown.__traceback__)
        raise SystemExit(INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED) from None


def _script_alone(error: BaseException) -> BaseException:
    """The error, and those that led to it, without the lines of this library."""
    seen: BaseException | None = error
    known = set[int]()
    while seen is not None and id(seen) not in known:
        known.add(id(seen))
        seen.__traceback__ = _without_package(seen.__traceback__)
        seen = seen.__cause__ or seen.__context__
    return error


def _without_package(trace: TracebackType | None) -> TracebackType | None:
    kept = []
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(PACKAGE + os.sep):
            kept.append(trace)
        trace = trace.tb_next
    found: TracebackType | None = None
    for one in reversed(kept):
        found = TracebackType(found, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return found
