"""What docs/reliability.md reports, in one run on a machine with many cores.

    python tools/prove.py --out proof --seconds 560
    python tools/prove.py --out proof --scale 0.01      a hundredth of each, to see that all of it runs

Side by side: 200 planted faults and those that no test noticed once (`mutate.py`), 10,000 bent files, batches of lines
and models, 2,000 checkpoints and 1,000 stores (`fuzz.py`), 200 kills and 50 places of a full disk for each kind of file
(`interrupt.py`), and a stream of 1,000 series for ten million lines (`soak.py`). Each is ended when the time is over,
and says how far it came. The folder gets what each said, and `proof.json`; rows of tables are printed. Needs no git and
no Keras, but Coverage.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from side_by_side import tool

ROOT = Path(__file__).parents[1]
# Seconds in which a tool that was told when to end comes to its end.
MARGIN = 20


class Run:
    """One run of all.

    Args:
        out: the folder of what is said.
        until: when all must have ended, of `time.monotonic`.
    """

    def __init__(self, out: Path, until: float) -> None:
        self._out, self._until = out, until
        self.found: dict[str, Any] = {}
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        path = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
        self.environment = os.environ | threads | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}

    def say(self, name: str, politeness: int, *arguments: object, first: bool = False) -> None:
        """Run a tool until it has ended or the time is over, and keep what it found.

        Args:
            name: of the tool, and behind a blank of the part.
            politeness: how far it gives way to the others.
            arguments: its own.
            first: whether the number of seconds is its first argument, without a name.
        """
        left = max(1.0, self._until - time.monotonic() - MARGIN)
        seconds = [left] if first else ["--seconds", left]
        one = name.partition(" ")[0]
        environment = dict(self.environment)
        if one != "mutate":
            environment["TSUZUKI_NUM_THREADS"] = "1"
        file = name.replace(" ", "_")
        began = time.monotonic()
        with (self._out / f"{file}.log").open("w") as out, (self._out / f"{file}.err").open("w") as err:
            command = ["nice", "-n", str(politeness), *tool(one, *seconds, *arguments)]
            process = subprocess.Popen(command, stdout=out, stderr=err, env=environment, cwd=ROOT)
            try:
                process.wait(left + MARGIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        lines = (self._out / f"{file}.log").read_text("utf-8", "replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        took = round(time.monotonic() - began)
        self.found[name] = {"code": process.returncode, "seconds": took, **(found[-1] if found else {})}
        print(json.dumps({name: self.found[name]}, ensure_ascii=False), flush=True)


def rows(found: dict[str, Any]) -> str:
    """The tables of the page."""
    lines = ["| | tried | read | refused | wrong |", "|---|---|---|---|---|"]
    for name in ("fuzz tables", "fuzz checkpoints", "fuzz stores"):
        for kind, one in found.get(name, {}).items():
            if isinstance(one, dict) and "tried" in one:
                cells = (f"{one[key]:,}" for key in ("tried", "read", "refused", "wrong"))
                lines.append(f"| {kind} | {' | '.join(cells)} |")
    lines += ["", "| killed | kills | ends |", "|---|---|---|"]
    interrupted = found.get("interrupt", {})
    for kind in ("fit", "backtest", "stream"):
        lines.append(f"| {kind} | {interrupted.get(f'{kind} kills', 0)} | {interrupted.get(f'{kind} ends', 0)} |")
    lines += ["", "| full disk | refused | written |", "|---|---|---|"]
    for kind in ("model", "checkpoint", "forecasts", "states", "standard output"):
        counts = (str(interrupted.get(f"{kind} {word}", 0)) for word in ("refused", "written"))
        lines.append(f"| {kind} | {' | '.join(counts)} |")
    for name in ("mutate known", "mutate"):
        planted = found.get(name, {})
        lines += ["", f"{name}: {planted.get('killed')} of {planted.get('planted')} faults noticed"]
    return "\n".join(lines)


def main() -> None:
    """Run all and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder of what is said")
    parser.add_argument("--seconds", type=float, default=560.0, help="in all")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the numbers above")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=20261127)
    parser.add_argument("--only", action="append", choices=("soak", "mutate", "interrupt", "fuzz"))
    asked = parser.parse_args()
    out = asked.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    run = Run(out, time.monotonic() + asked.seconds)
    chosen = asked.only or ["soak", "mutate", "interrupt", "fuzz"]

    def share(count: int) -> int:
        return max(5, round(count * asked.scale))

    began = time.monotonic()
    code = (
        "from tsuzuki.engine import machine_code as m; from tsuzuki.kernels.layers import kinds; m.load(tuple(kinds()))"
    )
    subprocess.run([sys.executable, "-c", code], env=run.environment, check=True)
    print(f"kernels ready after {time.monotonic() - began:.0f} s", flush=True)

    def soak() -> None:
        lines = share(10_000) * 1000
        run.say("soak", 0, lines, "--kill", max(3000, lines // 20), "--rotate", max(4000, lines * 7 // 100))

    def mutate() -> None:
        both = ("--jobs", asked.jobs, "--reach", out / "reach")
        run.say("mutate", 10, share(200), "--seed", asked.seed, *both)
        run.say("mutate known", 10, "--known", *both)

    def bend() -> None:
        if "interrupt" in chosen:
            numbers = ("--kills", share(200), "--places", share(50))
            run.say("interrupt", 5, *numbers, "--seed", asked.seed, "--jobs", asked.jobs)
        for kinds, count in ((("tables", "lines", "models"), 10_000), (("checkpoints",), 2_000), (("stores",), 1_000)):
            if "fuzz" in chosen:
                only = [cell for kind in kinds for cell in ("--only", kind)]
                rest = ("--count", share(count), "--seed", asked.seed, "--jobs", max(2, asked.jobs))
                run.say(f"fuzz {kinds[0]}", 5, *only, *rest, first=True)

    threads = [
        threading.Thread(target=work)
        for name, work in (("soak", soak), ("mutate", mutate), ("", bend))
        if not name or name in chosen
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (out / "proof.json").write_text(json.dumps(run.found, indent=1, ensure_ascii=False) + "\n")
    print(rows(run.found))


if __name__ == "__main__":
    main()
