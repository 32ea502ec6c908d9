"""Build the wheel and the sdist, install them in fresh environments outside the clone, and run `tools/smoke.py` there.

    python tools/try_versions.py                                   # this Python, newest dependencies
    python tools/try_versions.py --python 3.11 --python python3.13 # several
    python tools/try_versions.py --lowest                          # each dependency in the lowest version we name
    python tools/try_versions.py --sdist                           # from the sdist, which compiles the kernels

An interpreter that is not there, or for which a dependency has no wheel, is named and passed over; what fails in the
smoke test ends in exit code 1.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def lowest(dependencies: list[str]) -> list[str]:
    """Each requirement at its lower bound: "numpy>=1.26" is "numpy==1.26"; those of other platforms are left out."""
    found = []
    for requirement in dependencies:
        name, marker = (part.strip() for part in (*requirement.split(";"), "")[:2])
        if not marker:
            bound = re.fullmatch(r"([A-Za-z0-9_.-]+)>=([0-9.]+)", name)
            if bound is None:
                raise ValueError(f"{requirement!r} in pyproject.toml names no lower bound; write name>=version")
            found.append(f"{bound[1]}=={bound[2]}")
    return found


def built(folder: Path) -> tuple[Path, Path]:
    """The wheel and the sdist, built in a folder."""
    call(sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT))
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


def call(*command: str) -> None:
    """Run a command, quietly.

    Raises:
        RuntimeError: it fails; with the end of what it said.
    """
    # Neither the clone's own package nor the caller's settings of Python reach into the fresh environment.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=tempfile.gettempdir(), env=clean, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:6])}: {(done.stdout + done.stderr)[-4000:]}")


def attempt(python: str, package: Path, pinned: list[str]) -> str | None:
    """Install a package into a fresh environment and run the smoke test.

    Returns:
        Nothing, or why there was nothing to try.

    Raises:
        RuntimeError: the smoke test fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            call(python, "-m", "venv", folder)
        except (RuntimeError, OSError) as error:
            return f"there is no {python} ({' '.join(str(error).split())[:80]})"
        inside = str(Path(folder) / ("Scripts" if sys.platform == "win32" else "bin") / "python")
        try:
            # A dependency without a wheel would be compiled for an hour.
            only = ["--only-binary=:all:"] if package.suffix == ".whl" else ["--prefer-binary"]
            call(inside, "-m", "pip", "install", "--quiet", *only, str(package), *pinned)
        except RuntimeError as error:
            said = [line.strip() for line in str(error).splitlines() if "rror" in line]
            return f"it cannot be installed: {'; '.join(said)[:600]}"
        call(inside, str(ROOT / "tools" / "smoke.py"), *pinned)
    return None


def main() -> int:
    """Try what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", help="an interpreter; this one if none is named")
    parser.add_argument("--lowest", action="store_true", help="each dependency in its lowest version")
    parser.add_argument("--sdist", action="store_true", help="install from the sdist")
    asked = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = lowest(project["dependencies"]) if asked.lowest else []
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        wheel, sdist = built(Path(folder))
        print(f"built {wheel.name} ({wheel.stat().st_size / 1e6:.1f} MB) and {sdist.name}", flush=True)
        for python in asked.python or [sys.executable]:
            try:
                missing = attempt(python, sdist if asked.sdist else wheel, pinned)
                print(f"{python}: {'works' if missing is None else 'not tried: ' + missing}", flush=True)
            except RuntimeError as error:
                failed += 1
                print(f"{python}: FAILED: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
