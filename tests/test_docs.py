"""Every code block of the site and of the README runs, and what it shows is real.

Blocks of ```python run in order, each page in a folder of its own; a ```text block behind one is what it prints.
```console blocks hold commands behind `$ ` and what they print. Any other block must say why it is not run:
<!-- not run: reason -->. Times and the last digits differ between machines, so what is shown is compared by its words
and by most of its numbers.
"""

import contextlib
import importlib.util
import inspect
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import tsuzuki

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
NOT_RUN = re.compile(r"<!-- not run: (.+) -->\s*$")

pytestmark = pytest.mark.xdist_group("docs")


@dataclass(frozen=True)
class Code:
    """A fenced block: its language, its text, the line it begins in, and why it is not run, if it is not."""

    language: str
    text: str
    line: int
    reason: str | None


def blocks(page):
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


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    """A folder with the command as this Python has it."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "tsuzuki"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tsuzuki "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a page's reader stands: two years of the bundled series and two days more."""
    from tsuzuki import datasets

    frame = datasets.load("beijing").frame[["ds", "y"]].rename(columns={"ds": "time", "y": "temperature"})
    frame[:17520].to_csv(tmp_path / "readings.csv", index=False)
    frame[17520:17568].to_csv(tmp_path / "newer.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def agree(shown, printed, where):
    """Fail unless what is shown is what was printed: all words but some, most numbers; it may be cut at its end."""
    for ignored in ("─", "[...]", "`", "$"):
        shown, printed = shown.replace(ignored, " "), printed.replace(ignored, " ")
    words = NUMBER.sub("#", shown).split()
    others = NUMBER.sub("#", printed).split()[: len(words)]
    same = sum(a == b for a, b in zip(words, others, strict=False))
    assert same >= 0.9 * len(words), f"{where}: shown\n{shown}\nprinted\n{printed}"
    numbers = [float(found.replace(",", "")) for found in NUMBER.findall(shown)]
    reals = [float(found.replace(",", "")) for found in NUMBER.findall(printed)][: len(numbers)]
    near = sum(abs(a - b) <= 0.1 * abs(a) + 0.02 for a, b in zip(numbers, reals, strict=False))
    assert near >= 0.6 * len(numbers), f"{where}: shown\n{shown}\nprinted\n{printed}"


def commands(text):
    """Pairs of a command and what is shown below it."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(shown)) for command, shown in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_runs_and_prints_what_it_shows(page, folder, tools):
    namespace, printed = {"tsuzuki": tsuzuki}, None
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "COLUMNS": "80", "NO_COLOR": "1"}
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
            assert printed is not None, f"{where}: shows what no code printed"
            agree(block.text, printed, where)
            printed = None
        elif block.language == "console":
            for command, shown in commands(block.text):
                done = subprocess.run(
                    ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=300
                )
                assert done.returncode == 0, f"{where}: {command}: {done.stderr}"
                agree(shown, done.stdout, f"{where}: {command}")
        else:
            pytest.fail(f"{where}: a block that is not run must say why: <!-- not run: reason -->")


def test_words_that_were_not_printed_and_numbers_that_are_wrong_are_noticed():
    agree("loss 1.0 in 3 s", "loss 1.001 in 3 s", "")
    with pytest.raises(AssertionError):
        agree("loss 1.0 better by far", "loss 1.0 worse by much", "")
    with pytest.raises(AssertionError):
        agree("1 2 3 4 5", "10 20 30 40 50", "")


def test_every_public_name_has_a_docstring_and_stands_in_the_reference():
    reference = (ROOT / "docs" / "reference.md").read_text("utf-8")
    for name in tsuzuki.__all__:
        thing = getattr(tsuzuki, name)
        assert inspect.getdoc(thing), name
        assert re.search(rf"::: tsuzuki\.(\w+\.)*{name}\n", reference), name


def test_the_drawings_are_those_of_the_layouts():
    spec = importlib.util.spec_from_file_location("make_drawings", ROOT / "tools" / "make_drawings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, text in module.drawings().items():
        assert (module.IMAGES / name).read_text() == text


def test_the_site_builds_without_a_warning_and_asks_nobody_for_anything(tmp_path):
    pytest.importorskip("mkdocs", reason="the docs extra is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= len(PAGES) - 1
    loads = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=["']?(?:https?:)?//[^>]*>""")
    for page in pages:
        found = [tag for tag in loads.findall(page.read_text("utf-8")) if 'rel="canonical"' not in tag]
        assert found == [], page.name
