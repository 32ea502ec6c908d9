"""Every code block of the site and of the README runs, and what it shows is real.

Times and the last digits differ between machines, so what is shown is compared by its words and by most of its numbers;
`tools/pages.py` writes what is printed now.
"""

import inspect
import re
import subprocess
import sys

import pytest

import tsuzuki
from tooling import ROOT, tool

pages = tool("pages")


NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def agree(shown, printed):
    """Whether what is shown is what was printed: all words but some, most numbers; it may be cut at its end."""
    for ignored in ("─", "[...]", "`", "$"):
        shown, printed = shown.replace(ignored, " "), printed.replace(ignored, " ")
    words = NUMBER.sub("#", shown).split()
    others = NUMBER.sub("#", printed).split()[: len(words)]
    same = sum(a == b for a, b in zip(words, others, strict=False))
    numbers = [float(found.replace(",", "")) for found in NUMBER.findall(shown)]
    reals = [float(found.replace(",", "")) for found in NUMBER.findall(printed)][: len(numbers)]
    near = sum(abs(a - b) <= 0.1 * abs(a) + 0.02 for a, b in zip(numbers, reals, strict=False))
    return same >= 0.9 * len(words) and near >= 0.6 * len(numbers)


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_runs_and_prints_what_it_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for output in pages.run(page, tmp_path):
        shown = "\n".join(output.shown)
        assert agree(shown, output.printed), f"{output.where}: shown\n{shown}\nprinted\n{output.printed}"


def test_words_that_were_not_printed_and_numbers_that_are_wrong_are_noticed():
    assert agree("loss 1.0 in 3 s", "loss 1.001 in 3 s")
    assert not agree("loss 1.0 better by far", "loss 1.0 worse by much")
    assert not agree("1 2 3 4 5", "10 20 30 40 50")


def test_every_public_name_has_a_docstring_and_stands_in_the_reference():
    reference = (ROOT / "docs" / "reference.md").read_text("utf-8")
    for name in tsuzuki.__all__:
        thing = getattr(tsuzuki, name)
        assert inspect.getdoc(thing), name
        assert re.search(rf"::: tsuzuki\.(\w+\.)*{name}\n", reference), name


def test_every_environment_variable_is_on_its_page_and_no_other():
    page = (ROOT / "docs" / "environment.md").read_text("utf-8")
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").glob("*.py")]
    read = {name for path in sources for name in re.findall(r"TSUZUKI_[A-Z_]+", path.read_text("utf-8"))}
    # Typer's own.
    assert set(re.findall(r"TSUZUKI_[A-Z_]+", page)) == read - {"TSUZUKI_COMPLETE", "TSUZUKI_"}


def test_the_site_builds_without_a_warning_and_asks_nobody_for_anything(tmp_path):
    pytest.importorskip("mkdocs", reason="the docs extra is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    built = list((tmp_path / "site").rglob("*.html"))
    written = [page for page in pages.PAGES if page.suffix == ".md"]
    assert len(built) >= len(written) - 1
    loads = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=["']?(?:https?:)?//[^>]*>""")
    for page in built:
        found = [tag for tag in loads.findall(page.read_text("utf-8")) if 'rel="canonical"' not in tag]
        assert found == [], page.name
