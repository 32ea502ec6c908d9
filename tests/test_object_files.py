"""Object files of every system that LLVM can make here: whole ones fit, and no bent one is followed beyond its end."""

import platform
import sys

import llvmlite.binding as llvm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.engine import object_file

# Short names and long ones, a call out and a call in, a constant elsewhere, bytes that are none in the file.
SOURCE = """
@table = external global i64
@bytes = global [4096 x i8] zeroinitializer
@known = constant [3 x i64] [i64 1, i64 2, i64 3]
declare void @elsewhere_and_long(i64)
define i64 @first(i64 %a) {
  %b = load i64, i64* @table
  call void @elsewhere_and_long(i64 %b)
  %p = getelementptr [3 x i64], [3 x i64]* @known, i64 0, i64 %a
  %c = load i64, i64* %p
  ret i64 %c
}
define i64 @another_with_a_long_name(i64 %a) {
  %c = call i64 @first(i64 %a)
  %p = getelementptr [4096 x i8], [4096 x i8]* @bytes, i64 0, i64 %c
  store i8 1, i8* %p
  ret i64 %c
}
define internal i64 @hidden(i64 %a) noinline {
  ret i64 %a
}
define i64 @eight888(i64 %a) {
  %c = call i64 @hidden(i64 %a)
  ret i64 %c
}
"""
NAMES = ("first", "another_with_a_long_name", "eight888")
SYSTEMS = {
    "x86_64-unknown-linux-gnu": ("linux", "x86_64"),
    "aarch64-unknown-linux-gnu": ("linux", "aarch64"),
    "x86_64-apple-macosx11": ("darwin", "x86_64"),
    "arm64-apple-macosx11": ("darwin", "arm64"),
    "x86_64-pc-windows-msvc": ("win32", "AMD64"),
    "aarch64-pc-windows-msvc": ("win32", "ARM64"),
}


@pytest.fixture(scope="module")
def objects():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    found = {}
    for triple in SYSTEMS:
        module = llvm.parse_assembly(SOURCE)
        module.triple = triple
        target = llvm.Target.from_triple(triple).create_target_machine(reloc="pic", codemodel="small")
        found[triple] = bytes(target.emit_object(module))
    return found


@pytest.fixture(params=SYSTEMS)
def made(request, objects, monkeypatch):
    system, machine = SYSTEMS[request.param]
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    return objects[request.param]


def test_a_whole_object_defines_its_public_procedures_and_no_others(made):
    assert object_file.fits(made, NAMES)
    assert not object_file.fits(made, ())
    for other in ("elsewhere_and_long", "table", "hidden", "irst", "firs", "long_name", ""):
        assert not object_file.fits(made, (*NAMES, other)), other


def test_no_object_of_another_system_or_machine_fits(made, objects):
    assert sum(object_file.fits(one, NAMES) for one in objects.values()) == 1


def test_an_object_that_is_cut_does_not_fit_wherever_it_is(made):
    assert not any(object_file.fits(made[:at], NAMES) for at in range(len(made)))


def test_no_number_of_an_object_can_be_so_large_that_it_leads_beyond_its_end_unseen(made):
    """Every four bytes as the largest number: what still fits is what no linker follows, such as the code itself."""
    followed = 0
    for at in range(0, len(made) - 4, 2):
        bent = made[:at] + b"\xff\xff\xff\x7f" + made[at + 4 :]
        followed += not object_file.fits(bent, NAMES)
    assert followed > 60


@settings(max_examples=200)
@given(data=st.data())
def test_bent_objects_never_end_in_anything_but_an_answer(objects, data):
    triple = data.draw(st.sampled_from(sorted(SYSTEMS)))
    system, machine = SYSTEMS[triple]
    bent = bytearray(objects[triple])
    for _ in range(data.draw(st.integers(1, 8))):
        bent[data.draw(st.integers(0, len(bent) - 1))] = data.draw(st.integers(0, 255))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "platform", system)
        patch.setattr(platform, "machine", lambda: machine)
        assert object_file.fits(bytes(bent), NAMES) in (True, False)
