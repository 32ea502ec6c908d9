"""The code blocks of the site, its notebooks and the README: run them, and write what they print now into the pages.

    python tools/pages.py

Blocks of ```python run in order, each page in a folder of its own; a ```text block behind one is what it prints.
```console blocks hold commands behind `$ ` and what they print; what is shown may be cut short, by [...] or at its
end. Any other block must say why it is not run: <!-- not run: reason -->. Of a notebook the code cells run in order;
the text that one prints is kept behind it.
"""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.ipynb"), ROOT / "README.md"])
NOT_RUN = re.compile(r"<!-- not run: (.+) -->\s*$")


@dataclass(frozen=True)
class Code:
    """A fenced block: its language, its text, the line it begins in, and why it is not run, if it is not."""

    language: str
    text: str
    line: int
    reason: str | None


@dataclass(frozen=True)
class Output:
    """The lines that a page shows, what was printed, where, and the number of lines before those shown."""

    shown: list[str]
    printed: str
    where: str
    before: int


def blocks(page: Path) -> list[Code]:
    """The fenced blocks of a page, or the code cells of a notebook and what each prints."""
    if page.suffix == ".ipynb":
        return _cells(page)
    found, lines, at = [], page.read_text("utf-8").splitlines(), 0
    while at < len(lines):
        if lines[at].startswith("```"):
            end = next(i for i in range(at + 1, len(lines)) if lines[i].startswith("```"))
            before = next((line for line in reversed(lines[:at]) if line.strip()), "")
            match = NOT_RUN.search(before)
            text = "\n".join(lines[at + 1 : end])
            found.append(Code(lines[at][3:].strip(), text, at + 1, match[1] if match else None))
            at = end
        at += 1
    return found


def _cells(notebook: Path) -> list[Code]:
    found = []
    for number, cell in enumerate(json.loads(notebook.read_text("utf-8"))["cells"], start=1):
        if cell["cell_type"] == "code":
            found.append(Code("python", "".join(cell["source"]), number, None))
            if cell["outputs"]:
                found.append(Code("text", "".join(cell["outputs"][0]["text"]).rstrip("\n"), number, None))
    return found


def _printed(code: str, where: str, namespace: dict[str, object]) -> str:
    """Run code; return what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, where, "exec"), namespace)
    return out.getvalue()


def commands(text: str) -> list[tuple[str, list[str], int]]:
    """Commands, the lines shown below each, and the number of lines before those."""
    found: list[tuple[str, list[str], int]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("$ "):
            found.append((line[2:], [], number))
        else:
            found[-1][1].append(line)
    return found


def furnish(folder: Path) -> dict[str, str]:
    """Put into a folder what a page's reader has there; return the environment to run commands in.

    Two years of the bundled series and two days more, and the command as this Python has it.
    """
    from tsuzuki.data import datasets

    frame = datasets.load("beijing").frame[["ds", "y"]].rename(columns={"ds": "time", "y": "temperature"})
    frame[:17520].to_csv(folder / "readings.csv", index=False)
    frame[17520:17568].to_csv(folder / "newer.csv", index=False)
    tools = folder / ".bin"
    tools.mkdir()
    command = tools / "tsuzuki"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tsuzuki "$@"\n')
    command.chmod(0o755)
    return {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "COLUMNS": "80", "NO_COLOR": "1"}


def run(page: Path, folder: Path) -> Iterator[Output]:
    """Run a page's blocks in a folder, which must be the working folder.

    Raises:
        ValueError: a command fails, a block shows what no code printed, or does not say why it is not run.
    """
    import tsuzuki

    environment = furnish(folder)
    namespace, printed = {"tsuzuki": tsuzuki}, None
    for block in blocks(page):
        where = f"{page.relative_to(ROOT) if page.is_relative_to(ROOT) else page.name}, line {block.line}"
        if block.reason is not None:
            continue
        if block.language == "python":
            printed = _printed(block.text, where, namespace)
        elif block.language == "text":
            if printed is None:
                raise ValueError(f"{where}: shows what no code printed")
            yield Output(block.text.split("\n"), printed, where, block.line)
            printed = None
        elif block.language == "console":
            for command, shown, before in commands(block.text):
                done = subprocess.run(
                    ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=300
                )
                if done.returncode != 0:
                    raise ValueError(f"{where}: {command}: {done.stderr}")
                yield Output(shown, done.stdout, f"{where}: {command}", block.line + before)
        else:
            raise ValueError(f"{where}: a block that is not run must say why: <!-- not run: reason -->")


def renewed(output: Output) -> list[str]:
    """The lines that the page should show: as many as it does, as they are printed now."""
    filled = [number for number, line in enumerate(output.shown) if line]
    printed = "\n".join(line.rstrip() for line in output.printed.split("\n")).strip("\n").split("\n")
    if not filled or "[...]" in output.shown[filled[-1]]:
        return output.shown
    first, end = filled[0], filled[-1] + 1
    if len(printed) < end - first:
        return output.shown
    return [*output.shown[:first], *printed[: end - first], *output.shown[end:]]


def renew_notebook(page: Path) -> list[str]:
    """Run a notebook and write what its cells print now into it; return where something else stood."""
    described, found = json.loads(page.read_text("utf-8")), []
    namespace: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for number, cell in enumerate(described["cells"], start=1):
            if cell["cell_type"] == "code":
                lines = _printed("".join(cell["source"]), page.name, namespace).splitlines(keepends=True)
                now = [{"name": "stdout", "output_type": "stream", "text": lines}] if lines else []
                if now != cell["outputs"]:
                    found.append(f"{page.name}, cell {number}")
                cell["outputs"] = now
    page.write_text(json.dumps(described, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return found


def renew(page: Path) -> list[str]:
    """Run a page and write what it prints now into it; return where something else stood."""
    if page.suffix == ".ipynb":
        return renew_notebook(page)
    lines, found = page.read_text("utf-8").split("\n"), []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for output in run(page, Path(folder)):
            now = renewed(output)
            if now != output.shown:
                lines[output.before : output.before + len(now)] = now
                found.append(output.where)
    if found:
        page.write_text("\n".join(lines), "utf-8")
    return found


if __name__ == "__main__":
    for one in PAGES:
        for place in renew(one):
            print(place)
