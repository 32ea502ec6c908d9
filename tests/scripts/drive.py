"""Run many scripts in one process, because TensorFlow takes seconds to start.

    python drive.py today SCRIPTS…     as they are, in Keras
    python drive.py once SCRIPTS…      under `tsuzuki run`
    python drive.py run SCRIPTS…       under `tsuzuki run`, once more with swapping forbidden, and some with --strict

Prints a JSON object: for each way and script what it printed, said on stderr, and the calls that were made.
"""

import contextlib
import io
import json
import os
import runpy
import sys

os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def plainly(path, arguments):
    sys.argv = [path, *arguments]
    runpy.run_path(path, run_name="__main__")


def swapped(**options):
    from tsuzuki.autofit.run_script import run_script

    return lambda path, arguments: run_script(path, arguments, **options)


def drive(run, paths):
    found = {}
    for path in paths:
        path, *arguments = path.split(" ")
        out, err = io.StringIO(), io.StringIO()
        log = sys.modules["tsuzuki.autofit.swapping"].log if "tsuzuki.autofit.swapping" in sys.modules else None
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                run(path, arguments)
            except SystemExit as end:
                print("ended with", end.code, err.getvalue()[-2000:])
        if "keras" in sys.modules:
            sys.modules["keras"].utils.clear_session()
        calls = [] if log is None else [[one.method, one.calls, one.reason] for one in log.lines.values()]
        if log is not None:
            log.lines.clear()
        found[os.path.basename(path)[:-3]] = {"out": out.getvalue(), "err": err.getvalue(), "calls": calls}
    return found


if __name__ == "__main__":
    way, *paths = sys.argv[1:]
    if way == "today":
        sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        from traced_once import trace_once

        trace_once()
        found = {"today": drive(plainly, paths)}
    elif way == "once":
        found = {"once": drive(swapped(), paths)}
    else:
        some = [path for path in paths if path.endswith(("chunks.py", "two_models.py"))]
        found = {
            "run": drive(swapped(), paths),
            "explain": drive(swapped(explain=True), paths),
            "strict": drive(swapped(strict=True), some),
        }
    print("\n" + json.dumps(found))
