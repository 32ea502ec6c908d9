"""How the packages hang together: imports run downwards, few modules stand alone, and none is long."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tooling import ROOT, tool

rooms = tool("rooms")
draw_rooms = tool("draw_rooms")

MOST_MODULES, MOST_LINES = 8, 400
FORMS = (
    "import tsuzuki.{0}.module",
    "from tsuzuki import {0}",
    "from tsuzuki.{0} import module",
    "from tsuzuki.{0}.module import name",
    "from ..{0}.module import name",
    "def function():\n    from tsuzuki.{0}.module import name",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tsuzuki.{0}.module import name",
)


def test_imports_run_only_downwards_between_packages():
    wrong = [f"{one.importer} imports {one.imported}" for one in rooms.upward()]
    assert wrong == [], f"against the order in tools/rooms.py: {'; '.join(wrong)}"


def test_every_package_and_module_has_its_place_in_the_order():
    found = {rooms.package_of(module) for module in rooms.modules()} - set(rooms.FRONT)
    assert found == set(rooms.ORDER)


def test_few_modules_stand_directly_under_the_package():
    # __init__ and __main__ are not counted: Python asks for them, and they hold no more than names.
    alone = [str(module) for module in rooms.modules() if len(module.parts) == 1 and module.stem not in rooms.FRONT]
    assert len(alone) <= MOST_MODULES, alone


@pytest.mark.parametrize("module", rooms.modules(), ids=str)
def test_no_module_is_long(module):
    assert len((rooms.PACKAGE / module).read_text("utf-8").splitlines()) <= MOST_LINES


@given(
    st.sampled_from(rooms.ORDER), st.sampled_from(rooms.ORDER), st.sampled_from(FORMS), st.sampled_from(["module", "x"])
)
def test_an_import_against_the_order_is_found_wherever_it_stands_and_in_every_form(importer, imported, form, stem):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for package in {importer, imported}:
            (root / package).mkdir()
            for name in ("__init__", "module"):
                (root / package / f"{name}.py").write_text("", "utf-8")
        (root / importer / f"{stem}.py").write_text(form.format(imported), "utf-8")
        found = rooms.upward(root)
    against = rooms.ORDER.index(imported) < rooms.ORDER.index(importer)
    assert [one.packages for one in found] == ([(importer, imported)] if against else [])


@pytest.mark.parametrize(("line", "wrong"), [("from tsuzuki import fit", 1), ("from tsuzuki import __version__", 0)])
def test_no_module_takes_public_names_from_the_front(tmp_path, line, wrong):
    (tmp_path / "errors.py").write_text(line, "utf-8")
    (tmp_path / "__init__.py").write_text("", "utf-8")
    assert len(rooms.upward(tmp_path)) == wrong


def test_the_picture_of_the_packages_is_that_of_the_imports():
    assert draw_rooms.IMAGE.read_text("utf-8") == draw_rooms.drawing(), "run python tools/draw_rooms.py"


def test_the_page_for_contributors_has_a_line_for_each_package():
    assert draw_rooms.table() in (ROOT / "docs" / "contributing.md").read_text("utf-8")
