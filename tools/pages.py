"""The code blocks of the site and of the README: run them, and write what they print now into the pages.

    python tools/pages.py

Blocks of ```python run in order, each page in a folder of its own; a ```text block behind one is what it prints.
```console blocks hold commands behind `$ ` and what they print; what is shown may be cut short, by [...] or at its
end. Any other block must say why it is not run: <!-- not run: reason -->.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
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
    """What a page shows, what was printed, and where."""

    shown: str
    printed: str
    where: str


def blocks(page: Path) -> list[Code]:
    """The fenced blocks of a page."""
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


def commands(text: str) -> list[tuple[str, str]]:
    """Pairs of a command and what is shown below it."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(shown)) for command, shown in found]


def furnish(folder: Path) -> dict[str, str]:
    """Put into a folder what a page's reader has there; return the environment to run commands in.

    Two years of the bundled series and two days more, and the command as this Python has it.
    """
    from tsuzuki import datasets

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
        where = f"{page.relative_to(ROOT)}, line {block.line}"
        if block.reason is not None:
            continue
        if block.language == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(block.text, where, "exec"), namespace)
            printed = out.getvalue()
        elif block.language == "text":
            if printed is None:
                raise ValueError(f"{where}: shows what no code printed")
            yield Output(block.text, printed, where)
            printed = None
        elif block.language == "console":
            for command, shown in commands(block.text):
                done = subprocess.run(
                    ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=300
                )
                if done.returncode != 0:
                    raise ValueError(f"{where}: {command}: {done.stderr}")
                yield Output(shown, done.stdout, f"{where}: {command}")
        else:
            raise ValueError(f"{where}: a block that is not run must say why: <!-- not run: reason -->")


def renewed(output: Output) -> str:
    """What the page should show: as many lines as it does, as they are printed now."""
    lines = output.shown.split("\n")
    before = next((i for i, line in enumerate(lines) if line), 0)
    shown = output.shown.strip("\n").split("\n")
    printed = "\n".join(line.rstrip() for line in output.printed.split("\n")).strip("\n").split("\n")
    if shown == [""] or "[...]" in output.shown or len(printed) < len(shown):
        return output.shown
    return "\n".join([*lines[:before], *printed[: len(shown)], *lines[before + len(shown) :]])


def main() -> None:
    """Run every page; write those that show something else than is printed."""
    for page in PAGES:
        text = page.read_text("utf-8")
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for output in run(page, Path(folder)):
                if output.shown != renewed(output):
                    text = text.replace(output.shown, renewed(output), 1)
                    print(output.where)
        page.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
